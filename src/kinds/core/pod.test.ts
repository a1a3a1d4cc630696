import { describe, expect, test } from "vitest";
import type { Pod } from "#machinery/api/core-v1.ts";
import { type Body, createdAs, createErrors, decodedAs, updateErrors } from "../kind-testing.ts";
import { pullPolicyOf } from "./pod-defaults.ts";
import { PodKind } from "./pod.ts";
import { validateEphemeralContainersUpdate, validateResize } from "./pod-update.ts";
import { formatFieldError } from "#machinery/field-error.ts";

const container = { name: "web", image: "nginx" };

function pod(spec: Body = {}): Body {
  return { metadata: { name: "web", namespace: "default" }, spec: { containers: [container], ...spec } };
}
function withContainer(rest: Body): Body {
  return pod({ containers: [{ ...container, ...rest }] });
}
const errors = (spec: Body) => createErrors(PodKind, pod(spec));
const containerErrors = (rest: Body) => createErrors(PodKind, withContainer(rest));

describe("PodKind defaults", () => {
  test("fill in what a pod must have", () => {
    const { spec, status, metadata } = createdAs(
      PodKind,
      withContainer({
        ports: [{ containerPort: 80 }],
        livenessProbe: { httpGet: { port: 80 } },
        resources: { limits: { cpu: "1", memory: "1Gi" }, requests: { cpu: "500m" } },
        env: [{ name: "IP", valueFrom: { fieldRef: { fieldPath: "status.podIP" } } }],
      }),
    );
    expect(spec).toEqual({
      containers: [
        {
          name: "web",
          image: "nginx",
          ports: [{ containerPort: 80, protocol: "TCP" }],
          env: [{ name: "IP", valueFrom: { fieldRef: { apiVersion: "v1", fieldPath: "status.podIP" } } }],
          resources: { limits: { cpu: "1", memory: "1Gi" }, requests: { cpu: "500m", memory: "1Gi" } },
          livenessProbe: {
            httpGet: { path: "/", port: 80, scheme: "HTTP" },
            timeoutSeconds: 1,
            periodSeconds: 10,
            successThreshold: 1,
            failureThreshold: 3,
          },
          terminationMessagePath: "/dev/termination-log",
          terminationMessagePolicy: "File",
          imagePullPolicy: "Always",
        },
      ],
      restartPolicy: "Always",
      terminationGracePeriodSeconds: 30,
      dnsPolicy: "ClusterFirst",
      securityContext: {},
      schedulerName: "default-scheduler",
      enableServiceLinks: true,
    });
    expect(status).toEqual({ phase: "Pending", qosClass: "Burstable" });
    expect(metadata.generation).toBe(1);
  });

  test.each([
    ["nginx", "Always"],
    ["nginx:latest", "Always"],
    ["nginx:1.27", "IfNotPresent"],
    ["registry:5000/nginx", "Always"],
    ["registry:5000/nginx:1", "IfNotPresent"],
    ["nginx@sha256:abc", "IfNotPresent"],
  ])("%s is pulled %s", (image, policy) => {
    expect(pullPolicyOf(image)).toBe(policy);
  });

  test("volumes without a source are empty directories, and files have mode 0644", () => {
    const { spec } = decodedAs(
      PodKind,
      pod({ volumes: [{ name: "a" }, { name: "b", configMap: { name: "c" } }, { name: "s", secret: { secretName: "x" } }] }),
    );
    expect(spec.volumes).toEqual([
      { name: "a", emptyDir: {} },
      { name: "b", configMap: { name: "c", defaultMode: 420 } },
      { name: "s", secret: { secretName: "x", defaultMode: 420 } },
    ]);
  });

  test("pods on the host's network take the ports they listen on", () => {
    const { spec } = decodedAs(PodKind, pod({ hostNetwork: true, containers: [{ ...container, ports: [{ containerPort: 80 }] }] }));
    expect(spec.containers[0]?.ports).toEqual([{ containerPort: 80, hostPort: 80, protocol: "TCP" }]);
  });

  test.each<[string, Body, string]>([
    ["nothing asked", {}, "BestEffort"],
    ["a request", { requests: { cpu: "1" } }, "Burstable"],
    ["limits only", { limits: { cpu: "1", memory: "1Gi" } }, "Guaranteed"],
    ["a smaller request", { limits: { cpu: "1", memory: "1Gi" }, requests: { cpu: "500m" } }, "Burstable"],
    ["one limit", { limits: { cpu: "1" } }, "Burstable"],
  ])("quality of service with %s", (_, resources, expected) => {
    expect(createdAs(PodKind, withContainer({ resources })).status?.qosClass).toBe(expected);
  });

  test("a gated pod says so from the start", () => {
    expect(createdAs(PodKind, pod({ schedulingGates: [{ name: "example.com/wait" }] })).status?.conditions).toEqual([
      {
        type: "PodScheduled",
        status: "False",
        reason: "SchedulingGated",
        message: "Scheduling is blocked due to non-empty scheduling gates",
      },
    ]);
  });
});

