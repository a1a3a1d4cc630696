import type { CustomResourceDefinition } from "#machinery/api/apiextensions-v1.ts";
import { defineKind, STATUS } from "../kind.ts";
import { createdAtColumn, nameColumn } from "../printing.ts";
import { keepStatus, onlyStatus } from "../strategy.ts";
import {
  defaultDefinition,
  initialDefinition,
  validateDefinition,
  validateDefinitionUpdate,
  withStoredVersions,
} from "./definition-rules.ts";

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
  strategy: {
    unconditionalUpdate: false,
    nameRule: "any",
    generation: "spec",
    default: defaultDefinition,
    prepareForCreate: initialDefinition,
    prepareForUpdate: (next, previous) => withStoredVersions(keepStatus(next, previous), previous),
    prepareForStatusUpdate: onlyStatus,
    validate: validateDefinition,
    validateUpdate: validateDefinitionUpdate,
  },
});
