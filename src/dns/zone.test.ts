import { decode, encode } from "dns-packet";
import { describe, expect, test } from "vitest";
import type { Service } from "#machinery/api/core-v1.ts";
import type { EndpointSlice } from "#machinery/api/discovery-v1.ts";
import { handleQuery } from "./handler.ts";
import { answer, type ZoneView } from "./zone.ts";

const service = (name: string, spec: Service["spec"]): Service => ({
  apiVersion: "v1",
  kind: "Service",
  metadata: { name, namespace: "default" },
  spec,
});
const slices: EndpointSlice[] = [
  {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: { name: "db-1", namespace: "default", labels: { "kubernetes.io/service-name": "db" } },
    addressType: "IPv4",
    ports: [{ name: "sql", port: 3306, protocol: "TCP" }],
    endpoints: [
      { addresses: ["10.0.1.2"], hostname: "db-0", conditions: { ready: true } },
      { addresses: ["10.0.2.3"], conditions: { ready: true } },
      { addresses: ["10.0.2.4"], hostname: "db-9", conditions: { ready: false } },
    ],
  },
];
const services = [
  service("web", { clusterIP: "172.30.0.41", clusterIPs: ["172.30.0.41"], ports: [{ name: "http", port: 80, protocol: "TCP" }] }),
  service("db", { clusterIP: "None", clusterIPs: ["None"], ports: [{ name: "sql", port: 3306, protocol: "TCP" }] }),
  service("idle", { clusterIP: "None", clusterIPs: ["None"] }),
  service("out", { type: "ExternalName", externalName: "www.example.org" }),
];
const zone: ZoneView = {
  domain: "cluster.local",
  namespaceExists: (name) => name === "default",
  service: (namespace, name) => services.find((s) => s.metadata.namespace === namespace && s.metadata.name === name),
  slices: (_, name) => (name === "db" ? slices : []),
  serviceByClusterIP: (ip) => services.find((s) => s.spec.clusterIPs?.includes(ip)),
  slicesByAddress: (ip) => slices.filter((s) => s.endpoints?.some((e) => e.addresses.includes(ip))),
};

const at = (name: string) => `${name}.svc.cluster.local`;
const records = (name: string, type: string) => {
  const found = answer(zone, name, type);
  return found.found === "records" ? found.records : found.found;
};

describe("answer()", () => {
  test.each([
    { name: "a cluster IP", ask: [at("web.default"), "A"], want: [{ type: "A", name: at("web.default"), address: "172.30.0.41" }] },
    { name: "no IPv6 address of an IPv4 Service", ask: [at("web.default"), "AAAA"], want: "nodata" },
    { name: "an unknown Service", ask: [at("nope.default"), "A"], want: "nxdomain" },
    { name: "an unknown namespace", ask: [at("web.nowhere"), "A"], want: "nxdomain" },
    { name: "a namespace, which exists without addresses", ask: [at("default"), "A"], want: "nodata" },
    {
      name: "every ready endpoint of a headless Service",
      ask: [at("db.default"), "A"],
      want: ["10.0.1.2", "10.0.2.3"].map((address) => ({ type: "A", name: at("db.default"), address })),
    },
    { name: "a headless Service without endpoints", ask: [at("idle.default"), "A"], want: "nxdomain" },
    {
      name: "a hostname of a headless Service",
      ask: [at("db-0.db.default"), "A"],
      want: [{ type: "A", name: at("db-0.db.default"), address: "10.0.1.2" }],
    },
    {
      name: "an endpoint without hostname by its address",
      ask: [at("10-0-2-3.db.default"), "A"],
      want: [{ type: "A", name: at("10-0-2-3.db.default"), address: "10.0.2.3" }],
    },
    { name: "an endpoint that is not ready", ask: [at("db-9.db.default"), "A"], want: "nxdomain" },
    {
      name: "SRV of a cluster IP",
      ask: [at("_http._tcp.web.default"), "SRV"],
      want: [{ type: "SRV", name: at("_http._tcp.web.default"), target: at("web.default"), port: 80, priority: 0, weight: 100 }],
    },
    { name: "SRV of a port that is not there", ask: [at("_ftp._tcp.web.default"), "SRV"], want: "nxdomain" },
    { name: "the name of another zone", ask: ["example.org", "A"], want: "elsewhere" },
    { name: "ExternalName", ask: [at("out.default"), "A"], want: [{ type: "CNAME", name: at("out.default"), target: "www.example.org" }] },
    {
      name: "a pod by its address",
      ask: ["10-0-1-2.default.pod.cluster.local", "A"],
      want: [{ type: "A", name: "10-0-1-2.default.pod.cluster.local", address: "10.0.1.2" }],
    },
    {
      name: "PTR of a cluster IP",
      ask: ["41.0.30.172.in-addr.arpa", "PTR"],
      want: [{ type: "PTR", name: "41.0.30.172.in-addr.arpa", target: at("web.default") }],
    },
    {
      name: "PTR of an endpoint",
      ask: ["2.1.0.10.in-addr.arpa", "PTR"],
      want: [{ type: "PTR", name: "2.1.0.10.in-addr.arpa", target: at("db-0.db.default") }],
    },
    { name: "PTR of a foreign address", ask: ["1.2.0.192.in-addr.arpa", "PTR"], want: "elsewhere" },
    {
      name: "the schema version",
      ask: ["dns-version.cluster.local", "TXT"],
      want: [{ type: "TXT", name: "dns-version.cluster.local", text: "1.1.0" }],
    },
  ])("answers $name", ({ ask: [name = "", type = ""], want }) => {
    expect(records(name, type)).toEqual(want);
  });

  test("SRV of a headless Service carries the addresses of its targets", () => {
    expect(answer(zone, at("_sql._tcp.db.default"), "SRV")).toMatchObject({
      found: "records",
      records: [{ target: at("db-0.db.default"), port: 3306 }, { target: at("10-0-2-3.db.default") }],
      additional: [{ name: at("db-0.db.default"), address: "10.0.1.2" }, { address: "10.0.2.3" }],
    });
  });
});

