/** The only source of randomness and ids. */
export interface Entropy {
  /** A random UUID, version 4. */
  uid(): string;
  /** Five characters for `generateName`, from upstream's alphabet without vowels and look-alikes. */
  nameSuffix(): string;
  /** Uniform in [0, 1). */
  fraction(): number;
}

const SUFFIX_ALPHABET = "bcdfghjklmnpqrstvwxz2456789";

export function createEntropy(random: () => number): Entropy {
  const hex = (digits: number) => Array.from({ length: digits }, () => Math.floor(random() * 16).toString(16)).join("");
  return {
    uid: () => `${hex(8)}-${hex(4)}-4${hex(3)}-${"89ab".charAt(Math.floor(random() * 4))}${hex(3)}-${hex(12)}`,
    nameSuffix: () => Array.from({ length: 5 }, () => SUFFIX_ALPHABET.charAt(Math.floor(random() * SUFFIX_ALPHABET.length))).join(""),
    fraction: random,
  };
}

/** Repeatable entropy for tests (mulberry32). */
export function seededEntropy(seed: number): Entropy {
  let state = seed >>> 0;
  return createEntropy(() => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  });
}
