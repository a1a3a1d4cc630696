/** How a quantity likes to be written. */
export type QuantityFormat = "DecimalSI" | "BinarySI" | "DecimalExponent";

/** An exact number: `mantissa * 10 ** scale`. */
export interface Quantity {
  readonly mantissa: bigint;
  readonly scale: number;
  readonly format: QuantityFormat;
  /** The text to write where it needs no canonicalisation. */
  readonly text?: string;
}

/** Text that is no quantity; the message is upstream's. */
export class QuantityError extends Error {
  override readonly name = "QuantityError";
}

export const QUANTITY_FORMAT_ERROR = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";
export const QUANTITY_NUMBER_ERROR = "unable to parse numeric part of quantity";
export const QUANTITY_SUFFIX_ERROR = "unable to parse quantity's suffix";

const NANO = -9;
/** Longer texts are refused: arithmetic on them would take seconds. */
const MAX_LENGTH = 256;
/** Scales beyond this are compared by magnitude only and clipped in sums: no resource is that large. */
const MAX_SCALE = 1000;
const MAX_BINARY = 2n ** 63n - 1n;
const DECIMAL: Readonly<Record<string, number>> = { n: -9, u: -6, m: -3, "": 0, k: 3, M: 6, G: 9, T: 12, P: 15, E: 18 };
const BINARY: Readonly<Record<string, number>> = { Ki: 10, Mi: 20, Gi: 30, Ti: 40, Pi: 50, Ei: 60 };
const DECIMAL_SUFFIX = new Map(Object.entries(DECIMAL).map(([suffix, exponent]) => [exponent, suffix]));
const BINARY_SUFFIX = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];

export const ZERO: Quantity = { mantissa: 0n, scale: 0, format: "DecimalSI" };

/** Throws QuantityError. Numbers are taken as JSON writes them. */
export function parseQuantity(input: string | number): Quantity {
  const text = (typeof input === "number" ? String(input) : input).trim();
  if (text === "") throw new QuantityError(QUANTITY_FORMAT_ERROR);
  if (text.length > MAX_LENGTH) throw new QuantityError(QUANTITY_NUMBER_ERROR);
  const match = /^([+-]?)(0*)([1-9][0-9]*)?(?:\.([0-9]*))?((?:[eEinumkKMGTP]+[-+]?|[-+])[0-9]*)?$/.exec(text);
  if (match === null) throw new QuantityError(QUANTITY_FORMAT_ERROR);
  const [, sign = "", zeros = "", digits = "", fraction = "", suffix = ""] = match;
  const number = digits === "" ? "0" : digits;
  const { base, exponent, format } = interpretSuffix(suffix);
  const shifted = number + fraction;
  const scale = (base === 10 ? exponent : 0) - fraction.length;
  const precision = base === 10 ? 18 - shifted.length : fraction === "" ? 15 - number.length - Math.trunc((exponent * 3) / 10) - 1 : -1;
  if (precision >= 0 && scale >= NANO) {
    const value = BigInt(shifted);
    const amount = value * (base === 2 ? 1n << BigInt(exponent) : 1n);
    const mantissa = sign === "-" ? -amount : amount;
    const asIs = base === 2 ? (value & 7n) !== 0n : scale % 3 === 0 && !shifted.endsWith("000") && !shifted.startsWith("0");
    return asIs ? { mantissa, scale, format, text } : { mantissa, scale, format };
  }
  if (zeros === "" && digits === "" && fraction === "") throw new QuantityError(QUANTITY_NUMBER_ERROR);
  return roundedQuantity(BigInt(shifted) * (base === 2 ? 1n << BigInt(exponent) : 1n), scale, format, sign === "-");
}

/** Rounds up to nano, caps binary quantities, and turns small binary ones into decimal ones. */
function roundedQuantity(magnitude: bigint, scale: number, format: QuantityFormat, negative: boolean): Quantity {
  let mantissa = magnitude;
  let rounded = scale;
  if (scale < NANO && mantissa !== 0n) {
    const drop = NANO - scale;
    mantissa = drop > mantissa.toString().length ? 1n : ceilDivide(mantissa, 10n ** BigInt(drop));
    rounded = NANO;
  }
  let as = format;
  if (as === "BinarySI") {
    if (compareScaled(mantissa, rounded, MAX_BINARY, 0) > 0) [mantissa, rounded] = [MAX_BINARY, 0];
    if (mantissa !== 0n && compareScaled(mantissa, rounded, 1n, 0) < 0) as = "DecimalSI";
  }
  return { mantissa: negative ? -mantissa : mantissa, scale: rounded, format: as };
}

/** Canonical text: no fraction, no exponent that is not a multiple of three, the largest suffix that keeps it exact. */
export function formatQuantity(quantity: Quantity): string {
  const { mantissa, scale, format, text } = quantity;
  if (text !== undefined) return text;
  if (mantissa === 0n) return "0";
  if (format === "BinarySI") {
    const whole = exactInteger(mantissa, scale);
    if (whole !== undefined && (whole <= -1024n || whole >= 1024n)) {
      let [amount, power] = [whole, 0];
      while (amount % 1024n === 0n) [amount, power] = [amount / 1024n, power + 1];
      return `${amount}${BINARY_SUFFIX[power] ?? ""}`;
    }
  }
  let [amount, exponent] = [mantissa, scale];
  while (amount % 10n === 0n) [amount, exponent] = [amount / 10n, exponent + 1];
  while (exponent % 3 !== 0) [amount, exponent] = [amount * 10n, exponent - 1];
  if (format === "DecimalExponent") return exponent === 0 ? `${amount}` : `${amount}e${exponent}`;
  return `${amount}${DECIMAL_SUFFIX.get(exponent) ?? ""}`;
}

