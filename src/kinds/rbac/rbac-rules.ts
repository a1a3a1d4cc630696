import type { PolicyRule, RoleRef, Subject } from "#machinery/api/rbac-v1.ts";
import { type FieldError, invalidField, requiredField, unsupportedField } from "#machinery/field-error.ts";
import { isDns1123Subdomain, isPathSegmentName } from "#machinery/names.ts";
import { type Errors, follows, isMissing, optionalEnum } from "../validation.ts";

export const RBAC_GROUP = "rbac.authorization.k8s.io";

/** A rule is about resources or about URLs, never about both. URLs are the cluster's. */
export function validateRules(rules: readonly PolicyRule[], namespaced: boolean, path: string): Errors {
  return rules.flatMap((rule, index) => {
    const { verbs, apiGroups = [], resources = [], resourceNames = [], nonResourceURLs = [] } = rule;
    const at = `${path}[${index}]`;
    const errors: FieldError[] = [];
    if (verbs.length === 0) errors.push(requiredField(`${at}.verbs`, "verbs must contain at least one value"));
    if (nonResourceURLs.length > 0) {
      if (namespaced) {
        errors.push(invalidField(`${at}.nonResourceURLs`, nonResourceURLs, "namespaced rules cannot apply to non-resource URLs"));
      }
      if (apiGroups.length > 0 || resources.length > 0 || resourceNames.length > 0) {
        const message = "rules cannot apply to both regular resources and non-resource URLs";
        errors.push(invalidField(`${at}.nonResourceURLs`, nonResourceURLs, message));
      }
      return errors;
    }
    if (apiGroups.length === 0) errors.push(requiredField(`${at}.apiGroups`, "resource rules must supply at least one api group"));
    if (resources.length === 0) errors.push(requiredField(`${at}.resources`, "resource rules must supply at least one resource"));
    return errors;
  });
}

interface Binding {
  readonly subjects?: readonly Subject[];
  readonly roleRef: RoleRef;
}

export function defaultBinding<T extends Binding>(binding: T): T {
  return {
    ...binding,
    roleRef: { ...binding.roleRef, apiGroup: binding.roleRef?.apiGroup || RBAC_GROUP },
    ...(binding.subjects === undefined ? {} : { subjects: binding.subjects.map(defaultSubject) }),
  };
}

function defaultSubject(subject: Subject): Subject {
  if (!isMissing(subject.apiGroup) || (subject.kind !== "User" && subject.kind !== "Group")) return subject;
  return { ...subject, apiGroup: RBAC_GROUP };
}

export function validateBinding({ roleRef, subjects = [] }: Binding, kinds: readonly string[], namespaced: boolean): Errors {
  const errors: FieldError[] = [];
  if (roleRef.apiGroup !== RBAC_GROUP) errors.push(unsupportedField("roleRef.apiGroup", roleRef.apiGroup ?? "", [RBAC_GROUP]));
  errors.push(...optionalEnum(roleRef.kind ?? "", kinds, "roleRef.kind"));
  if (isMissing(roleRef.name)) errors.push(requiredField("roleRef.name"));
  else errors.push(...follows(isPathSegmentName, roleRef.name, "roleRef.name"));
  for (const [i, subject] of subjects.entries()) errors.push(...validateSubject(subject, namespaced, `subjects[${i}]`));
  return errors;
}

function validateSubject({ kind, name, namespace = "", apiGroup = "" }: Subject, namespaced: boolean, path: string): Errors {
  const errors: FieldError[] = isMissing(name) ? [requiredField(`${path}.name`)] : [];
  switch (kind) {
    case "ServiceAccount":
      if (!isMissing(name)) errors.push(...follows(isDns1123Subdomain, name, `${path}.name`));
      if (!namespaced && namespace === "") errors.push(requiredField(`${path}.namespace`));
      if (apiGroup !== "") errors.push(unsupportedField(`${path}.apiGroup`, apiGroup, [""]));
      break;
    case "User":
    case "Group":
      if (apiGroup !== RBAC_GROUP) errors.push(unsupportedField(`${path}.apiGroup`, apiGroup, [RBAC_GROUP]));
      break;
    default:
      errors.push(unsupportedField(`${path}.kind`, kind, ["ServiceAccount", "User", "Group"]));
  }
  return errors;
}
