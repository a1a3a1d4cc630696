import { describe, expect, test } from "vitest";
import { type Body, createdAs, createErrors, decodedAs, updateErrors } from "../kind-testing.ts";
import { keepAllocations } from "./service-rules.ts";
import { ServiceKind } from "./service.ts";

function service(spec: Body = {}): Body {
  return { metadata: { name: "web", namespace: "default" }, spec: { ports: [{ port: 80 }], ...spec } };
}
const errors = (spec: Body) => createErrors(ServiceKind, service(spec));

describe("ServiceKind defaults", () => {
  test("make a cluster service whose target port is its port", () => {
    const { spec, status } = createdAs(ServiceKind, service());
    expect(spec).toEqual({
      ports: [{ port: 80, protocol: "TCP", targetPort: 80 }],
      type: "ClusterIP",
      sessionAffinity: "None",
      internalTrafficPolicy: "Cluster",
    });
    expect(status).toEqual({ loadBalancer: {} });
  });

  test("give node ports and balancers their traffic policy", () => {
    expect(decodedAs(ServiceKind, service({ type: "NodePort" })).spec.externalTrafficPolicy).toBe("Cluster");
    const { spec } = decodedAs(ServiceKind, service({ type: "LoadBalancer" }));
    expect([spec.externalTrafficPolicy, spec.allocateLoadBalancerNodePorts]).toEqual(["Cluster", true]);
  });

  test("remember clients for three hours where affinity is asked for", () => {
    const { spec } = decodedAs(ServiceKind, service({ sessionAffinity: "ClientIP" }));
    expect(spec.sessionAffinityConfig).toEqual({ clientIP: { timeoutSeconds: 10_800 } });
  });

  test("one address is in both fields", () => {
    expect(createdAs(ServiceKind, service({ clusterIP: "None" })).spec.clusterIPs).toEqual(["None"]);
  });
});

describe("ServiceKind validation", () => {
  test.each<[string, Body, readonly string[]]>([
    ["a plain service", {}, []],
    ["a headless one without ports", { clusterIP: "None", ports: [] }, []],
    ["no ports", { ports: [] }, ["spec.ports: Required value"]],
    [
      "two ports without names",
      { ports: [{ port: 80 }, { port: 81 }] },
      ["spec.ports[0].name: Required value", "spec.ports[1].name: Required value"],
    ],
    [
      "two ports of one name",
      {
        ports: [
          { port: 80, name: "a" },
          { port: 81, name: "a" },
        ],
      },
      ['spec.ports[1].name: Duplicate value: "a"'],
    ],
    [
      "one port twice",
      {
        ports: [
          { port: 80, name: "a" },
          { port: 80, name: "b" },
        ],
      },
      ['spec.ports[1]: Duplicate value: {"Name":"","Protocol":"TCP","AppProtocol":null,"Port":80,"TargetPort":0,"NodePort":0}'],
    ],
    [
      "port zero",
      { ports: [{ port: 0 }] },
      [
        "spec.ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive",
        "spec.ports[0].targetPort: Invalid value: 0: must be between 1 and 65535, inclusive",
      ],
    ],
    [
      "an unknown protocol",
      { ports: [{ port: 80, protocol: "HTTP" }] },
      ['spec.ports[0].protocol: Unsupported value: "HTTP": supported values: "SCTP", "TCP", "UDP"'],
    ],
    [
      "an unknown type",
      { type: "Magic" },
      ['spec.type: Unsupported value: "Magic": supported values: "ClusterIP", "ExternalName", "LoadBalancer", "NodePort"'],
    ],
    [
      "a node port on a cluster service",
      { ports: [{ port: 80, nodePort: 30_000 }] },
      ["spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'"],
    ],
    ["an external name without one", { type: "ExternalName", ports: [] }, ["spec.externalName: Required value"]],
    ["an external name", { type: "ExternalName", externalName: "example.com.", ports: [] }, []],
    [
      "an external name with an address",
      { type: "ExternalName", externalName: "example.com", clusterIP: "10.0.0.1" },
      ["spec.clusterIPs: Forbidden: may not be set when type is 'ExternalName'"],
    ],
    [
      "a bad address",
      { clusterIP: "10.0.0" },
      ['spec.clusterIPs[0]: Invalid value: "10.0.0": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)'],
    ],
    [
      "a headless node port",
      { type: "NodePort", clusterIP: "None" },
      ["spec.clusterIPs[0]: Invalid value: \"None\": may not be set to 'None' for NodePort services"],
    ],
    [
      "an outside policy inside",
      { externalTrafficPolicy: "Local" },
      ['spec.externalTrafficPolicy: Invalid value: "Local": may only be set for externally-accessible services'],
    ],
    [
      "affinity of another kind",
      { sessionAffinity: "Cookie" },
      ['spec.sessionAffinity: Unsupported value: "Cookie": supported values: "ClientIP", "None"'],
    ],
    [
      "affinity for too long",
      { sessionAffinity: "ClientIP", sessionAffinityConfig: { clientIP: { timeoutSeconds: 90_000 } } },
      ["spec.sessionAffinityConfig.clientIP.timeoutSeconds: Invalid value: 90000: must be greater than 0 and less than 86400"],
    ],
  ])("%s", (_, spec, expected) => {
    expect(errors(spec)).toEqual(expected);
  });

  test("names are labels, and may start with a digit", () => {
    const named = (name: string) => createErrors(ServiceKind, { ...service(), metadata: { name, namespace: "default" } });
    expect(named("1web")).toEqual([]);
    expect(named("a.b")).toEqual(['metadata.name: Invalid value: "a.b": must not contain dots']);
  });
});

describe("ServiceKind updates", () => {
  const placed = { clusterIP: "10.0.0.1", clusterIPs: ["10.0.0.1"] };

  test("an address that is left out stays", () => {
    const previous = createdAs(ServiceKind, service(placed));
    expect(keepAllocations(decodedAs(ServiceKind, service()), previous).spec).toMatchObject(placed);
    expect(updateErrors(ServiceKind, service(placed), service())).toEqual([]);
  });

  test("an address does not change", () => {
    expect(updateErrors(ServiceKind, service(placed), service({ clusterIP: "10.0.0.2", clusterIPs: ["10.0.0.1"] }))).toEqual([
      'spec.clusterIPs[0]: Invalid value: ["10.0.0.2"]: may not change once set',
    ]);
  });

  test("a node port that is left out stays with its port", () => {
    const before = createdAs(ServiceKind, service({ type: "NodePort", ports: [{ port: 80, nodePort: 30_080 }] }));
    const after = decodedAs(
      ServiceKind,
      service({
        type: "NodePort",
        ports: [
          { port: 81, name: "new" },
          { port: 80, name: "old" },
        ],
      }),
    );
    expect(keepAllocations(after, before).spec.ports?.map(({ nodePort }) => nodePort)).toEqual([undefined, 30_080]);
  });
});
