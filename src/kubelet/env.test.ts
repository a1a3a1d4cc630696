import { describe, expect, test } from "vitest";
import type { EnvVar, Pod, Service } from "#machinery/api/core-v1.ts";
import { computeEnv, type EnvSources } from "./env.ts";
import { expand } from "./expand.ts";
import { serviceEnv, servicesFor } from "./service-env.ts";
import { container } from "./testing/node.ts";

const service = (name: string, namespace: string, clusterIP: string, ports: Service["spec"]["ports"] = [{ port: 80 }]): Service => ({
  apiVersion: "v1",
  kind: "Service",
  metadata: { name, namespace },
  spec: { clusterIP, ports },
});
const kubernetes = service("kubernetes", "default", "172.30.0.1", [{ name: "https", port: 443 }]);
const base64 = (text: string) => Buffer.from(text).toString("base64");

const sources: EnvSources = {
  services: [kubernetes, service("kubia", "apps", "172.30.0.41")],
  configMaps: new Map([["conf", { apiVersion: "v1", kind: "ConfigMap", metadata: {}, data: { color: "blue", "odd.key": "1" } }]]),
  secrets: new Map([["secret", { apiVersion: "v1", kind: "Secret", metadata: {}, data: { pass: base64("hush") } }]]),
  facts: {
    podIps: ["10.0.1.2"],
    hostIps: ["192.168.0.11"],
    allocatable: { cpu: 4, memoryBytes: 8 * 2 ** 30, ephemeralStorageBytes: 2 ** 40 },
  },
};
const pod: Pod = {
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name: "web", namespace: "apps", uid: "u1", labels: { app: "web", tier: 'a"b' }, annotations: { note: "x" } },
  spec: { nodeName: "n1", serviceAccountName: "robot", containers: [container("main")] },
};

function envOf(env: readonly EnvVar[], rest: Partial<Parameters<typeof container>[1]> = {}) {
  const main = container("main", { env, ...rest });
  const answer = computeEnv({ ...pod, spec: { ...pod.spec, containers: [main] } }, main, sources);
  return answer.ok ? Object.fromEntries(answer.env.map(({ name, value }) => [name, value])) : answer.message;
}

describe("expand()", () => {
  const cases: readonly (readonly [string, string])[] = [
    ["$(A)", "1"],
    ["x$(A)y$(B)z", "x1y2z"],
    ["$(MISSING)", "$(MISSING)"],
    ["$$(A)", "$(A)"],
    ["$$$(A)", "$1"],
    ["$A ${A}", "$A ${A}"],
    ["$(A", "$(A"],
    ["cost: 5$", "cost: 5$"],
    ["$()", "$()"],
  ];
  test.each(cases)("%s", (text, wanted) => {
    expect(expand(text, (name) => ({ A: "1", B: "2" })[name])).toBe(wanted);
  });
});

describe("serviceEnv()", () => {
  test("tells host, ports and links as upstream does", () => {
    const ports = [
      { name: "http", port: 80, protocol: "TCP" as const },
      { name: "dns-udp", port: 53, protocol: "UDP" as const },
    ];
    expect(serviceEnv([service("my-web", "apps", "172.30.0.5", ports)]).map(({ name, value }) => `${name}=${value}`)).toEqual([
      "MY_WEB_SERVICE_HOST=172.30.0.5",
      "MY_WEB_SERVICE_PORT=80",
      "MY_WEB_SERVICE_PORT_HTTP=80",
      "MY_WEB_SERVICE_PORT_DNS_UDP=53",
      "MY_WEB_PORT=tcp://172.30.0.5:80",
      "MY_WEB_PORT_80_TCP=tcp://172.30.0.5:80",
      "MY_WEB_PORT_80_TCP_PROTO=tcp",
      "MY_WEB_PORT_80_TCP_PORT=80",
      "MY_WEB_PORT_80_TCP_ADDR=172.30.0.5",
      "MY_WEB_PORT_53_UDP=udp://172.30.0.5:53",
      "MY_WEB_PORT_53_UDP_PROTO=udp",
      "MY_WEB_PORT_53_UDP_PORT=53",
      "MY_WEB_PORT_53_UDP_ADDR=172.30.0.5",
    ]);
  });

  test("IPv6 addresses stand in brackets in URLs only", () => {
    const env = serviceEnv([service("six", "apps", "fd00::5")]);
    expect(env.find(({ name }) => name === "SIX_PORT")?.value).toBe("tcp://[fd00::5]:80");
    expect(env.find(({ name }) => name === "SIX_SERVICE_HOST")?.value).toBe("fd00::5");
  });

  const all = [
    kubernetes,
    service("kubia", "apps", "172.30.0.41"),
    service("other", "default", "172.30.0.42"),
    service("headless", "apps", "None"),
  ];
  const names = (namespace: string, links: boolean) => servicesFor(all, namespace, links).map(({ metadata }) => metadata.name);
  test("a pod hears of its namespace's Services and the API server", () => {
    expect(names("apps", true)).toEqual(["kubernetes", "kubia"]);
    expect(names("apps", false)).toEqual(["kubernetes"]);
    expect(names("default", true)).toEqual(["kubernetes", "other"]);
  });
});

