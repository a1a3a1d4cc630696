import type { Lease } from "#machinery/api/coordination-v1.ts";
import { type FieldError, invalidField } from "#machinery/field-error.ts";
import { isLabelKey } from "#machinery/names.ts";
import { defineKind } from "../kind.ts";
import { ageColumn, column, nameColumn } from "../printing.ts";
import { type Errors } from "../validation.ts";

export const LeaseKind = defineKind<Lease>({
  group: "coordination.k8s.io",
  version: "v1",
  kind: "Lease",
  plural: "leases",
  scope: "Namespaced",
  typeName: "io.k8s.api.coordination.v1.Lease",
  columns: [nameColumn, column("Holder", "Who holds the lease.", ({ spec }) => spec?.holderIdentity ?? ""), ageColumn],
  strategy: {
    createOnUpdate: true,
    unconditionalUpdate: false,
    validate: validateLease,
  },
});

function validateLease({ spec }: Lease): Errors {
  const errors: FieldError[] = [];
  const { leaseDurationSeconds, leaseTransitions, strategy, preferredHolder } = spec ?? {};
  if (leaseDurationSeconds !== undefined && leaseDurationSeconds <= 0) {
    errors.push(invalidField("spec.leaseDurationSeconds", leaseDurationSeconds, "must be greater than 0"));
  }
  if (leaseTransitions !== undefined && leaseTransitions < 0) {
    errors.push(invalidField("spec.leaseTransitions", leaseTransitions, "must be greater than or equal to 0"));
  }
  if (strategy !== undefined) errors.push(...isLabelKey(strategy).map((message) => invalidField("spec.strategy", strategy, message)));
  if ((preferredHolder ?? "") !== "" && (strategy ?? "") === "") {
    errors.push(invalidField("spec.preferredHolder", preferredHolder, "may only be specified when `strategy` is defined"));
  }
  return errors;
}