describe("handleQuery()", () => {
  const ask = (name: string, transport: "udp" | "tcp" = "udp") =>
    handleQuery(zone, encode({ id: 7, type: "query", flags: 0x100, questions: [{ name, type: "A" }] }), { transport });

  test("keeps the id, the question's case and the recursion flag", () => {
    const handled = ask(at("WEB.default"));
    expect(handled.do === "answer" && decode(handled.packet)).toMatchObject({
      id: 7,
      rcode: "NOERROR",
      flag_aa: true,
      flag_rd: true,
      questions: [{ name: at("WEB.default") }],
      answers: [{ data: "172.30.0.41" }],
    });
  });

  test("tells NXDOMAIN from NODATA, both with the authority that limits their life", () => {
    const missing = ask(at("nope.default"));
    const empty = ask(at("default"));
    expect(missing.do === "answer" && decode(missing.packet)).toMatchObject({ rcode: "NXDOMAIN", authorities: [{ type: "SOA" }] });
    expect(empty.do === "answer" && decode(empty.packet)).toMatchObject({ rcode: "NOERROR", answers: [], authorities: [{ type: "SOA" }] });
  });

  test("forwards what is not ours", () => {
    expect(ask("example.org")).toEqual({ do: "forward", question: "example.org" });
  });

  test("truncates over UDP and not over TCP", () => {
    const many: ZoneView = {
      ...zone,
      slices: () => [
        {
          ...(slices[0] as EndpointSlice),
          endpoints: Array.from({ length: 60 }, (_, i) => ({ addresses: [`10.0.3.${i}`], conditions: { ready: true } })),
        },
      ],
    };
    const query = encode({ id: 7, type: "query", questions: [{ name: at("db.default"), type: "A" }] });
    const udp = handleQuery(many, query, { transport: "udp" });
    const tcp = handleQuery(many, query, { transport: "tcp" });
    expect(udp.do === "answer" && decode(udp.packet)).toMatchObject({ flag_tc: true, answers: [] });
    expect(tcp.do === "answer" && decode(tcp.packet).answers).toHaveLength(60);
  });

  test.each([
    { name: "a truncated message", bytes: Buffer.from("0007010000010000000000000377", "hex"), rcode: 1 },
    { name: "no question", bytes: Buffer.from("000701000000000000000000", "hex"), rcode: 1 },
  ])("answers $name with FORMERR", ({ bytes, rcode }) => {
    const handled = handleQuery(zone, bytes, { transport: "udp" });
    expect(handled.do === "answer" && (handled.packet[3] ?? 0) & 0xf).toBe(rcode);
  });

  test("ignores what has no header", () => {
    expect(handleQuery(zone, Buffer.from([1, 2, 3]), { transport: "udp" })).toEqual({ do: "ignore" });
  });
});
