/** Amounts of resources as the node agent needs them: plain numbers of bytes, cores and thousandths of cores. */
const SUFFIX: Readonly<Record<string, number>> = {
  n: 1e-9, u: 1e-6, m: 1e-3, "": 1, k: 1e3, M: 1e6, G: 1e9, T: 1e12, P: 1e15, E: 1e18,
  Ki: 2 ** 10, Mi: 2 ** 20, Gi: 2 ** 30, Ti: 2 ** 40, Pi: 2 ** 50, Ei: 2 ** 60,
}; // biome-ignore format: one glance

/** A quantity that the API server has accepted, as a number; 0 where it is absent. */
export function amount(quantity: string | number | undefined): number {
  if (quantity === undefined) return 0;
  if (typeof quantity === "number") return quantity;
  const parts = /^([+-]?[0-9.]+(?:[eE][+-]?[0-9]+)?)([a-zA-Z]*)$/.exec(quantity.trim());
  if (parts === null) return 0;
  return Number(parts[1]) * (SUFFIX[parts[2] ?? ""] ?? 1);
}

/** Rounded up, as upstream's MilliValue. */
export function milli(quantity: string | number | undefined): number {
  return Math.ceil(Number((amount(quantity) * 1000).toFixed(6)));
}

/** Rounded up, as upstream's Value. */
export function whole(quantity: string | number | undefined): number {
  return Math.ceil(Number(amount(quantity).toFixed(6)));
}
