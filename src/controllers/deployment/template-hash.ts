import type { PodTemplateSpec } from "#machinery/api/core-v1.ts";

const ALPHABET = "bcdfghjklmnpqrstvwxz2456789";

/**
 * The suffix of a ReplicaSet's name: FNV-1a over the template and the collision count, in upstream's safe alphabet. The order
 * of keys does not matter. Upstream hashes the memory layout of its own types, so the values differ from its.
 */
export function templateHash(template: PodTemplateSpec, collisionCount: number | undefined): string {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(canonical(template) + (collisionCount === undefined ? "" : ` ${collisionCount}`))) {
    hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  }
  return Array.from(String(hash), (digit) => ALPHABET.charAt(digit.charCodeAt(0) % ALPHABET.length)).join("");
}

function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "null";
  const entries = Object.entries(value).filter(([, part]) => part !== undefined);
  return `{${entries
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, part]) => `${JSON.stringify(key)}:${canonical(part)}`)
    .join(",")}}`;
}
