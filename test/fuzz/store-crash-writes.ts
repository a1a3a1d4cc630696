import type { Key, Write } from "#store/contract.ts";

export const WRITERS = 32;
/** Keys of one writer in one round. */
const KEYS = 5;

/** What a writer writes as its n-th: always the same, so that the state after any number of writes is known. Each succeeds. */
export function writeOf(round: number, writer: number, n: number): Write {
  const key = `/r${round}/w${writer}/k${n % KEYS}` as Key;
  if (n % 7 === 6) return { delete: key, expect: "any" };
  return { put: key, value: Buffer.from(`${round}/${writer}/${n}/${"x".repeat((n * 997) % 6000)}`), expect: "any" };
}

/** The values a writer's keys have after its first `count` writes. */
export function stateAfter(round: number, writer: number, count: number): Map<string, string> {
  const state = new Map<string, string>();
  for (let n = Math.max(0, count - KEYS); n < count; n++) {
    const write = writeOf(round, writer, n);
    if ("put" in write) state.set(write.put, Buffer.from(write.value).toString());
    else state.delete(write.delete);
  }
  return state;
}
