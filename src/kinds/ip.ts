import { type FieldError, invalidField } from "#machinery/field-error.ts";

export const INVALID_IP = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)";
export const INVALID_CIDR = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)";

export type IpFamily = "IPv4" | "IPv6";

/** An address as a number, and how many bits it has. */
export interface IpAddress {
  readonly family: IpFamily;
  readonly bits: bigint;
}

export interface Cidr {
  readonly address: IpAddress;
  readonly prefix: number;
}

export function parseIp(text: string): IpAddress | undefined {
  const v4 = parseV4(text);
  if (v4 !== undefined) return { family: "IPv4", bits: v4 };
  const v6 = parseV6(text);
  return v6 === undefined ? undefined : { family: "IPv6", bits: v6 };
}

export function parseCidr(text: string): Cidr | undefined {
  const match = /^([^/]+)\/(0|[1-9][0-9]{0,2})$/.exec(text);
  const address = parseIp(match?.[1] ?? "");
  const prefix = Number(match?.[2]);
  if (address === undefined || prefix > widthOf(address.family)) return undefined;
  return { address, prefix };
}

export function widthOf(family: IpFamily): 32 | 128 {
  return family === "IPv4" ? 32 : 128;
}

/** Whether every address of `inner` is in `outer`. */
export function containsCidr(outer: Cidr, inner: Cidr): boolean {
  if (outer.address.family !== inner.address.family || inner.prefix < outer.prefix) return false;
  const shift = BigInt(widthOf(outer.address.family) - outer.prefix);
  return outer.address.bits >> shift === inner.address.bits >> shift;
}

export function isNetworkAddress({ address, prefix }: Cidr): boolean {
  const hostBits = BigInt(widthOf(address.family) - prefix);
  return (address.bits >> hostBits) << hostBits === address.bits;
}

/** Dotted, or RFC 5952. */
export function formatIp({ family, bits }: IpAddress): string {
  if (family === "IPv4") return [24n, 16n, 8n, 0n].map((shift) => (bits >> shift) & 255n).join(".");
  const groups = Array.from({ length: 8 }, (_, i) => ((bits >> BigInt(112 - 16 * i)) & 0xffffn).toString(16));
  const zeros = groups.join(":").match(/(?:^|(?<=:))0(?::0)+(?=:|$)/g) ?? [];
  const longest = zeros.reduce((best, run) => (run.length > best.length ? run : best), "");
  if (longest === "") return groups.join(":");
  const text = groups.join(":");
  const at = zerosAt(text, longest);
  return `${text.slice(0, at).replace(/:$/, "")}::${text.slice(at + longest.length).replace(/^:/, "")}`;
}

function zerosAt(text: string, run: string): number {
  for (let at = text.indexOf(run); at >= 0; at = text.indexOf(run, at + 1)) {
    const before = at === 0 || text[at - 1] === ":";
    const after = at + run.length === text.length || text[at + run.length] === ":";
    if (before && after) return at;
  }
  return -1;
}

export function validateIp(text: string, path: string): readonly FieldError[] {
  return parseIp(text) === undefined ? [invalidField(path, text, INVALID_IP)] : [];
}

export function validateCidr(text: string, path: string): readonly FieldError[] {
  return parseCidr(text) === undefined ? [invalidField(path, text, INVALID_CIDR)] : [];
}

function parseV4(text: string): bigint | undefined {
  const parts = text.split(".");
  if (parts.length !== 4 || !parts.every((part) => /^(0|[1-9][0-9]{0,2})$/.test(part) && Number(part) <= 255)) return undefined;
  return parts.reduce((sum, part) => sum * 256n + BigInt(part), 0n);
}

function parseV6(text: string): bigint | undefined {
  const dotted = /^(.*:)([0-9]+\.[0-9.]+)$/.exec(text);
  if (dotted !== null) {
    const low = parseV4(dotted[2] ?? "");
    if (low === undefined) return undefined;
    return parseV6(`${dotted[1] ?? ""}${(low >> 16n).toString(16)}:${(low & 0xffffn).toString(16)}`);
  }
  const halves = text.split("::");
  if (halves.length > 2) return undefined;
  const [head = [], tail = []] = halves.map((half) => (half === "" ? [] : half.split(":")));
  const missing = 8 - head.length - tail.length;
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined;
  const groups = [...head, ...Array.from({ length: missing }, () => "0"), ...tail];
  if (!groups.every((group) => /^[0-9a-fA-F]{1,4}$/.test(group))) return undefined;
  return groups.reduce((sum, group) => sum * 65536n + BigInt(`0x${group}`), 0n);
}
