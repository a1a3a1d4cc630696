import type { IngressClass, IngressClassParametersReference } from "#machinery/api/networking-v1.ts";
import { defineKind } from "../kind.ts";
import { ageColumn, column, nameColumn, NONE } from "../printing.ts";

export const IngressClassKind = defineKind<IngressClass>({
  group: "networking.k8s.io",
  version: "v1",
  kind: "IngressClass",
  plural: "ingressclasses",
  scope: "Cluster",
  typeName: "io.k8s.api.networking.v1.IngressClass",
  columns: [
    nameColumn,
    column("Controller", "Controller that is responsible for handling this class", ({ spec }) => spec?.controller ?? ""),
    column("Parameters", "A reference to a resource with additional parameters", ({ spec }) => parametersText(spec?.parameters)),
    ageColumn,
  ],
});

function parametersText(reference: IngressClassParametersReference | undefined): string {
  if (reference === undefined) return NONE;
  return `${reference.kind}${reference.apiGroup === undefined ? "" : `.${reference.apiGroup}`}/${reference.name}`;
}