/** Canonical text of any quantity text. Throws QuantityError. */
export function canonicalQuantity(input: string | number): string {
  // The usual forms are canonical as they stand.
  if (typeof input === "string" && /^[1-9][0-9]{0,9}[mkMG]?$/.test(input) && !/000[mkMG]?$/.test(input)) return input;
  return formatQuantity(parseQuantity(input));
}

export function compareQuantity(a: Quantity, b: Quantity): number {
  return compareScaled(a.mantissa, a.scale, b.mantissa, b.scale);
}

/** Keeps the format of `a`, or takes that of `b` where `a` is zero. */
export function addQuantity(a: Quantity, b: Quantity): Quantity {
  const scale = Math.min(a.scale, b.scale, MAX_SCALE);
  const mantissa = atScale(a, scale) + atScale(b, scale);
  return { mantissa, scale, format: a.mantissa === 0n ? b.format : a.format };
}

export function subtractQuantity(a: Quantity, b: Quantity): Quantity {
  return addQuantity(a, negateQuantity(b));
}

export function negateQuantity(quantity: Quantity): Quantity {
  return { mantissa: -quantity.mantissa, scale: quantity.scale, format: quantity.format };
}

/** -1, 0 or 1. */
export function quantitySign(quantity: Quantity): number {
  return quantity.mantissa < 0n ? -1 : quantity.mantissa > 0n ? 1 : 0;
}

/** Units, rounded up, away from zero: bytes. */
export function quantityValue(quantity: Quantity): bigint {
  return atScaleUp(quantity, 0);
}

/** Thousandths, rounded up, away from zero: millicores. */
export function milliValue(quantity: Quantity): bigint {
  return atScaleUp(quantity, -3);
}

export function quantityOf(value: bigint | number, format: QuantityFormat = "DecimalSI"): Quantity {
  return { mantissa: BigInt(value), scale: 0, format };
}

export function milliQuantity(value: bigint | number, format: QuantityFormat = "DecimalSI"): Quantity {
  return { mantissa: BigInt(value), scale: -3, format };
}

/** As a floating-point number; may lose precision. */
export function quantityNumber(quantity: Quantity): number {
  return Number(`${quantity.mantissa}e${quantity.scale}`);
}

function interpretSuffix(suffix: string): { base: 2 | 10; exponent: number; format: QuantityFormat } {
  const decimal = DECIMAL[suffix];
  if (decimal !== undefined) return { base: 10, exponent: decimal, format: "DecimalSI" };
  const binary = BINARY[suffix];
  if (binary !== undefined) return { base: 2, exponent: binary, format: "BinarySI" };
  const exponent = /^[eE]([-+]?[0-9]{1,9})$/.exec(suffix);
  if (exponent === null) throw new QuantityError(QUANTITY_SUFFIX_ERROR);
  return { base: 10, exponent: Number(exponent[1]), format: "DecimalExponent" };
}

function compareScaled(a: bigint, aScale: number, b: bigint, bScale: number): number {
  const sign = (a > 0n ? 1 : a < 0n ? -1 : 0) - (b > 0n ? 1 : b < 0n ? -1 : 0);
  if (sign !== 0 || a === 0n) return Math.sign(sign);
  if (aScale === bScale) return a < b ? -1 : a > b ? 1 : 0;
  const negative = a < 0n ? -1 : 1;
  const size = digitCount(a) + aScale - digitCount(b) - bScale;
  if (size !== 0) return size > 0 ? negative : -negative;
  const scale = Math.min(aScale, bScale);
  const difference = a * 10n ** BigInt(aScale - scale) - b * 10n ** BigInt(bScale - scale);
  return difference < 0n ? -1 : difference > 0n ? 1 : 0;
}

function digitCount(value: bigint): number {
  return (value < 0n ? -value : value).toString().length;
}

function exactInteger(mantissa: bigint, scale: number): bigint | undefined {
  if (scale >= 0) return mantissa * 10n ** BigInt(Math.min(scale, MAX_SCALE));
  const divisor = 10n ** BigInt(-scale);
  return mantissa % divisor === 0n ? mantissa / divisor : undefined;
}

function atScale(quantity: Quantity, scale: number): bigint {
  return quantity.mantissa * 10n ** BigInt(Math.min(quantity.scale, MAX_SCALE) - scale);
}

function atScaleUp({ mantissa, scale }: Quantity, wanted: number): bigint {
  if (scale >= wanted) return mantissa * 10n ** BigInt(Math.min(scale - wanted, MAX_SCALE));
  const up = ceilDivide(mantissa < 0n ? -mantissa : mantissa, 10n ** BigInt(wanted - scale));
  return mantissa < 0n ? -up : up;
}

function ceilDivide(value: bigint, by: bigint): bigint {
  return (value + by - 1n) / by;
}
