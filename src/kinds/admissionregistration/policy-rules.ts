import type { MatchResources, ParamKind, ParamRef, Variable } from "#machinery/api/admissionregistration-v1.ts";
import { duplicateField, type FieldError, forbiddenField, invalidField, requiredField } from "#machinery/field-error.ts";
import { isCIdentifier, isDns1123Subdomain } from "#machinery/names.ts";
import { type Errors, follows, isMissing, optionalEnum, validateLabelSelector } from "../validation.ts";
import { defaultRule, validateRule } from "./webhook-rules.ts";

export function defaultMatch(match: MatchResources): MatchResources {
  return {
    ...match,
    ...(match.resourceRules === undefined ? {} : { resourceRules: match.resourceRules.map(defaultRule) }),
    ...(match.excludeResourceRules === undefined ? {} : { excludeResourceRules: match.excludeResourceRules.map(defaultRule) }),
    matchPolicy: match.matchPolicy ?? "Equivalent",
    namespaceSelector: match.namespaceSelector ?? {},
    objectSelector: match.objectSelector ?? {},
  };
}

/** What a policy is about. A binding may leave the rules to its policy. */
export function validateMatch(match: MatchResources, path: string): Errors {
  const errors: FieldError[] = [
    ...optionalEnum(match.matchPolicy, ["Equivalent", "Exact"], `${path}.matchPolicy`),
    ...validateLabelSelector(match.namespaceSelector, `${path}.namespaceSelector`),
    ...validateLabelSelector(match.objectSelector, `${path}.objectSelector`),
  ];
  for (const field of ["resourceRules", "excludeResourceRules"] as const) {
    for (const [i, rule] of (match[field] ?? []).entries()) {
      const at = `${path}.${field}[${i}]`;
      errors.push(...validateRule(rule, at));
      const names = rule.resourceNames ?? [];
      for (const [n, name] of names.entries()) {
        if (names.indexOf(name) < n) errors.push(duplicateField(`${at}.resourceNames[${n}]`, name));
      }
    }
  }
  return errors;
}

export function validateParamKind(kind: ParamKind | undefined, path: string): Errors {
  if (kind === undefined) return [];
  const errors: FieldError[] = [];
  if (isMissing(kind.apiVersion)) errors.push(requiredField(`${path}.apiVersion`));
  else if (kind.apiVersion.split("/").length > 2) {
    errors.push(invalidField(`${path}.apiVersion`, kind.apiVersion, `unexpected GroupVersion string: ${kind.apiVersion}`));
  }
  return isMissing(kind.kind) ? [...errors, requiredField(`${path}.kind`)] : errors;
}

export function validateVariables(variables: readonly Variable[], path: string): Errors {
  return variables.flatMap(({ name, expression }, i) => {
    const at = `${path}[${i}]`;
    const errors: FieldError[] = isMissing(name)
      ? [requiredField(`${at}.name`, "name is not specified")]
      : [...follows(isCIdentifier, name, `${at}.name`)];
    return isMissing(expression?.trim()) ? [...errors, requiredField(`${at}.expression`, "expression is not specified")] : errors;
  });
}

interface BindingSpec {
  readonly policyName?: string;
  readonly paramRef?: ParamRef;
  readonly matchResources?: MatchResources;
}

export function defaultBindingSpec<S extends BindingSpec>(spec: S): S {
  return { ...spec, ...(spec.matchResources === undefined ? {} : { matchResources: defaultMatch(spec.matchResources) }) };
}

export function validateBindingSpec({ policyName, paramRef, matchResources }: BindingSpec, path: string): Errors {
  const errors: FieldError[] = isMissing(policyName)
    ? [requiredField(`${path}.policyName`)]
    : [...follows(isDns1123Subdomain, policyName, `${path}.policyName`)];
  if (paramRef !== undefined) errors.push(...validateParamRef(paramRef, `${path}.paramRef`));
  if (matchResources !== undefined) errors.push(...validateMatch(matchResources, `${path}.matchResouces`));
  return errors;
}

/** Parameters are named or selected, and what to do without them is said. Upstream spells the path of `matchResources` as above. */
function validateParamRef({ name, selector, parameterNotFoundAction }: ParamRef, path: string): Errors {
  const errors: FieldError[] = [];
  if (isMissing(name)) {
    if (selector === undefined) errors.push(requiredField(path, "one of name or selector must be specified"));
    else errors.push(...validateLabelSelector(selector, `${path}.selector`));
  } else if (selector !== undefined) errors.push(forbiddenField(`${path}.name`, "name and selector are mutually exclusive"));
  if (parameterNotFoundAction === undefined) errors.push(requiredField(`${path}.parameterNotFoundAction`));
  return [...errors, ...optionalEnum(parameterNotFoundAction, ["Allow", "Deny"], `${path}.parameterNotFoundAction`)];
}
