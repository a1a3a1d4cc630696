import { unsupportedField } from "#machinery/field-error.ts";
import { invalid } from "#machinery/status.ts";
import type { FieldValidation } from "../codec.ts";
import type { Exchange } from "./exchange.ts";

const OPTIONS: Readonly<Record<string, string>> = { POST: "CreateOptions", PUT: "UpdateOptions", PATCH: "PatchOptions" };

/** Unknown and duplicate fields: an error, a warning (the default) or nothing. */
export function fieldValidationOf({ query, method }: Exchange): FieldValidation {
  const asked = query.get("fieldValidation") ?? "";
  switch (asked) {
    case "":
    case "Warn":
      return "Warn";
    case "Strict":
    case "Ignore":
      return asked;
    default:
      throw invalid({ group: "meta.k8s.io", kind: OPTIONS[method] ?? "CreateOptions" }, "", [
        unsupportedField("fieldValidation", asked, ["", "Ignore", "Strict", "Warn"]),
      ]);
  }
}
