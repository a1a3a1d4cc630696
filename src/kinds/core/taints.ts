import type { Taint, Toleration } from "#machinery/api/core-v1.ts";

/** Whether one toleration puts up with one taint. An empty key with Exists means every taint; Gt and Lt compare integers (KEP-5471). */
export function tolerates({ key = "", operator = "Equal", value = "", effect }: Toleration, taint: Taint): boolean {
  if (effect !== undefined && effect !== taint.effect) return false;
  if (key !== "" && key !== taint.key) return false;
  if (operator === "Exists") return true;
  if (operator === "Gt" || operator === "Lt") {
    const [wanted, found] = [Number(value), Number(taint.value)];
    if (!Number.isInteger(wanted) || !Number.isInteger(found)) return false;
    return operator === "Gt" ? found > wanted : found < wanted;
  }
  return key !== "" && value === (taint.value ?? "");
}

/** Whether one toleration puts up with one taint. An empty key with Exists means every taint; Gt and Lt compare integers (KEP-5471). */
/** Whether every taint is put up with by some toleration. */
export function toleratesAll(tolerations: readonly Toleration[], taints: readonly Taint[]): boolean {
  return taints.every((taint) => tolerations.some((toleration) => tolerates(toleration, taint)));
}

/** Taints that keep pods away that do not tolerate them. */
export function isHard({ effect }: Taint): boolean {
  return effect === "NoSchedule" || effect === "NoExecute";
}
