import { createSocket } from "node:dgram";
import { once } from "node:events";
import { answerJob } from "../processes.ts";
import { spread } from "../report.ts";

export interface DnsLoad {
  readonly port: number;
  /** In base64; each has its index as its id. */
  readonly messages: readonly string[];
  readonly window: number;
  readonly ms: number;
}

export interface DnsLoadResult {
  readonly answers: number;
  readonly lost: number;
  readonly ms: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly busy: number;
}

const LOST_MS = 1000;

answerJob(load);

/** Keeps `window` questions on their way; one that is answered makes room for the next. */
async function load({ port, messages, window, ms }: DnsLoad): Promise<DnsLoadResult> {
  const packets = messages.map((text) => Buffer.from(text, "base64"));
  const socket = createSocket({ type: "udp4", recvBufferSize: 1 << 21 });
  socket.connect(port, "127.0.0.1");
  await once(socket, "connect");
  const sentAt = new Float64Array(packets.length);
  const waiting = new Set<number>();
  const delays: number[] = [];
  let next = 0;
  let lost = 0;
  let running = true;
  socket.on("message", (answer) => {
    const id = answer.readUInt16BE(0);
    if (!waiting.delete(id)) return;
    delays.push(performance.now() - (sentAt[id] ?? 0));
    if (running) send();
  });
  const busy = performance.eventLoopUtilization();
  const started = performance.now();
  for (let i = 0; i < window; i++) send();
  const tick = setInterval(() => {
    for (const id of waiting) {
      if (performance.now() - (sentAt[id] ?? 0) < LOST_MS) continue;
      waiting.delete(id);
      lost++;
      send();
    }
  }, 100);
  await new Promise((resolve) => setTimeout(resolve, ms));
  running = false;
  clearInterval(tick);
  const took = performance.now() - started;
  const { utilization } = performance.eventLoopUtilization(busy);
  socket.close();
  return { answers: delays.length, lost, ms: took, ...spread(delays), busy: utilization };

  function send(): void {
    let id = next++ % packets.length;
    while (waiting.has(id)) id = next++ % packets.length;
    const packet = packets[id];
    if (packet === undefined) return;
    waiting.add(id);
    sentAt[id] = performance.now();
    socket.send(packet);
  }
}
