import type { MutatingAdmissionPolicy } from "#machinery/api/admissionregistration-v1.ts";
import { defineKind } from "../kind.ts";
import { ageColumn, column, nameColumn, UNSET } from "../printing.ts";

export const MutatingAdmissionPolicyKind = defineKind<MutatingAdmissionPolicy>({
  group: "admissionregistration.k8s.io",
  version: "v1",
  kind: "MutatingAdmissionPolicy",
  plural: "mutatingadmissionpolicies",
  categories: ["api-extensions"],
  scope: "Cluster",
  typeName: "io.k8s.api.admissionregistration.v1.MutatingAdmissionPolicy",
  columns: [
    nameColumn,
    column("Mutations", "Number of its rules.", ({ spec }) => spec?.mutations?.length ?? 0, "integer"),
    column("ParamKind", "ParamKind specifies the kind of resources used to parameterize this policy", ({ spec }) =>
      spec?.paramKind === undefined ? UNSET : `${spec.paramKind.apiVersion ?? ""}/${spec.paramKind.kind ?? ""}`,
    ),
    ageColumn,
  ],
});