describe("computeEnv()", () => {
  test("knows the pod, its node and its limits", () => {
    const field = (name: string, fieldPath: string): EnvVar => ({ name, valueFrom: { fieldRef: { fieldPath } } });
    const limit = (name: string, resource: string, divisor?: string): EnvVar => ({
      name,
      valueFrom: { resourceFieldRef: { resource, ...(divisor === undefined ? {} : { divisor }) } },
    });
    expect(
      envOf(
        [
          field("NAME", "metadata.name"),
          field("NAMESPACE", "metadata.namespace"),
          field("UID", "metadata.uid"),
          field("LABEL", "metadata.labels['app']"),
          field("NODE", "spec.nodeName"),
          field("ACCOUNT", "spec.serviceAccountName"),
          field("IP", "status.podIP"),
          field("HOST", "status.hostIP"),
          limit("CPU", "limits.cpu"),
          limit("MILLI", "limits.cpu", "1m"),
          limit("MEMORY", "limits.memory", "1Mi"),
          limit("REQUEST", "requests.memory"),
        ],
        { resources: { limits: { cpu: "1500m" }, requests: { memory: "1Gi" } } },
      ),
    ).toMatchObject({
      NAME: "web",
      NAMESPACE: "apps",
      UID: "u1",
      LABEL: "web",
      NODE: "n1",
      ACCOUNT: "robot",
      IP: "10.0.1.2",
      HOST: "192.168.0.11",
      CPU: "2",
      MILLI: "1500",
      MEMORY: "8192",
      REQUEST: "1073741824",
    });
  });

  test("later wins: Services, envFrom, env; references see what stands before", () => {
    expect(
      envOf(
        [
          { name: "KUBIA_SERVICE_PORT", value: "8080" },
          { name: "URL", value: "http://$(KUBIA_SERVICE_HOST):$(KUBIA_SERVICE_PORT)/$(X_color)/$(LATER)" },
          { name: "LATER", value: "yes" },
        ],
        { envFrom: [{ prefix: "X_", configMapRef: { name: "conf" } }, { secretRef: { name: "secret" } }] },
      ),
    ).toMatchObject({
      URL: "http://172.30.0.41:8080/blue/$(LATER)",
      "X_odd.key": "1",
      pass: "hush",
      KUBERNETES_SERVICE_HOST: "172.30.0.1",
      KUBERNETES_PORT_443_TCP_PROTO: "tcp",
      KUBIA_SERVICE_PORT: "8080",
    });
  });

  const key = (kind: "configMapKeyRef" | "secretKeyRef", name: string, key: string, optional = false): EnvVar[] => [
    { name: "A", valueFrom: { [kind]: { name, key, optional } } },
  ];
  const refusals: readonly (readonly [string, EnvVar[], string])[] = [
    ["no such ConfigMap", key("configMapKeyRef", "none", "k"), 'configmap "none" not found'],
    ["no such key", key("configMapKeyRef", "conf", "k"), "couldn't find key k in ConfigMap apps/conf"],
    ["no such Secret", key("secretKeyRef", "none", "k"), 'secret "none" not found'],
    ["no such key in it", key("secretKeyRef", "secret", "k"), "couldn't find key k in Secret apps/secret"],
  ];
  test.each(refusals)("refuses: %s", (_, env, message) => {
    expect(envOf(env)).toBe(message);
  });

  test("optional references may lead nowhere", () => {
    expect(envOf([...key("configMapKeyRef", "none", "k", true), ...key("secretKeyRef", "secret", "k", true)])).not.toHaveProperty("A");
    expect(envOf([], { envFrom: [{ configMapRef: { name: "none", optional: true } }] })).not.toHaveProperty("A");
    expect(envOf([], { envFrom: [{ secretRef: { name: "none" } }] })).toBe('secret "none" not found');
  });
});