describe("PodKind validation", () => {
  test("a plain pod is fine", () => {
    expect(errors({})).toEqual([]);
  });

  test.each<[string, Body, readonly string[]]>([
    ["no containers", { containers: [] }, ["spec.containers: Required value"]],
    ["a container without image", { containers: [{ name: "a" }] }, ["spec.containers[0].image: Required value"]],
    ["a container without name", { containers: [{ image: "a" }] }, ["spec.containers[0].name: Required value"]],
    ["two containers of one name", { containers: [container, container] }, ['spec.containers[1].name: Duplicate value: "web"']],
    [
      "an init container with the name of another",
      { initContainers: [container] },
      ['spec.initContainers[0].name: Duplicate value: "web"'],
    ],
    [
      "a probe on an init container",
      { initContainers: [{ name: "i", image: "a", livenessProbe: { exec: { command: ["true"] } } }] },
      ["spec.initContainers[0].livenessProbe: Forbidden: may not be set for init containers without restartPolicy=Always"],
    ],
    [
      "an unknown restart policy",
      { restartPolicy: "Sometimes" },
      ['spec.restartPolicy: Unsupported value: "Sometimes": supported values: "Always", "Never", "OnFailure"'],
    ],
    [
      "a deadline of zero",
      { activeDeadlineSeconds: 0 },
      ["spec.activeDeadlineSeconds: Invalid value: 0: must be between 1 and 2147483647, inclusive"],
    ],
    [
      "DNS policy None without config",
      { dnsPolicy: "None" },
      ["spec.dnsConfig: Required value: must provide `dnsConfig` when `dnsPolicy` is None"],
    ],
    ["two volumes of one name", { volumes: [{ name: "a" }, { name: "a" }] }, ['spec.volumes[1].name: Duplicate value: "a"']],
    [
      "a volume with two sources",
      { volumes: [{ name: "a", emptyDir: {}, hostPath: { path: "/x" } }] },
      ["spec.volumes[0].emptyDir: Forbidden: may not specify more than 1 volume type"],
    ],
    ["a secret volume without secret", { volumes: [{ name: "a", secret: {} }] }, ["spec.volumes[0].secret.secretName: Required value"]],
    [
      "a toleration of everything with a value",
      { tolerations: [{ operator: "Equal", value: "x" }] },
      [
        'spec.tolerations[0].operator: Invalid value: "Equal": operator must be Exists when `key` is empty, which means "match all values and all keys"',
      ],
    ],
    [
      "toleration seconds without NoExecute",
      { tolerations: [{ key: "a", operator: "Exists", tolerationSeconds: 5 }] },
      ["spec.tolerations[0].effect: Invalid value: \"\": effect must be 'NoExecute' when `tolerationSeconds` is set"],
    ],
    [
      "a negative user",
      { securityContext: { runAsUser: -1 } },
      ["spec.securityContext.runAsUser: Invalid value: -1: must be between 0 and 2147483647, inclusive"],
    ],
    [
      "a spread without skew",
      { topologySpreadConstraints: [{ maxSkew: 0, topologyKey: "zone", whenUnsatisfiable: "DoNotSchedule" }] },
      ["spec.topologySpreadConstraints[0].maxSkew: Invalid value: 0: must be greater than zero"],
    ],
  ])("%s", (_, spec, expected) => {
    expect(errors(spec)).toEqual(expected);
  });

  test.each<[string, Body, readonly string[]]>([
    [
      "a port out of range",
      { ports: [{ containerPort: 70_000 }] },
      ["spec.containers[0].ports[0].containerPort: Invalid value: 70000: must be between 1 and 65535, inclusive"],
    ],
    ["no port number", { ports: [{ name: "http" }] }, ["spec.containers[0].ports[0].containerPort: Required value"]],
    [
      "an unknown protocol",
      { ports: [{ containerPort: 80, protocol: "ICMP" }] },
      ['spec.containers[0].ports[0].protocol: Unsupported value: "ICMP": supported values: "SCTP", "TCP", "UDP"'],
    ],
    [
      "two ports of one name",
      {
        ports: [
          { containerPort: 80, name: "http" },
          { containerPort: 81, name: "http" },
        ],
      },
      ['spec.containers[0].ports[1].name: Duplicate value: "http"'],
    ],
    [
      "a long port name",
      { ports: [{ containerPort: 80, name: "a-very-long-port-name" }] },
      ['spec.containers[0].ports[0].name: Invalid value: "a-very-long-port-name": must be no more than 15 characters'],
    ],
    [
      "a mount of no volume",
      { volumeMounts: [{ name: "x", mountPath: "/x" }] },
      ['spec.containers[0].volumeMounts[0].name: Not found: "x"'],
    ],
    [
      "more requested than allowed",
      { resources: { requests: { cpu: "2" }, limits: { cpu: "1" } } },
      ['spec.containers[0].resources.requests: Invalid value: "2": must be less than or equal to cpu limit of 1'],
    ],
    [
      "an unknown resource",
      { resources: { limits: { gold: "1" } } },
      [
        'spec.containers[0].resources.limits[gold]: Invalid value: "gold": must be a standard resource for containers',
        'spec.containers[0].resources.requests[gold]: Invalid value: "gold": must be a standard resource for containers',
      ],
    ],
    [
      "a negative amount",
      { resources: { requests: { cpu: "-1" } } },
      ['spec.containers[0].resources.requests[cpu]: Invalid value: "-1": must be greater than or equal to 0'],
    ],
    ["a probe that does nothing", { livenessProbe: {} }, ["spec.containers[0].livenessProbe: Required value: must specify a handler type"]],
    [
      "a liveness probe that must succeed twice",
      { livenessProbe: { exec: { command: ["true"] }, successThreshold: 2 } },
      ["spec.containers[0].livenessProbe.successThreshold: Invalid value: 2: must be 1"],
    ],
    ["a nameless variable", { env: [{ value: "x" }] }, ["spec.containers[0].env[0].name: Required value"]],
    [
      "a variable from an unknown field",
      { env: [{ name: "A", valueFrom: { fieldRef: { fieldPath: "spec.magic" } } }] },
      [
        'spec.containers[0].env[0].valueFrom.fieldRef.fieldPath: Invalid value: "spec.magic": error converting fieldPath: field label not supported: spec.magic',
      ],
    ],
    [
      "a variable from a field that variables do not have",
      { env: [{ name: "A", valueFrom: { fieldRef: { fieldPath: "metadata.labels" } } }] },
      [
        'spec.containers[0].env[0].valueFrom.fieldRef.fieldPath: Unsupported value: "metadata.labels": supported values: "metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName", "status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs"',
      ],
    ],
    [
      "a variable from a file outside its volume",
      { env: [{ name: "A", valueFrom: { fileKeyRef: { key: "A", volumeName: "v", path: "../x" } } }] },
      ["spec.containers[0].env[0].valueFrom.fileKeyRef.path: Invalid value: \"../x\": must not contain '..'"],
    ],
    [
      "a hook that outlives the pod",
      { lifecycle: { preStop: { sleep: { seconds: 31 } } } },
      [
        "spec.containers[0].lifecycle.preStop.sleep: Invalid value: 31: must be non-negative and less than terminationGracePeriodSeconds (30)",
      ],
    ],
    [
      "an unknown pull policy",
      { imagePullPolicy: "Maybe" },
      ['spec.containers[0].imagePullPolicy: Unsupported value: "Maybe": supported values: "Always", "IfNotPresent", "Never"'],
    ],
  ])("a container with %s", (_, rest, expected) => {
    expect(containerErrors(rest)).toEqual(expected);
  });
});

