import type { CustomResourceDefinition } from "#machinery/api/apiextensions-v1.ts";
import { defineKind, STATUS } from "../kind.ts";
import { createdAtColumn, nameColumn } from "../printing.ts";

export const CustomResourceDefinitionKind = defineKind<CustomResourceDefinition>({
  group: "apiextensions.k8s.io",
  version: "v1",
  kind: "CustomResourceDefinition",
  plural: "customresourcedefinitions",
  shortNames: ["crd", "crds"],
  categories: ["api-extensions"],
  scope: "Cluster",
  typeName: "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinition",
  storagePrefix: "/registry/apiextensions.k8s.io/customresourcedefinitions",
  subresources: [STATUS],
  columns: [nameColumn, createdAtColumn],
});
