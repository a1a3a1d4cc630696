import type { Duplex } from "node:stream";

/**
 * Copies bytes both ways until both directions have ended, at the pace of the slower side. One side's end closes the other
 * side's writing half; when one side breaks, or `signal` aborts, both are destroyed.
 */
export async function splice(a: Duplex, b: Duplex, signal: AbortSignal): Promise<void> {
  const cut = () => {
    a.destroy();
    b.destroy();
  };
  if (signal.aborted) return cut();
  signal.addEventListener("abort", cut, { once: true });
  try {
    await new Promise<void>((resolve) => {
      let open = 2;
      const closed = () => {
        open -= 1;
        if (open === 0) resolve();
      };
      for (const [from, to] of [
        [a, b],
        [b, a],
      ] as const) {
        from.on("error", cut);
        from.pipe(to);
        from.once("close", () => {
          // A side that closed without ending its stream broke: what it sent is not whole.
          if (from.readableEnded) to.end();
          else to.destroy();
          closed();
        });
        if (from.destroyed) {
          to.destroy();
          closed();
        }
      }
    });
  } finally {
    signal.removeEventListener("abort", cut);
  }
}