describe("PodKind updates", () => {
  const change = (spec: Body, before: Body = {}) => updateErrors(PodKind, pod(before), pod(spec));

  test("an image may change", () => {
    expect(change({ containers: [{ ...container, image: "nginx:2", imagePullPolicy: "Always" }] })).toEqual([]);
  });

  test("tolerations may be added", () => {
    expect(change({ tolerations: [{ key: "a", operator: "Exists" }] })).toEqual([]);
  });

  test("gates may be removed but not added", () => {
    const gates = [{ name: "example.com/wait" }];
    expect(change({}, { schedulingGates: gates })).toEqual([]);
    expect(change({ schedulingGates: gates })).toEqual([
      "spec.schedulingGates: Forbidden: only deletion is allowed, but found new scheduling gate 'example.com/wait'",
    ]);
  });

  test("nothing else may", () => {
    const [error = "", ...others] = change({ nodeName: "n1" });
    expect(others).toEqual([]);
    expect(error.split("\n")).toEqual([
      "spec: Forbidden: pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)",
      "  core.PodSpec{",
      '+ \tNodeName: "n1",',
      "  }",
      "",
    ]);
  });

  test("containers stay as many", () => {
    expect(change({ containers: [container, { ...container, name: "b" }] })).toEqual([
      "spec.containers: Forbidden: pod updates may not add or remove containers",
    ]);
  });

  test("a deadline only shrinks", () => {
    expect(change({ activeDeadlineSeconds: 5 })).toEqual([]);
    expect(change({ activeDeadlineSeconds: 4 }, { activeDeadlineSeconds: 5 })).toEqual([]);
    expect(change({ activeDeadlineSeconds: 6 }, { activeDeadlineSeconds: 5 })).toEqual([
      "spec.activeDeadlineSeconds: Invalid value: 6: must be less than or equal to previous value",
    ]);
  });
});

