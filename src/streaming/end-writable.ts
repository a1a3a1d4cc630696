import type { Writable } from "node:stream";
import { finished } from "node:stream/promises";

/** Ends a stream and resolves when all of it was taken. One that is destroyed, or breaks meanwhile, has ended too. */
export async function endWritable(writable: Writable | undefined): Promise<void> {
  if (writable === undefined || writable.destroyed || writable.writableFinished) return;
  writable.end();
  await finished(writable, { readable: false }).catch((cause: unknown) => {
    if (!writable.destroyed) throw cause;
  });
}
