import type { Duplex } from "node:stream";
import type { Clock } from "#base/clock.ts";

/** How long a peer may take to close its side after we closed ours. */
const LINGER_MS = 10_000;

/** Resolves when the connection, which we have ended, is closed; a peer that does not close it is cut off. */
export async function linger(socket: Duplex, clock: Clock): Promise<void> {
  if (socket.destroyed) return;
  const closed = new AbortController();
  socket.once("close", () => closed.abort());
  socket.resume();
  await clock.sleep(LINGER_MS, closed.signal);
  socket.destroy();
}
