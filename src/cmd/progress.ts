/** One line per step on stderr: what is being done, and, when it is done, how long it took. */
export interface Progress {
  step<T>(title: string, work: () => Promise<T>): Promise<T>;
  note(text: string): void;
}

export function createProgress(out: { readonly isTTY?: boolean; write(text: string): unknown }, now: () => number): Progress {
  return {
    async step(title, work) {
      const started = now();
      if (out.isTTY === true) out.write(` … ${title}`);
      try {
        const result = await work();
        out.write(`${out.isTTY === true ? "\r" : ""} ✓ ${title} (${((now() - started) / 1000).toFixed(1)} s)\n`);
        return result;
      } catch (cause) {
        out.write(`${out.isTTY === true ? "\r" : ""} ✗ ${title}\n`);
        throw cause;
      }
    },
    note: (text) => void out.write(`${text}\n`),
  };
}
