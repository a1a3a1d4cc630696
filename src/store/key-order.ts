/**
 * Compares two keys by their UTF-8 bytes without encoding them.
 *
 * UTF-16 order differs only where a surrogate (a character above U+FFFF) meets U+E000..U+FFFF: there it is turned round.
 */
export function compareKeys(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x !== y) return x >= 0xd800 && y >= 0xd800 ? rotated(x) - rotated(y) : x - y;
  }
  return a.length - b.length;
}

/** Code units above U+D7FF in the order of the bytes they become: surrogates last. */
function rotated(unit: number): number {
  return unit >= 0xe000 ? unit - 0x800 : unit + 0x2000;
}