describe("PodKind subresources", () => {
  const ephemeral = { name: "debug", image: "busybox", imagePullPolicy: "Always", terminationMessagePolicy: "File" };
  const change = (before: readonly Body[], after: readonly Body[]) =>
    validateEphemeralContainersUpdate(
      decodedAs(PodKind, pod({ ephemeralContainers: after })),
      decodedAs(PodKind, pod({ ephemeralContainers: before })),
    ).map(formatFieldError);

  test("ephemeral containers are added and stay", () => {
    expect(change([], [ephemeral])).toEqual([]);
    expect(change([ephemeral], [])).toEqual([
      'spec.ephemeralContainers: Forbidden: existing ephemeral containers "debug" may not be removed\n',
    ]);
    expect(change([ephemeral], [{ ...ephemeral, image: "x" }])).toEqual([
      'spec.ephemeralContainers: Forbidden: existing ephemeral containers "debug" may not be changed\n',
    ]);
    expect(change([], [{ ...ephemeral, ports: [{ containerPort: 80 }] }])).toEqual([
      "spec.ephemeralContainers[0].ports: Forbidden: cannot be set for an Ephemeral Container",
    ]);
    expect(change([], [{ ...ephemeral, name: "web" }])).toEqual(['spec.ephemeralContainers[0].name: Duplicate value: "web"']);
  });

  test("a resize keeps class, requests and limits", () => {
    const sized = (resources: Body) => decodedAs(PodKind, withContainer({ resources }));
    const resize = (before: Body, after: Body) => validateResize(sized(after), sized(before)).map(formatFieldError);
    expect(resize({ requests: { cpu: "1" } }, { requests: { cpu: "2" } })).toEqual([]);
    expect(resize({ requests: { cpu: "1" } }, {})).toEqual([
      'spec: Invalid value: "BestEffort": Pod QOS Class may not change as a result of resizing',
      "spec.containers[0].resources.requests: Forbidden: resource requests cannot be removed",
    ]);
  });
});

describe("PodKind grace", () => {
  const grace = (object: Partial<Pod["spec"]>, phase: "Running" | "Failed", asked?: number) => {
    const decoded = decodedAs(PodKind, pod(object as Body));
    return PodKind.strategy.gracePeriod?.({ ...decoded, status: { phase } }, asked);
  };
  test("is what was asked, else what the pod says; none off nodes and after the end", () => {
    expect(grace({ nodeName: "n" }, "Running")).toBe(30);
    expect(grace({ nodeName: "n" }, "Running", 5)).toBe(5);
    expect(grace({}, "Running", 5)).toBe(0);
    expect(grace({ nodeName: "n" }, "Failed")).toBe(0);
  });
});

test("PodKind fields are those that upstream selects by", () => {
  const { fields } = PodKind.strategy;
  const object = decodedAs(PodKind, pod({ nodeName: "n1", serviceAccountName: "sa" }));
  expect(fields?.({ ...object, status: { phase: "Running", podIPs: [{ ip: "10.0.0.1" }] } })).toEqual({
    "spec.nodeName": "n1",
    "spec.restartPolicy": "Always",
    "spec.schedulerName": "default-scheduler",
    "spec.serviceAccountName": "sa",
    "spec.hostNetwork": "false",
    "status.phase": "Running",
    "status.podIP": "10.0.0.1",
    "status.nominatedNodeName": "",
  });
});
