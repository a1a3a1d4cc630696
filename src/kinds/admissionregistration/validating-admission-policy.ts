import type { ValidatingAdmissionPolicy } from "#machinery/api/admissionregistration-v1.ts";
import { defineKind, STATUS } from "../kind.ts";
import { ageColumn, column, nameColumn, UNSET } from "../printing.ts";

export const ValidatingAdmissionPolicyKind = defineKind<ValidatingAdmissionPolicy>({
  group: "admissionregistration.k8s.io",
  version: "v1",
  kind: "ValidatingAdmissionPolicy",
  plural: "validatingadmissionpolicies",
  categories: ["api-extensions"],
  scope: "Cluster",
  typeName: "io.k8s.api.admissionregistration.v1.ValidatingAdmissionPolicy",
  subresources: [STATUS],
  columns: [
    nameColumn,
    column("Validations", "Number of its rules.", ({ spec }) => spec?.validations?.length ?? 0, "integer"),
    column("ParamKind", "ParamKind specifies the kind of resources used to parameterize this policy", ({ spec }) =>
      spec?.paramKind === undefined ? UNSET : `${spec.paramKind.apiVersion ?? ""}/${spec.paramKind.kind ?? ""}`,
    ),
    ageColumn,
  ],
});
