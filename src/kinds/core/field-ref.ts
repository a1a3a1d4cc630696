import type { ObjectFieldSelector, ResourceFieldSelector } from "#machinery/api/core-v1.ts";
import { type FieldError, invalidField, requiredField, unsupportedField } from "#machinery/field-error.ts";
import { isLabelKey } from "#machinery/names.ts";
import { type Errors, follows, isMissing } from "../validation.ts";

/** Every path into a pod that has a field label. */
const KNOWN: ReadonlySet<string> = new Set([
  "metadata.annotations",
  "metadata.labels",
  "metadata.name",
  "metadata.namespace",
  "metadata.uid",
  "spec.hostNetwork",
  "spec.nodeName",
  "spec.restartPolicy",
  "spec.schedulerName",
  "spec.serviceAccountName",
  "status.hostIP",
  "status.hostIPs",
  "status.nominatedNodeName",
  "status.phase",
  "status.podIP",
  "status.podIPs",
]);

/** `metadata.labels['app']` */
const SUBSCRIPT = /^(metadata\.(?:labels|annotations))\['(.*)'\]$/;

export function validateFieldRef(reference: ObjectFieldSelector, supported: readonly string[], path: string): Errors {
  if (isMissing(reference.apiVersion)) return [requiredField(`${path}.apiVersion`)];
  const { fieldPath } = reference;
  if (isMissing(fieldPath)) return [requiredField(`${path}.fieldPath`)];
  const subscript = SUBSCRIPT.exec(fieldPath);
  if (subscript !== null) {
    const [, map, key = ""] = subscript;
    return follows(isLabelKey, map === "metadata.annotations" ? key.toLowerCase() : key, path);
  }
  if (!KNOWN.has(fieldPath)) {
    const message = `error converting fieldPath: field label not supported: ${fieldPath}`;
    return [invalidField(`${path}.fieldPath`, fieldPath, message)];
  }
  return supported.includes(fieldPath) ? [] : [unsupportedField(`${path}.fieldPath`, fieldPath, [...supported].sort())];
}

const RESOURCES: readonly string[] = [
  "limits.cpu",
  "limits.ephemeral-storage",
  "limits.memory",
  "requests.cpu",
  "requests.ephemeral-storage",
  "requests.memory",
];

/** `containers` are the names of the pod's containers where a name must be given (volumes), undefined in `env`. */
export function validateResourceFieldRef(reference: ResourceFieldSelector, containers: "named" | undefined, path: string): Errors {
  const errors: FieldError[] = [];
  if (containers === "named" && isMissing(reference.containerName)) return [requiredField(`${path}.containerName`)];
  if (isMissing(reference.resource)) return [requiredField(`${path}.resource`)];
  if (!RESOURCES.includes(reference.resource) && !/^(requests|limits)\.hugepages-/.test(reference.resource)) {
    errors.push(unsupportedField(`${path}.resource`, reference.resource, RESOURCES));
  }
  return errors;
}
