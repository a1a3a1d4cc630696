import type { ParamRef } from "#machinery/api/admissionregistration-v1.ts";
import { UNSET } from "../printing.ts";

export function paramRefText(reference: ParamRef | undefined): string {
  if (reference === undefined) return UNSET;
  const { namespace = "", name = "" } = reference;
  return namespace === "" ? name : `${namespace}/${name}`;
}
