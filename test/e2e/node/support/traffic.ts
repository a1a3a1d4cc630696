import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { exec, execResult } from "#base/node/exec.ts";

/** What a client saw: `answer` is the server's own `ip:port`, `client` the address under which the server saw it. */
export type Seen = { readonly answer: string; readonly client: string } | { readonly error: "reject" | "drop" };

export interface Ask {
  readonly protocol: "tcp" | "udp";
  readonly from: string;
  /** @default any free one */
  readonly fromPort?: number;
  readonly host: string;
  readonly port: number;
  readonly count: number;
}

/** A process in one network namespace that serves and asks for the test. */
export interface Station {
  serve(address: string, port: number): Promise<void>;
  ask(ask: Ask): Promise<Seen[]>;
  stop(): void;
}

/** A node, pods and an outside host, each a network namespace of its own, joined by veth pairs. */
export interface World extends AsyncDisposable {
  readonly node: string;
  station(name: string): Station;
}

export interface Place {
  readonly name: string;
  /** Addresses at the far end; the first is the default source. */
  readonly addresses: readonly string[];
  /** The node's address on this link. */
  readonly gateway: string;
}

const { signal } = new AbortController();

// Runs under plain node, in the namespace: JSON lines in, JSON lines out.
const PROGRAM = `
const net = require("node:net"), dgram = require("node:dgram"), WAIT = 400;
const name = (ip) => (ip.includes(":") ? "[" + ip + "]" : ip);
const plain = (ip) => ip.replace("::ffff:", "");
const on = {
  serve: ({ address, port }) => Promise.all([
    new Promise((done) => net.createServer((s) => { s.on("error", () => {}); s.end(JSON.stringify({ answer: name(address) + ":" + port, client: plain(s.remoteAddress) })); }).listen(port, address, done)),
    new Promise((done) => { const s = dgram.createSocket(address.includes(":") ? "udp6" : "udp4"); s.on("message", (m, r) => s.send(JSON.stringify({ answer: name(address) + ":" + port, client: r.address }), r.port, r.address)); s.bind(port, address, done); }),
  ]).then(() => null),
  ask: async (ask) => { const seen = []; for (let i = 0; i < ask.count; i++) seen.push(await one(ask)); return seen; },
};
const one = ({ protocol, from, fromPort = 0, host, port }) => new Promise((resolve) => {
  const refused = (e) => resolve({ error: e.code === "ECONNREFUSED" || e.code === "ECONNRESET" ? "reject" : "drop" });
  if (protocol === "tcp") {
    let text = "";
    const s = net.connect({ host, port, localAddress: from, localPort: fromPort });
    s.setTimeout(WAIT, () => { s.destroy(); resolve({ error: "drop" }); });
    s.on("error", refused); s.on("data", (d) => (text += d)); s.on("end", () => resolve(text === "" ? { error: "reject" } : JSON.parse(text)));
    return;
  }
  const s = dgram.createSocket(from.includes(":") ? "udp6" : "udp4");
  const end = (value) => { clearTimeout(timer); s.close(); resolve(value); };
  const timer = setTimeout(() => end({ error: "drop" }), WAIT);
  s.on("error", (e) => { clearTimeout(timer); s.close(); refused(e); });
  s.on("message", (m) => end(JSON.parse(m)));
  s.bind(fromPort, from, () => s.connect(port, host, () => s.send("x")));
});
require("node:readline").createInterface({ input: process.stdin }).on("line", (line) => {
  const { id, do: what, with: args } = JSON.parse(line);
  on[what](args).then((result) => console.log(JSON.stringify({ id, result })));
}).on("close", () => process.exit());
`;

/** Namespaces are named `<prefix>-<place>`; the node is `<prefix>-node`. */
export async function createWorld(prefix: string, places: readonly Place[]): Promise<World> {
  const node = `${prefix}-node`;
  const stations = new Map<string, Station>();
  const names = [node, ...places.map(({ name }) => `${prefix}-${name}`)];
  for (const ns of names) {
    await exec(["ip", "netns", "add", ns], { signal });
    // Addresses work at once: nobody else is here to have the same.
    const noDad = "net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0 net.ipv6.conf.default.dad_transmits=0";
    await exec(["ip", "netns", "exec", ns, "sysctl", "-qw", ...noDad.split(" ")], { signal });
  }
  const lines: string[] = [];
  for (const [i, { name, addresses, gateway }] of places.entries()) {
    const far = `-n ${prefix}-${name}`;
    lines.push(`ip link add name l${i} netns ${node} type veth peer name eth0 netns ${prefix}-${name}`);
    lines.push(`ip -n ${node} addr add ${gateway}/${bits(gateway)} dev l${i} nodad`.replace(gateway.includes(":") ? "" : " nodad", ""));
    lines.push(`ip -n ${node} link set l${i} up`, `ip ${far} link set lo up`, `ip ${far} link set eth0 up`);
    for (const address of addresses) {
      const six = address.includes(":");
      lines.push(`ip ${far} addr add ${address}/${bits(address)} dev eth0${six ? " nodad" : ""}`);
      lines.push(`ip -n ${node} route add ${address}/${bits(address)} dev l${i}`);
    }
    lines.push(`ip ${far} route add ${gateway}/${bits(gateway)} dev eth0`);
    lines.push(`ip ${far} ${gateway.includes(":") ? "-6 " : ""}route add default via ${gateway} dev eth0 src ${addresses[0]}`);
  }
  lines.push(`ip -n ${node} link set lo up`);
  lines.push(`ip netns exec ${node} sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.rp_filter=0 net.ipv6.conf.all.forwarding=1`);
  await exec(["sh", "-ec", lines.join("\n")], { signal });
  for (const name of ["node", ...places.map((place) => place.name)]) stations.set(name, startStation(`${prefix}-${name}`));

  return {
    node,
    station(name) {
      const found = stations.get(name);
      if (found === undefined) throw new Error(`Cannot find station "${name}": the world has ${[...stations.keys()].join(", ")}`);
      return found;
    },
    async [Symbol.asyncDispose]() {
      for (const station of stations.values()) station.stop();
      for (const ns of names) await execResult(["ip", "netns", "delete", ns], { signal });
    },
  };
}

function bits(address: string): number {
  return address.includes(":") ? 128 : 32;
}

function startStation(ns: string): Station {
  const child: ChildProcess = spawn("ip", ["netns", "exec", ns, process.execPath, "-e", PROGRAM], { stdio: ["pipe", "pipe", "inherit"] });
  const { stdin, stdout } = child;
  if (stdin === null || stdout === null) throw new Error("Cannot start a station: it has no pipes");
  const waiting = new Map<number, (result: unknown) => void>();
  let last = 0;
  createInterface({ input: stdout }).on("line", (line) => {
    const { id, result } = JSON.parse(line) as { id: number; result: unknown };
    waiting.get(id)?.(result);
    waiting.delete(id);
  });
  const call = (what: string, args: object) =>
    new Promise<unknown>((resolve) => {
      waiting.set(++last, resolve);
      stdin.write(`${JSON.stringify({ id: last, do: what, with: args })}\n`);
    });
  return {
    async serve(address, port) {
      await call("serve", { address, port });
    },
    ask: (ask) => call("ask", ask) as Promise<Seen[]>,
    stop: () => void child.kill("SIGKILL"),
  };
}
