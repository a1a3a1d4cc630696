import { expect, test } from "vitest";
import type { Pod } from "#machinery/api/core-v1.ts";
import { computeDnsConfig } from "./dns-config.ts";
import { renderHostNetworkHostsFile, renderHostsFile, sandboxHostname } from "./hosts-file.ts";
import { container } from "./testing/node.ts";

const pod = (spec: Partial<Pod["spec"]>): Pod => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name: "web-1", namespace: "apps" },
  spec: { containers: [container("main")], dnsPolicy: "ClusterFirst", ...spec },
});
const HOST = "# comment\nnameserver 203.0.113.1\nsearch corp.example. lan\noptions edns0 ndots:1\n";
const cluster = {
  servers: ["10.43.0.10"],
  searches: ["apps.svc.cluster.local", "svc.cluster.local", "cluster.local", "corp.example", "lan"],
  options: ["ndots:5"],
};
const host = { servers: ["203.0.113.1"], searches: ["corp.example", "lan"], options: ["edns0", "ndots:1"] };

const cases: readonly { name: string; spec: Partial<Pod["spec"]>; config: object }[] = [
  { name: "ClusterFirst", spec: {}, config: cluster },
  { name: "ClusterFirst on the host's network is Default", spec: { hostNetwork: true }, config: host },
  { name: "ClusterFirstWithHostNet", spec: { hostNetwork: true, dnsPolicy: "ClusterFirstWithHostNet" }, config: cluster },
  { name: "Default", spec: { dnsPolicy: "Default" }, config: host },
  {
    name: "None with a configuration",
    spec: {
      dnsPolicy: "None",
      dnsConfig: { nameservers: ["203.0.113.9"], searches: ["s"], options: [{ name: "ndots", value: "2" }, { name: "edns0" }] },
    },
    config: { servers: ["203.0.113.9"], searches: ["s"], options: ["ndots:2", "edns0"] },
  },
  {
    name: "a configuration adds and overrides",
    spec: { dnsConfig: { nameservers: ["203.0.113.9", "10.43.0.10"], options: [{ name: "ndots", value: "2" }] } },
    config: { ...cluster, servers: ["10.43.0.10", "203.0.113.9"], options: ["ndots:2"] },
  },
  {
    name: "no more than three servers",
    spec: { dnsPolicy: "None", dnsConfig: { nameservers: ["1.1.1.1", "1.1.1.2", "1.1.1.3", "1.1.1.4"] } },
    config: { servers: ["1.1.1.1", "1.1.1.2", "1.1.1.3"], searches: [], options: [] },
  },
];

test.each(cases)("computeDnsConfig(): $name", ({ spec, config }) => {
  expect(computeDnsConfig(pod(spec), { clusterDns: "10.43.0.10", clusterDomain: "cluster.local", hostResolvConf: HOST })).toEqual(config);
});

test("renderHostsFile() names the pod and its aliases", () => {
  const spec = { hostname: "box", subdomain: "sub", hostAliases: [{ ip: "203.0.113.7", hostnames: ["a.example", "b.example"] }] };
  expect(renderHostsFile(pod(spec), ["10.0.1.2"], "cluster.local")).toBe(
    [
      "# Kubernetes-managed hosts file.",
      "127.0.0.1\tlocalhost",
      "::1\tlocalhost ip6-localhost ip6-loopback",
      "fe00::\tip6-localnet",
      "fe00::\tip6-mcastprefix",
      "fe00::1\tip6-allnodes",
      "fe00::2\tip6-allrouters",
      "10.0.1.2\tbox.sub.apps.svc.cluster.local\tbox",
      "",
      "# Entries added by HostAliases.",
      "203.0.113.7\ta.example\tb.example",
      "",
    ].join("\n"),
  );
  expect(renderHostsFile(pod({}), ["10.0.1.2"], "cluster.local")).toMatch(/\n10\.0\.1\.2\tweb-1\n$/);
});

test("renderHostNetworkHostsFile() keeps the node's entries", () => {
  expect(renderHostNetworkHostsFile(pod({}), "127.0.0.1 localhost\n")).toBe(
    "# Kubernetes-managed hosts file (host network).\n127.0.0.1 localhost\n",
  );
});

const hostnames: readonly (readonly [string, Partial<Pod["spec"]>, string])[] = [
  ["the pod's name", {}, "web-1"],
  ["spec.hostname", { hostname: "box", subdomain: "sub" }, "box"],
  ["fully qualified on request", { hostname: "box", subdomain: "sub", setHostnameAsFQDN: true }, "box.sub.apps.svc.cluster.local"],
];
test.each(hostnames)("sandboxHostname(): %s", (_, spec, wanted) => {
  expect(sandboxHostname(pod(spec), "cluster.local")).toBe(wanted);
});

test("sandboxHostname() cuts long names to what the kernel takes", () => {
  const long = { ...pod({}), metadata: { name: `${"a".repeat(62)}-${"b".repeat(20)}`, namespace: "apps" } };
  expect(sandboxHostname(long, "cluster.local")).toBe("a".repeat(62));
});
