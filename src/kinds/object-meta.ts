import type { ObjectMeta, OwnerReference } from "#machinery/api/meta-v1.ts";
import { type FieldError, forbiddenField, invalidField, requiredField } from "#machinery/field-error.ts";
import {
  asPrefix,
  isDns1035Label,
  isDns1123Label,
  isDns1123Subdomain,
  isLabelKey,
  isPathSegmentName,
  type NameRule,
} from "#machinery/names.ts";
import type { KubeObject } from "#machinery/object.ts";
import type { Strategy } from "./kind.ts";
import { type Errors, follows, immutable, notNegative, validateAnnotations, validateLabels } from "./validation.ts";

export type NameRuleName = NonNullable<Strategy<KubeObject>["nameRule"]>;

/** What each name rule of a strategy asks of a name. Every name must also be a segment of a URL path. */
export const NAME_RULES: Readonly<Record<NameRuleName, NameRule>> = {
  subdomain: isDns1123Subdomain,
  label: isDns1123Label,
  label1035: isDns1035Label,
  path: isPathSegmentName,
  any: isPathSegmentName,
};

export interface ObjectMetaRules {
  /** @default "subdomain" */
  readonly nameRule?: NameRuleName;
  readonly scope: "Namespaced" | "Cluster";
  /** @default "metadata" */
  readonly path?: string;
}

/** Rules for the metadata of a new object. */
export function validateObjectMeta(meta: ObjectMeta, { nameRule = "subdomain", scope, path = "metadata" }: ObjectMetaRules): Errors {
  const rule = NAME_RULES[nameRule];
  const { name = "", generateName = "", namespace = "" } = meta;
  const errors: FieldError[] = [];
  if (generateName !== "") errors.push(...follows(asPrefix(rule), generateName, `${path}.generateName`));
  if (name === "") errors.push(requiredField(`${path}.name`, "name or generateName is required"));
  else errors.push(...follows(rule, name, `${path}.name`));
  if (scope === "Cluster") {
    if (namespace !== "") errors.push(forbiddenField(`${path}.namespace`, "not allowed on this type"));
  } else if (namespace === "") errors.push(requiredField(`${path}.namespace`));
  else errors.push(...follows(isDns1123Label, namespace, `${path}.namespace`));
  errors.push(...notNegative(meta.generation, `${path}.generation`), ...commonErrors(meta, path));
  return errors;
}

/** Rules for the metadata of an object that exists. Its name was checked when it was made and is only kept here. */
export function validateObjectMetaUpdate(next: ObjectMeta, previous: ObjectMeta, path = "metadata"): Errors {
  const errors: FieldError[] = [...addedFinalizers(next, previous, path)];
  if ((next.resourceVersion ?? "") === "") {
    errors.push(invalidField(`${path}.resourceVersion`, next.resourceVersion ?? "", "must be specified for an update"));
  }
  if ((next.generation ?? 0) < (previous.generation ?? 0)) {
    errors.push(invalidField(`${path}.generation`, next.generation ?? 0, "must not be decremented"));
  }
  for (const field of ["name", "namespace", "uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds"] as const) {
    errors.push(...immutable(next[field], previous[field], `${path}.${field}`));
  }
  errors.push(...commonErrors(next, path));
  return errors;
}

function commonErrors(meta: ObjectMeta, path: string): Errors {
  return [
    ...validateLabels(meta.labels, `${path}.labels`),
    ...validateAnnotations(meta.annotations, `${path}.annotations`),
    ...validateOwners(meta.ownerReferences ?? [], `${path}.ownerReferences`),
    ...validateFinalizers(meta.finalizers ?? [], `${path}.finalizers`),
  ];
}

function addedFinalizers(next: ObjectMeta, previous: ObjectMeta, path: string): Errors {
  if (previous.deletionTimestamp === undefined) return [];
  const added = (next.finalizers ?? []).filter((finalizer) => previous.finalizers?.includes(finalizer) !== true).sort();
  if (added.length === 0) return [];
  const list = `[]string{${added.map((finalizer) => JSON.stringify(finalizer)).join(", ")}}`;
  return [
    forbiddenField(`${path}.finalizers`, `no new finalizers can be added if the object is being deleted, found new finalizers ${list}`),
  ];
}

function validateOwners(owners: readonly OwnerReference[], path: string): Errors {
  const errors: FieldError[] = [];
  let controller: OwnerReference | undefined;
  for (const owner of owners) {
    const version = owner.apiVersion?.split("/").at(-1) ?? "";
    if (version === "") errors.push(invalidField(`${path}.apiVersion`, owner.apiVersion ?? "", "version must not be empty"));
    for (const field of ["kind", "name", "uid"] as const) {
      if ((owner[field] ?? "") === "") errors.push(invalidField(`${path}.${field}`, owner[field] ?? "", "must not be empty"));
    }
    if (owner.kind === "Event" && owner.apiVersion === "v1") {
      errors.push(invalidField(path, owner, "/v1, Kind=Event is disallowed from being an owner"));
    }
    if (owner.controller !== true) continue;
    if (controller !== undefined) {
      errors.push(
        invalidField(
          path,
          owners,
          `Only one reference can have Controller set to true. Found "true" in references for ${controller.kind}/${controller.name} and ${owner.kind}/${owner.name}`,
        ),
      );
    }
    controller = owner;
  }
  return errors;
}

const STANDARD_FINALIZERS: ReadonlySet<string> = new Set(["kubernetes", "foregroundDeletion", "orphan"]);

function validateFinalizers(finalizers: readonly string[], path: string): Errors {
  const errors = finalizers.flatMap((finalizer) => [
    ...follows(isLabelKey, finalizer, path),
    ...(finalizer.includes("/") || STANDARD_FINALIZERS.has(finalizer)
      ? []
      : [invalidField(path, finalizer, "name is neither a standard finalizer name nor is it fully qualified")]),
  ]);
  if (finalizers.includes("orphan") && finalizers.includes("foregroundDeletion")) {
    errors.push(invalidField(path, finalizers, "finalizer foregroundDeletion and orphan cannot be both set"));
  }
  return errors;
}
