import { milliValue, parseQuantity, quantityValue } from "#machinery/quantity.ts";

/** Amounts of resources as the node agent computes with them; the API server has checked their text. Absent is 0. */

export function milli(quantity: string | number | undefined): number {
  return quantity === undefined ? 0 : Number(milliValue(parseQuantity(quantity)));
}

export function whole(quantity: string | number | undefined): number {
  return quantity === undefined ? 0 : Number(quantityValue(parseQuantity(quantity)));
}

export function amount(quantity: string | number | undefined): number {
  if (quantity === undefined) return 0;
  const { mantissa, scale } = parseQuantity(quantity);
  return scale < 0 ? Number(mantissa) / 10 ** -scale : Number(mantissa) * 10 ** scale;
}
