/**
 * A signal that aborts as soon as one of `sources` does, until it is disposed. Unlike AbortSignal.any it leaves nothing
 * behind in sources that live long: Node 20 keeps a trace of every combination for ever, and probes make many.
 */
export function linkSignals(...sources: readonly AbortSignal[]): Disposable & { readonly signal: AbortSignal } {
  const controller = new AbortController();
  const abort = () => {
    unlink();
    controller.abort(sources.find((source) => source.aborted)?.reason);
  };
  const unlink = () => {
    for (const source of sources) source.removeEventListener("abort", abort);
  };
  if (sources.some((source) => source.aborted)) abort();
  else for (const source of sources) source.addEventListener("abort", abort, { once: true });
  return { signal: controller.signal, [Symbol.dispose]: unlink };
}
