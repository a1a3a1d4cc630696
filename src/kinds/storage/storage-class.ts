import type { StorageClass } from "#machinery/api/storage-v1.ts";
import { type FieldError, forbiddenField, invalidField, requiredField } from "#machinery/field-error.ts";
import { isLabelKey } from "#machinery/names.ts";
import { defineKind } from "../kind.ts";
import { ageColumn, column, nameColumn, UNSET } from "../printing.ts";
import { type Errors, immutable, isMissing, optionalEnum, requiredEnum, same } from "../validation.ts";

export const StorageClassKind = defineKind<StorageClass>({
  group: "storage.k8s.io",
  version: "v1",
  kind: "StorageClass",
  plural: "storageclasses",
  shortNames: ["sc"],
  scope: "Cluster",
  typeName: "io.k8s.api.storage.v1.StorageClass",
  columns: [
    { ...nameColumn, cell: ({ metadata }) => `${metadata.name ?? ""}${isDefaultClass(metadata) ? " (default)" : ""}` },
    column("Provisioner", "Who makes the volumes.", ({ provisioner }) => provisioner),
    column("ReclaimPolicy", "What happens to volumes whose claim is gone.", ({ reclaimPolicy }) => reclaimPolicy ?? "Delete"),
    column("VolumeBindingMode", "When volumes are bound.", ({ volumeBindingMode }) => volumeBindingMode ?? UNSET),
    column("AllowVolumeExpansion", "Whether volumes can grow.", ({ allowVolumeExpansion = false }) => allowVolumeExpansion),
    ageColumn,
  ],
  strategy: {
    default: (storageClass) => ({
      ...storageClass,
      reclaimPolicy: storageClass.reclaimPolicy ?? "Delete",
      volumeBindingMode: storageClass.volumeBindingMode ?? "Immediate",
    }),
    validate: validateStorageClass,
    validateUpdate: validateStorageClassUpdate,
  },
});

/** Whether claims that name no class get this one. */
export function isDefaultClass({ annotations = {} }: StorageClass["metadata"]): boolean {
  return ["storageclass.kubernetes.io/is-default-class", "storageclass.beta.kubernetes.io/is-default-class"].some(
    (key) => annotations[key] === "true",
  );
}

function validateStorageClass({
  provisioner,
  parameters = {},
  reclaimPolicy,
  volumeBindingMode,
  allowedTopologies = [],
}: StorageClass): Errors {
  const errors: FieldError[] = isMissing(provisioner)
    ? [requiredField("provisioner")]
    : isLabelKey(provisioner.toLowerCase()).map((message) => invalidField("provisioner", provisioner, message));
  for (const key of Object.keys(parameters)) {
    if (key === "") errors.push(invalidField("parameters", key, "field can not be empty."));
  }
  errors.push(...optionalEnum(reclaimPolicy, ["Delete", "Retain"], "reclaimPolicy"));
  errors.push(...requiredEnum(volumeBindingMode, ["Immediate", "WaitForFirstConsumer"], "volumeBindingMode"));
  for (const [i, { matchLabelExpressions = [] }] of allowedTopologies.entries()) {
    for (const [e, { key, values = [] }] of matchLabelExpressions.entries()) {
      const at = `allowedTopologies[${i}].matchLabelExpressions[${e}]`;
      if (values.length === 0) errors.push(requiredField(`${at}.values`));
      errors.push(...isLabelKey(key).map((message) => invalidField(`${at}.key`, key, message)));
    }
  }
  return errors;
}

function validateStorageClassUpdate(next: StorageClass, previous: StorageClass): Errors {
  const errors: FieldError[] = [];
  if (!same(next.parameters, previous.parameters)) errors.push(forbiddenField("parameters", "updates to parameters are forbidden."));
  if (next.provisioner !== previous.provisioner) errors.push(forbiddenField("provisioner", "updates to provisioner are forbidden."));
  if (next.reclaimPolicy !== previous.reclaimPolicy)
    errors.push(forbiddenField("reclaimPolicy", "updates to reclaimPolicy are forbidden."));
  return [...errors, ...immutable(next.volumeBindingMode, previous.volumeBindingMode, "volumeBindingMode")];
}
