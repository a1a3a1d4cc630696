import type { ResourceClaimTemplate } from "#machinery/api/resource-v1.ts";
import { defineKind } from "../kind.ts";
import { immutable, validateAnnotations, validateLabels } from "../validation.ts";
import { defaultClaim, validateClaimSpec } from "./claim-rules.ts";

export const ResourceClaimTemplateKind = defineKind<ResourceClaimTemplate>({
  group: "resource.k8s.io",
  version: "v1",
  kind: "ResourceClaimTemplate",
  plural: "resourceclaimtemplates",
  scope: "Namespaced",
  typeName: "io.k8s.api.resource.v1.ResourceClaimTemplate",
  strategy: {
    default: (template) => ({ ...template, spec: { ...template.spec, spec: defaultClaim(template.spec?.spec ?? {}) } }),
    validate: ({ spec }) => [
      ...validateLabels(spec.metadata?.labels, "spec.metadata.labels"),
      ...validateAnnotations(spec.metadata?.annotations, "spec.metadata.annotations"),
      ...validateClaimSpec(spec.spec, "spec.spec"),
    ],
    validateUpdate: (next, previous) => immutable(next.spec, previous.spec, "spec"),
  },
});
