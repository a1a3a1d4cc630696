import { describe, expect, test } from "vitest";
import { type Body, createdAs, createErrors, decodedAs, updateErrors } from "../kind-testing.ts";
import { DaemonSetKind } from "./daemon-set.ts";
import { DeploymentKind } from "./deployment.ts";
import { ReplicaSetKind } from "./replica-set.ts";
import { StatefulSetKind } from "./stateful-set.ts";

const selector = { matchLabels: { app: "web" } };
const podSpec = { containers: [{ name: "c", image: "i:1" }] };
const template = { metadata: { labels: { app: "web" } }, spec: podSpec };

function workload(spec: Body = {}): Body {
  return { metadata: { name: "web", namespace: "default" }, spec: { selector, template, ...spec } };
}
function without(key: string): Body {
  const { [key]: _, ...spec } = { selector, template } as Record<string, unknown>;
  return { metadata: { name: "web", namespace: "default" }, spec };
}

describe("DeploymentKind", () => {
  test("defaults to one pod and a rolling update of a quarter", () => {
    const { spec, status } = createdAs(DeploymentKind, workload());
    const { template: _, ...rest } = spec;
    expect(rest).toEqual({
      selector,
      replicas: 1,
      strategy: { type: "RollingUpdate", rollingUpdate: { maxUnavailable: "25%", maxSurge: "25%" } },
      revisionHistoryLimit: 10,
      progressDeadlineSeconds: 600,
    });
    expect(status).toEqual({});
  });

  test("leaves requests and service links of its template open", () => {
    const limited = { ...template, spec: { containers: [{ name: "c", image: "i", resources: { limits: { cpu: "1" } } }] } };
    const { spec } = decodedAs(DeploymentKind, workload({ template: limited }));
    expect(spec.template.spec).not.toHaveProperty("enableServiceLinks");
    expect(spec.template.spec?.containers[0]?.resources).toEqual({ limits: { cpu: "1" } });
  });

  test.each<[string, Body, readonly string[]]>([
    ["plain", workload(), []],
    [
      "no selector",
      without("selector"),
      [
        "spec.selector: Required value",
        'spec.template.metadata.labels: Invalid value: {"app":"web"}: `selector` does not match template `labels`',
      ],
    ],
    ["an empty selector", workload({ selector: {} }), ["spec.selector: Invalid value: {}: empty selector is invalid for deployment"]],
    [
      "another selector",
      workload({ selector: { matchLabels: { app: "db" } } }),
      ['spec.template.metadata.labels: Invalid value: {"app":"web"}: `selector` does not match template `labels`'],
    ],
    [
      "no template",
      without("template"),
      [
        "spec.template.metadata.labels: Invalid value: null: `selector` does not match template `labels`",
        "spec.template.spec.containers: Required value",
      ],
    ],
    [
      "an operator that is none",
      workload({ selector: { matchExpressions: [{ key: "app", operator: "Near" }] } }),
      [
        'spec.selector.matchExpressions[0].operator: Invalid value: "Near": not a valid selector operator',
        'spec.selector: Invalid value: {"matchExpressions":[{"key":"app","operator":"Near"}]}: invalid label selector',
      ],
    ],
    [
      "recreation with rolling options",
      workload({ strategy: { type: "Recreate", rollingUpdate: { maxSurge: 1 } } }),
      ["spec.strategy.rollingUpdate: Forbidden: may not be specified when strategy `type` is 'Recreate'"],
    ],
    [
      "an unknown strategy",
      workload({ strategy: { type: "Canary" } }),
      ['spec.strategy.type: Unsupported value: "Canary": supported values: "Recreate", "RollingUpdate"'],
    ],
    [
      "no way to roll",
      workload({ strategy: { rollingUpdate: { maxSurge: 0, maxUnavailable: "0%" } } }),
      ['spec.strategy.rollingUpdate.maxUnavailable: Invalid value: "0%": may not be 0 when `maxSurge` is 0'],
    ],
    [
      "more than all pods missing",
      workload({ strategy: { rollingUpdate: { maxUnavailable: "120%" } } }),
      ['spec.strategy.rollingUpdate.maxUnavailable: Invalid value: "120%": must not be greater than 100%'],
    ],
    [
      "a deadline before readiness",
      workload({ minReadySeconds: 600 }),
      ["spec.progressDeadlineSeconds: Invalid value: 600: must be greater than minReadySeconds"],
    ],
    [
      "pods with a deadline",
      workload({ template: { ...template, spec: { ...podSpec, activeDeadlineSeconds: 5 } } }),
      ["spec.template.spec.activeDeadlineSeconds: Forbidden: activeDeadlineSeconds in ReplicaSet is not Supported"],
    ],
  ])("%s", (_, body, expected) => {
    expect(createErrors(DeploymentKind, body)).toEqual(expected);
  });

  test("the selector stays", () => {
    const other = { matchLabels: { app: "web", tier: "a" } };
    const after = workload({ selector: other, template: { ...template, metadata: { labels: { app: "web", tier: "a" } } } });
    expect(updateErrors(DeploymentKind, workload(), after)).toEqual([
      'spec.selector: Invalid value: {"matchLabels":{"app":"web","tier":"a"}}: field is immutable',
    ]);
  });

  test("warns of variables that hide others", () => {
    const env = [
      { name: "A", value: "1" },
      { name: "A", value: "2" },
    ];
    const object = decodedAs(
      DeploymentKind,
      workload({ template: { ...template, spec: { containers: [{ name: "c", image: "i", env }] } } }),
    );
    expect(DeploymentKind.strategy.warnings?.(object, undefined)).toEqual([
      'spec.template.spec.containers[0].env[1]: hides previous definition of "A", which may be dropped when using apply',
    ]);
  });
});

