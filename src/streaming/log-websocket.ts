import type { Readable } from "node:stream";
import type { Clock } from "#base/clock.ts";
import { linger } from "./linger.ts";
import { acceptWebSocket, type Upgrade } from "./upgrade.ts";

/** Whether messages are base64 text. A client that names none gets bytes. */
const PROTOCOLS: Readonly<Record<string, boolean>> = { "": false, "binary.k8s.io": false, "base64.binary.k8s.io": true };

/**
 * Sends a stream (a log) as WebSocket messages, at the client's pace, and closes. `open` is called once the upgrade is done,
 * with a signal that aborts when the client goes away. Resolves when the connection is closed.
 */
export async function serveLogWebSocket(
  upgrade: Upgrade,
  open: (signal: AbortSignal) => Promise<Readable>,
  { clock, signal }: { readonly clock: Clock; readonly signal: AbortSignal },
): Promise<void> {
  const accepted = await acceptWebSocket(upgrade, Object.keys(PROTOCOLS));
  if (accepted === undefined) return;
  const { webSocket, protocol } = accepted;
  const base64 = PROTOCOLS[protocol] ?? false;
  const gone = new AbortController();
  webSocket.on("close", () => gone.abort());
  const over = AbortSignal.any([signal, gone.signal]);
  try {
    const log = await open(over);
    const stop = () => log.destroy();
    over.addEventListener("abort", stop, { once: true });
    for await (const chunk of log as AsyncIterable<Buffer>) {
      await new Promise<void>((resolve) => {
        webSocket.send(base64 ? chunk.toString("base64") : chunk, { binary: !base64 }, () => resolve());
      });
    }
    webSocket.close(1000);
  } catch (cause) {
    webSocket.close(1011);
    if (!over.aborted) throw cause;
  } finally {
    await linger(upgrade.socket, clock);
  }
}
