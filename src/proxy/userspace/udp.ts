import { createSocket, type Socket } from "node:dgram";
import { isIPv6 } from "node:net";
import type { Clock } from "#base/clock.ts";
import type { Log } from "#base/log.ts";
import { type Balancer, keyOf } from "./balancer.ts";
import type { Listener } from "./listener.ts";

export interface UdpOptions {
  readonly address: string;
  /** A client that is silent and unanswered for so long is forgotten. @default 30_000 */
  readonly idleMs?: number;
  /** Most clients at once; the one idle longest makes room. @default 4_096 */
  readonly maxFlows?: number;
}

interface Flow {
  readonly socket: Socket;
  readonly backend: string;
  used: number;
  /** Until the socket is connected, which takes a turn of the loop. */
  waiting: Buffer[] | undefined;
}

const MAX_WAITING = 64;

/** Listens on a free port of `address`; each client gets a socket of its own towards its endpoint, which tells answers apart. */
export async function listenUdp(
  { balancer, clock, log }: { readonly balancer: Balancer; readonly clock: Clock; readonly log: Log },
  { address, idleMs = 30_000, maxFlows = 4_096 }: UdpOptions,
): Promise<Listener> {
  const type = isIPv6(address) ? "udp6" : "udp4";
  const flows = new Map<string, Flow>(); // in order of last use
  const ended = new AbortController();
  const server = createSocket(type);
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.bind({ address, port: 0 }, () => {
      server.off("error", reject);
      resolve();
    });
  });
  const { port } = server.address();
  server.on("error", (cause) => log.warn("Listener of a Service failed", { port, cause }));
  server.on("message", (message, from) => {
    const key = `${from.address} ${from.port}`;
    const flow = flows.get(key) ?? openFlow(key, from.address, from.port);
    if (flow === undefined) return;
    touch(key, flow);
    if (flow.waiting === undefined) flow.socket.send(message);
    else if (flow.waiting.length < MAX_WAITING) flow.waiting.push(message);
  });
  const sweeping = sweep();

  return {
    port,
    changed() {
      const present = new Set(balancer.backends.map(keyOf));
      for (const [key, flow] of flows) if (!present.has(flow.backend)) drop(key, flow);
    },
    stop: close,
    close,
  };

  async function close() {
    if (ended.signal.aborted) return;
    ended.abort();
    for (const [key, flow] of flows) drop(key, flow);
    server.close();
    await sweeping;
  }

  function openFlow(key: string, address: string, clientPort: number): Flow | undefined {
    const backend = balancer.choose(address);
    if (backend === undefined) return undefined;
    const socket = createSocket(type);
    const flow: Flow = { socket, backend: keyOf(backend), used: clock.now(), waiting: [] };
    flows.set(key, flow);
    socket.on("error", () => drop(key, flow)); // the endpoint refused; the client's next packet finds another
    socket.on("message", (answer) => {
      if (ended.signal.aborted) return;
      touch(key, flow);
      server.send(answer, clientPort, address);
    });
    socket.connect(backend.port, backend.ip, () => {
      for (const message of flow.waiting ?? []) socket.send(message);
      flow.waiting = undefined;
    });
    const oldest = flows.entries().next().value;
    if (flows.size > maxFlows && oldest !== undefined) drop(...oldest);
    return flow;
  }

  function touch(key: string, flow: Flow) {
    flow.used = clock.now();
    if (flows.delete(key)) flows.set(key, flow);
  }

  function drop(key: string, flow: Flow) {
    if (flows.get(key) !== flow) return;
    flows.delete(key);
    flow.socket.close();
  }

  async function sweep() {
    while (!ended.signal.aborted) {
      await clock.sleep(idleMs / 2, ended.signal);
      const before = clock.now() - idleMs;
      for (const [key, flow] of flows) if (flow.used <= before) drop(key, flow);
    }
  }
}