describe("ReplicaSetKind", () => {
  test("needs a selector", () => {
    expect(createErrors(ReplicaSetKind, without("selector"))).toEqual([
      "spec.selector: Required value",
      'spec.template.metadata.labels: Invalid value: {"app":"web"}: `selector` does not match template `labels`',
    ]);
    expect(createdAs(ReplicaSetKind, workload()).status).toEqual({ replicas: 0 });
  });
});

describe("DaemonSetKind", () => {
  test("replaces one pod at a time", () => {
    expect(createdAs(DaemonSetKind, workload()).spec.updateStrategy).toEqual({
      type: "RollingUpdate",
      rollingUpdate: { maxUnavailable: 1, maxSurge: 0 },
    });
  });

  test.each<[string, Body, readonly string[]]>([
    ["plain", workload(), []],
    [
      "surge and absence",
      workload({ updateStrategy: { rollingUpdate: { maxSurge: 1 } } }),
      ["spec.updateStrategy.rollingUpdate.maxSurge: Invalid value: 1: may not be set when maxUnavailable is non-zero"],
    ],
    [
      "an unknown strategy",
      workload({ updateStrategy: { type: "Never" } }),
      ['spec.updateStrategy.type: Unsupported value: "Never": supported values: "OnDelete", "RollingUpdate"'],
    ],
  ])("%s", (_, body, expected) => {
    expect(createErrors(DaemonSetKind, body)).toEqual(expected);
  });
});

describe("StatefulSetKind", () => {
  const claims = [{ metadata: { name: "data" }, spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } } } }];

  test("pods may mount what its claim templates make", () => {
    const mounting = {
      ...template,
      spec: { containers: [{ name: "c", image: "i:1", volumeMounts: [{ name: "data", mountPath: "/data" }] }] },
    };
    expect(createErrors(StatefulSetKind, workload({ template: mounting, volumeClaimTemplates: claims }))).toEqual([]);
  });

  test.each<[string, Body, readonly string[]]>([
    [
      "a policy that is none",
      workload({ podManagementPolicy: "Any" }),
      ["spec.podManagementPolicy: Invalid value: \"Any\": must be 'OrderedReady' or 'Parallel'"],
    ],
    [
      "rolling options without rolling",
      workload({ updateStrategy: { type: "OnDelete", rollingUpdate: { partition: 1 } } }),
      ["spec.updateStrategy.rollingUpdate: Invalid value: {\"partition\":1}: only allowed for updateStrategy 'RollingUpdate'"],
    ],
    [
      "a name with dots, which its pods could not have as host name",
      { ...workload(), metadata: { name: "a.b", namespace: "default" } },
      ['metadata.name: Invalid value: "a.b": must not contain dots'],
    ],
  ])("%s", (_, body, expected) => {
    expect(createErrors(StatefulSetKind, body)).toEqual(expected);
  });

  test("only some fields change", () => {
    expect(updateErrors(StatefulSetKind, workload(), workload({ replicas: 3 }))).toEqual([]);
    expect(updateErrors(StatefulSetKind, workload(), workload({ serviceName: "other" }))).toEqual([
      "spec: Forbidden: updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden",
    ]);
  });
});
