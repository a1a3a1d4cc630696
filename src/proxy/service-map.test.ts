import { describe, expect, test } from "vitest";
import type { Service } from "#machinery/api/core-v1.ts";
import type { EndpointSlice } from "#machinery/api/discovery-v1.ts";
import { servicePorts } from "./service-map.ts";

const self = { nodeName: "n1", family: "IPv4" } as const;

function service(spec: Partial<Service["spec"]>, extra: Partial<Service> = {}): Service {
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: "web", namespace: "default" },
    spec: {
      clusterIP: "172.30.0.41",
      clusterIPs: ["172.30.0.41"],
      type: "ClusterIP",
      ports: [{ port: 80, targetPort: 8080, protocol: "TCP" }],
      ...spec,
    },
    ...extra,
  };
}

interface Endpoint {
  readonly ip: string;
  readonly node?: string;
  readonly ready?: boolean;
  readonly serving?: boolean;
  readonly terminating?: boolean;
}

function slice(endpoints: readonly Endpoint[], port: { name?: string; port: number } = { port: 8080 }): EndpointSlice {
  return {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: { name: "web-x", namespace: "default", labels: { "kubernetes.io/service-name": "web" } },
    addressType: "IPv4",
    ports: [{ name: port.name ?? "", port: port.port, protocol: "TCP" }],
    endpoints: endpoints.map(({ ip, node = "n2", ready = true, serving = ready, terminating = false }) => ({
      addresses: [ip],
      nodeName: node,
      conditions: { ready, serving, terminating },
    })),
  };
}

describe("servicePorts()", () => {
  test.each([
    { name: "headless", spec: { clusterIP: "None", clusterIPs: ["None"] } },
    { name: "ExternalName", spec: { type: "ExternalName", externalName: "x.example" } as const },
  ])("serves nothing for a $name Service", ({ spec }) => {
    expect(servicePorts(service(spec), [slice([{ ip: "10.0.1.2" }])], self)).toEqual([]);
  });

  test("leaves Services of another proxy alone", () => {
    const other = service(
      {},
      { metadata: { name: "web", namespace: "default", labels: { "service.kubernetes.io/service-proxy-name": "x" } } },
    );
    expect(servicePorts(other, [], self)).toEqual([]);
  });

  test("uses ready endpoints only, and serving terminating ones when no ready one is left", () => {
    const leaving = { ip: "10.0.1.3", ready: false, serving: true, terminating: true };
    const both = servicePorts(service({}), [slice([{ ip: "10.0.1.2" }, leaving])], self);
    expect(both[0]?.internal).toEqual([{ ip: "10.0.1.2", port: 8080, local: false }]);
    const last = servicePorts(service({}), [slice([leaving, { ip: "10.0.1.4", ready: false }])], self);
    expect(last[0]?.internal).toEqual([{ ip: "10.0.1.3", port: 8080, local: false }]);
  });

  test("keeps local endpoints for Local policies and all for the others", () => {
    const [port] = servicePorts(
      service({ type: "NodePort", externalTrafficPolicy: "Local", ports: [{ port: 80, nodePort: 30080, protocol: "TCP" }] }),
      [
        slice([
          { ip: "10.0.1.2", node: "n1" },
          { ip: "10.0.2.2", node: "n2" },
        ]),
      ],
      self,
    );
    expect(port?.external).toEqual([{ ip: "10.0.1.2", port: 8080, local: true }]);
    expect(port?.internal.map((b) => b.ip)).toEqual(["10.0.1.2", "10.0.2.2"]);
  });

  test("matches ports by name, with the port that each slice resolved", () => {
    const named = service({ ports: [{ name: "http", port: 80, protocol: "TCP" }] });
    const [port] = servicePorts(
      named,
      [
        slice([{ ip: "10.0.1.2" }], { name: "http", port: 8080 }),
        slice([{ ip: "10.0.2.2" }], { name: "http", port: 9090 }),
        slice([{ ip: "10.0.3.2" }], { name: "x", port: 1 }),
      ],
      self,
    );
    expect(port?.id).toBe("default/web:http");
    expect(port?.cluster).toEqual([
      { ip: "10.0.1.2", port: 8080, local: false },
      { ip: "10.0.2.2", port: 9090, local: false },
    ]);
  });

  test("takes an endpoint once when two slices show it", () => {
    const [port] = servicePorts(service({}), [slice([{ ip: "10.0.1.2", ready: false }]), slice([{ ip: "10.0.1.2" }])], self);
    expect(port?.cluster).toEqual([{ ip: "10.0.1.2", port: 8080, local: false }]);
  });
});
