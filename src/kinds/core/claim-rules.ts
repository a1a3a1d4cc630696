import type { PersistentVolumeClaimSpec } from "#machinery/api/core-v1.ts";
import { type FieldError, forbiddenField, invalidField, requiredField } from "#machinery/field-error.ts";
import { isDns1123Subdomain } from "#machinery/names.ts";
import { formatQuantity, parseQuantity, quantitySign } from "#machinery/quantity.ts";
import { type Errors, follows, isMissing, optionalEnum, validateLabelSelector } from "../validation.ts";

export const ACCESS_MODES: readonly string[] = ["ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"];
export const VOLUME_MODES: readonly string[] = ["Block", "Filesystem"];
const NOT_POSITIVE = "must be greater than zero";

/** The spec of a claim, or of the template of an ephemeral volume or StatefulSet. */
export function validateClaimSpec(spec: PersistentVolumeClaimSpec, path: string): Errors {
  const modes = spec.accessModes ?? [];
  const errors: FieldError[] = [];
  if (modes.length === 0) errors.push(requiredField(`${path}.accessModes`, "at least 1 access mode is required"));
  errors.push(...validateLabelSelector(spec.selector, `${path}.selector`));
  errors.push(...validateAccessModes(modes, `${path}.accessModes`));
  const storage = spec.resources?.requests?.["storage"];
  if (storage === undefined) errors.push(requiredField(`${path}.resources[storage]`));
  else errors.push(...positiveQuantity(storage, `${path}.resources[storage]`));
  if (!isMissing(spec.storageClassName)) errors.push(...follows(isDns1123Subdomain, spec.storageClassName, `${path}.storageClassName`));
  errors.push(...optionalEnum(spec.volumeMode, VOLUME_MODES, `${path}.volumeMode`));
  for (const field of ["dataSource", "dataSourceRef"] as const) {
    const source = spec[field];
    if (source === undefined) continue;
    if (isMissing(source.name)) errors.push(requiredField(`${path}.${field}.name`));
    if (isMissing(source.kind)) errors.push(requiredField(`${path}.${field}.kind`));
    if (isMissing(source.apiGroup) && source.kind !== "PersistentVolumeClaim") {
      errors.push(invalidField(`${path}.${field}`, source.kind, ""));
    }
  }
  if (!isMissing(spec.volumeAttributesClassName)) {
    errors.push(...follows(isDns1123Subdomain, spec.volumeAttributesClassName, `${path}.volumeAttributesClassName`));
  }
  return errors;
}

export function validateAccessModes(modes: readonly string[], path: string): Errors {
  const errors = modes.flatMap((mode) => optionalEnum(mode, ACCESS_MODES, path));
  if (modes.includes("ReadWriteOncePod") && modes.length > 1) {
    errors.push(forbiddenField(path, "may not use ReadWriteOncePod with other access modes"));
  }
  return errors;
}

export function positiveQuantity(amount: string | number, path: string): Errors {
  const quantity = parseQuantity(amount);
  return quantitySign(quantity) > 0 ? [] : [invalidField(path, formatQuantity(quantity), NOT_POSITIVE)];
}
