import type { ResourceSlice } from "#machinery/api/resource-v1.ts";
import { duplicateField, type FieldError, invalidField, requiredField, tooManyField } from "#machinery/field-error.ts";
import { isDns1123Label, isDns1123Subdomain } from "#machinery/names.ts";
import { defineKind } from "../kind.ts";
import { ageColumn, column, nameColumn, UNSET } from "../printing.ts";
import { type Errors, immutable, isMissing, requiredName } from "../validation.ts";

export const ResourceSliceKind = defineKind<ResourceSlice>({
  group: "resource.k8s.io",
  version: "v1",
  kind: "ResourceSlice",
  plural: "resourceslices",
  scope: "Cluster",
  typeName: "io.k8s.api.resource.v1.ResourceSlice",
  columns: [
    nameColumn,
    column("Node", "The node whose devices these are.", ({ spec }) => spec?.nodeName ?? UNSET),
    column("Driver", "The driver of the devices.", ({ spec }) => spec?.driver ?? ""),
    column("Pool", "The pool the devices belong to.", ({ spec }) => spec?.pool?.name ?? ""),
    ageColumn,
  ],
  strategy: {
    generation: "spec",
    validate: validateSlice,
    validateUpdate: (next, previous) => [
      ...immutable(next.spec.pool.name, previous.spec.pool.name, "spec.pool.name"),
      ...immutable(next.spec.driver, previous.spec.driver, "spec.driver"),
      ...immutable(next.spec.nodeName, previous.spec.nodeName, "spec.nodeName"),
    ],
    fields: ({ spec }) => ({ "spec.nodeName": spec?.nodeName ?? "", "spec.driver": spec?.driver ?? "" }),
  },
});

const MAX_DEVICES = 128;

function validateSlice({ spec }: ResourceSlice): Errors {
  const { devices = [], pool } = spec;
  const errors: FieldError[] = [...requiredName(isDns1123Subdomain, spec.driver, "spec.driver")];
  if (isMissing(pool?.name)) errors.push(requiredField("spec.pool.name"));
  else {
    for (const part of pool.name.split("/")) {
      errors.push(...isDns1123Subdomain(part).map((message) => invalidField("spec.pool.name", pool.name, message)));
    }
  }
  if ((pool?.resourceSliceCount ?? 0) <= 0) {
    errors.push(invalidField("spec.pool.resourceSliceCount", pool?.resourceSliceCount ?? 0, "must be greater than zero"));
  }
  if ((pool?.generation ?? 0) < 0)
    errors.push(invalidField("spec.pool.generation", pool.generation, "must be greater than or equal to zero"));
  const places = [!isMissing(spec.nodeName), spec.nodeSelector !== undefined, spec.allNodes === true, spec.perDeviceNodeSelection === true];
  const chosen = places.filter(Boolean).length;
  const rule = "exactly one of `nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection` is required";
  if (chosen === 0) errors.push(requiredField("spec", rule));
  if (chosen > 1) errors.push(invalidField("spec", null, `${rule}, but multiple fields are set`));
  if (devices.length > MAX_DEVICES) errors.push(tooManyField("spec.devices", devices.length, MAX_DEVICES));
  const names = new Set<string>();
  for (const [i, { name }] of devices.entries()) {
    const at = `spec.devices[${i}].name`;
    errors.push(...requiredName(isDns1123Label, name, at));
    if (names.has(name)) errors.push(duplicateField(at, name));
    names.add(name);
  }
  return errors;
}
