import { describe, expect, test } from "vitest";
import type { Endpoints } from "#machinery/api/core-v1.ts";
import type { Stored } from "#machinery/object.ts";
import { meta, pod, service } from "#testing/builders.ts";
import { planEndpoints } from "./plan.ts";

const web = (name: string, ip: string, options: Parameters<typeof pod>[1] = {}) =>
  pod(name, { labels: { app: "web" }, ip, node: "n1", ready: true, ...options });
const http = { container: { ports: [{ name: "http", containerPort: 8080 }] } };
const observe = (svc: ReturnType<typeof service> | undefined, pods: readonly ReturnType<typeof pod>[], endpoints?: Stored<Endpoints>) =>
  planEndpoints({ name: "web", namespace: "default", service: svc, endpoints, pods });

function subsets(svc: ReturnType<typeof service>, pods: readonly ReturnType<typeof pod>[]): unknown {
  const [action] = observe(svc, pods).actions;
  return action?.do === "create" && "subsets" in action.object ? action.object.subsets : undefined;
}

/** `10.0.0.1 (10.0.0.2) :8080/TCP`: ready, (not ready), ports. */
function brief(svc: ReturnType<typeof service>, pods: readonly ReturnType<typeof pod>[]): readonly string[] {
  return ((subsets(svc, pods) ?? []) as NonNullable<Endpoints["subsets"]>).map(({ addresses = [], notReadyAddresses = [], ports = [] }) =>
    [
      ...addresses.map(({ ip }) => ip),
      ...notReadyAddresses.map(({ ip }) => `(${ip})`),
      ...ports.map(({ name = "", port, protocol }) => `${name}:${port}/${protocol}`),
    ].join(" "),
  );
}

describe("planEndpoints()", () => {
  test("lists ready pods with node and pod, in order", () => {
    expect(subsets(service("web"), [web("b", "10.0.0.2"), web("a", "10.0.0.1")])).toEqual([
      {
        addresses: [
          { ip: "10.0.0.1", nodeName: "n1", targetRef: { kind: "Pod", namespace: "default", name: "a", uid: "pod-a" } },
          { ip: "10.0.0.2", nodeName: "n1", targetRef: { kind: "Pod", namespace: "default", name: "b", uid: "pod-b" } },
        ],
        ports: [{ port: 8080, protocol: "TCP" }],
      },
    ]);
  });

  const named = { ports: [{ name: "web", port: 80, targetPort: "http" }] };
  test.each<[string, ReturnType<typeof service>, readonly ReturnType<typeof pod>[], readonly string[]]>([
    [
      "unready pods apart",
      service("web"),
      [web("a", "10.0.0.1"), web("b", "10.0.0.2", { ready: false })],
      ["10.0.0.1 (10.0.0.2) :8080/TCP"],
    ],
    [
      "unready pods as ready where they are published",
      service("web", { publishNotReadyAddresses: true }),
      [web("b", "10.0.0.2", { ready: false })],
      ["10.0.0.2 :8080/TCP"],
    ],
    [
      "no pod that is terminating, finished or without address",
      service("web"),
      [web("a", "10.0.0.1", { deleting: true }), web("b", "10.0.0.2", { phase: "Succeeded" }), web("c", "")],
      [],
    ],
    [
      "a port by name, where the pod has it",
      service("web", named),
      [web("a", "10.0.0.1", http), web("b", "10.0.0.2")],
      ["10.0.0.1 web:8080/TCP"],
    ],
    [
      "pods by their ports, where a name means different numbers",
      service("web", named),
      [web("a", "10.0.0.1", http), web("b", "10.0.0.2", { container: { ports: [{ name: "http", containerPort: 9090 }] } })],
      ["10.0.0.1 web:8080/TCP", "10.0.0.2 web:9090/TCP"],
    ],
    ["a headless Service without ports", service("web", { clusterIP: "None", ports: [] }), [web("a", "10.0.0.1")], ["10.0.0.1"]],
  ])("shows %s", (_name, svc, pods, expected) => {
    expect(brief(svc, pods)).toEqual(expected);
  });

  test("writes nothing when nothing changed, and one update when a pod left", () => {
    const pods = [web("a", "10.0.0.1"), web("b", "10.0.0.2")];
    const [created] = observe(service("web"), pods).actions;
    const stored = {
      ...(created?.do === "create" ? created.object : {}),
      metadata: meta("endpoints", "web", { namespace: "default", labels: { "endpoints.kubernetes.io/managed-by": "endpoint-controller" } }),
    } as Stored<Endpoints>;
    expect(observe(service("web"), pods.toReversed(), stored).actions).toEqual([]);
    expect(observe(service("web"), pods.slice(1), stored).actions).toMatchObject([
      { do: "update", object: { metadata: { resourceVersion: "1" }, subsets: [{ addresses: [{ ip: "10.0.0.2" }] }] } },
    ]);
    expect(observe(undefined, [], stored).actions).toMatchObject([{ do: "delete", object: { name: "web", uid: "endpoints-web" } }]);
  });

  test("leaves the endpoints of a Service without selector alone", () => {
    const { selector: _, ...spec } = service("web").spec;
    expect(observe({ ...service("web"), spec }, [web("a", "10.0.0.1")]).actions).toEqual([]);
  });

  test("keeps at most 1000 addresses and says so", () => {
    const pods = Array.from({ length: 1200 }, (_, i) => web(`p${i}`, `10.0.${i >> 8}.${i & 255}`, { ready: i >= 500 }));
    const [action] = observe(service("web"), pods).actions;
    expect(action).toMatchObject({ object: { metadata: { annotations: { "endpoints.kubernetes.io/over-capacity": "truncated" } } } });
    const [subset] = subsets(service("web"), pods) as NonNullable<Endpoints["subsets"]>;
    expect([subset?.addresses?.length, subset?.notReadyAddresses?.length]).toEqual([700, 300]);
  });
});
