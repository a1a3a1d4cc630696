import type {
  Affinity,
  NodeSelector,
  NodeSelectorRequirement,
  NodeSelectorTerm,
  PodAffinity,
  PodAffinityTerm,
  Taint,
  Toleration,
  TopologySpreadConstraint,
} from "#machinery/api/core-v1.ts";
import { duplicateField, type FieldError, forbiddenField, invalidField, requiredField, unsupportedField } from "#machinery/field-error.ts";
import { isDns1123Label, isDns1123Subdomain, isLabelKey, isLabelValue } from "#machinery/names.ts";
import { type Errors, follows, isMissing, optionalEnum, validateLabelSelector } from "../validation.ts";

const TAINT_EFFECTS: readonly string[] = ["NoSchedule", "PreferNoSchedule", "NoExecute"];

export function validateAffinity(affinity: Affinity | undefined, path: string): Errors {
  if (affinity === undefined) return [];
  const { nodeAffinity, podAffinity, podAntiAffinity } = affinity;
  const errors: FieldError[] = [];
  if (nodeAffinity !== undefined) {
    const at = `${path}.nodeAffinity`;
    const { requiredDuringSchedulingIgnoredDuringExecution: hard, preferredDuringSchedulingIgnoredDuringExecution: soft = [] } =
      nodeAffinity;
    if (hard !== undefined) errors.push(...validateNodeSelector(hard, `${at}.requiredDuringSchedulingIgnoredDuringExecution`));
    for (const [index, { weight, preference }] of soft.entries()) {
      const term = `${at}.preferredDuringSchedulingIgnoredDuringExecution[${index}]`;
      errors.push(...validateWeight(weight, term), ...validateNodeTerm(preference, `${term}.preference`));
    }
  }
  if (podAffinity !== undefined) errors.push(...validatePodAffinity(podAffinity, `${path}.podAffinity`));
  if (podAntiAffinity !== undefined) errors.push(...validatePodAffinity(podAntiAffinity, `${path}.podAntiAffinity`));
  return errors;
}

export function validateNodeSelector({ nodeSelectorTerms }: NodeSelector, path: string): Errors {
  if (nodeSelectorTerms.length === 0) return [requiredField(`${path}.nodeSelectorTerms`, "must have at least one node selector term")];
  return nodeSelectorTerms.flatMap((term, index) => validateNodeTerm(term, `${path}.nodeSelectorTerms[${index}]`));
}

function validateNodeTerm(term: NodeSelectorTerm, path: string): Errors {
  return [
    ...(term.matchExpressions ?? []).flatMap((one, i) => validateNodeRequirement(one, `${path}.matchExpressions[${i}]`)),
    ...(term.matchFields ?? []).flatMap((one, i) => validateFieldRequirement(one, `${path}.matchFields[${i}]`)),
  ];
}

function validateNodeRequirement({ key, operator, values = [] }: NodeSelectorRequirement, path: string): Errors {
  const errors: FieldError[] = [];
  switch (operator) {
    case "In":
    case "NotIn":
      if (values.length === 0) errors.push(requiredField(`${path}.values`, "must be specified when `operator` is 'In' or 'NotIn'"));
      break;
    case "Exists":
    case "DoesNotExist":
      if (values.length > 0)
        errors.push(forbiddenField(`${path}.values`, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"));
      break;
    case "Gt":
    case "Lt":
      if (values.length !== 1)
        errors.push(requiredField(`${path}.values`, "must be specified single value when `operator` is 'Lt' or 'Gt'"));
      break;
    default:
      errors.push(invalidField(`${path}.operator`, operator, "not a valid selector operator"));
  }
  return [...errors, ...follows(isLabelKey, key, `${path}.key`)];
}

function validateFieldRequirement({ key, operator, values = [] }: NodeSelectorRequirement, path: string): Errors {
  const errors: FieldError[] = [];
  if (operator !== "In" && operator !== "NotIn") errors.push(invalidField(`${path}.operator`, operator, "not a valid selector operator"));
  else if (values.length !== 1) {
    errors.push(requiredField(`${path}.values`, "must be only one value when `operator` is 'In' or 'NotIn' for node field selector"));
  }
  if (key !== "metadata.name") return [...errors, invalidField(`${path}.key`, key, "not a valid field selector key")];
  return [...errors, ...values.flatMap((value, i) => follows(isDns1123Subdomain, value, `${path}.values[${i}]`))];
}

function validateWeight(weight: number, path: string): Errors {
  return weight >= 1 && weight <= 100 ? [] : [invalidField(`${path}.weight`, weight, "must be in the range 1-100")];
}

function validatePodAffinity(affinity: PodAffinity, path: string): Errors {
  const { requiredDuringSchedulingIgnoredDuringExecution: hard = [], preferredDuringSchedulingIgnoredDuringExecution: soft = [] } =
    affinity;
  return [
    ...hard.flatMap((term, i) => validatePodTerm(term, `${path}.requiredDuringSchedulingIgnoredDuringExecution[${i}]`)),
    ...soft.flatMap(({ weight, podAffinityTerm }, i) => {
      const at = `${path}.preferredDuringSchedulingIgnoredDuringExecution[${i}]`;
      return [...validateWeight(weight, at), ...validatePodTerm(podAffinityTerm, `${at}.podAffinityTerm`)];
    }),
  ];
}

function validatePodTerm(term: PodAffinityTerm, path: string): Errors {
  const errors: FieldError[] = [
    ...validateLabelSelector(term.labelSelector, `${path}.labelSelector`),
    ...validateLabelSelector(term.namespaceSelector, `${path}.namespaceSelector`),
  ];
  for (const name of term.namespaces ?? []) errors.push(...follows(isDns1123Label, name, `${path}.namespace`));
  for (const field of ["matchLabelKeys", "mismatchLabelKeys"] as const) {
    const keys = term[field] ?? [];
    if (keys.length > 0 && term.labelSelector === undefined) {
      errors.push(forbiddenField(`${path}.${field}`, "must not be specified when labelSelector is not set"));
    }
    for (const [i, key] of keys.entries()) errors.push(...follows(isLabelKey, key, `${path}.${field}[${i}]`));
  }
  if (isMissing(term.topologyKey)) errors.push(requiredField(`${path}.topologyKey`, "can not be empty"));
  return [...errors, ...follows(isLabelKey, term.topologyKey ?? "", `${path}.topologyKey`)];
}

export function validateTolerations(tolerations: readonly Toleration[], path: string): Errors {
  return tolerations.flatMap((toleration, index) => {
    const { key = "", operator = "", value = "", effect = "", tolerationSeconds } = toleration;
    const at = `${path}[${index}]`;
    const errors: FieldError[] = key === "" ? [] : [...follows(isLabelKey, key, `${at}.key`)];
    if (key === "" && operator !== "Exists") {
      const message = 'operator must be Exists when `key` is empty, which means "match all values and all keys"';
      errors.push(invalidField(`${at}.operator`, operator, message));
    }
    if (tolerationSeconds !== undefined && effect !== "NoExecute") {
      errors.push(invalidField(`${at}.effect`, effect, "effect must be 'NoExecute' when `tolerationSeconds` is set"));
    }
    if (operator === "" || operator === "Equal") {
      const complaints = isLabelValue(value);
      if (complaints.length > 0) errors.push(invalidField(`${at}.operator`, value, complaints.join(";")));
    } else if (operator === "Exists") {
      if (value !== "") errors.push(invalidField(`${at}.operator`, toleration, "value must be empty when `operator` is 'Exists'"));
    } else errors.push(unsupportedField(`${at}.operator`, operator, ["Equal", "Exists"]));
    return [...errors, ...(effect === "" ? [] : optionalEnum(effect, TAINT_EFFECTS, `${at}.effect`))];
  });
}

export function validateTaints(taints: readonly Taint[], path: string): Errors {
  const seen = new Set<string>();
  return taints.flatMap((taint, index) => {
    const at = `${path}[${index}]`;
    const errors: FieldError[] = [...follows(isLabelKey, taint.key ?? "", `${at}.key`)];
    const complaints = isLabelValue(taint.value ?? "");
    if (complaints.length > 0) errors.push(invalidField(`${at}.value`, taint.value, complaints.join(";")));
    if (isMissing(taint.effect)) errors.push(requiredField(`${at}.effect`));
    else errors.push(...optionalEnum(taint.effect, TAINT_EFFECTS, `${at}.effect`));
    const id = `${taint.key}:${taint.effect}`;
    if (seen.has(id)) errors.push(duplicateField(at, taint));
    seen.add(id);
    return errors;
  });
}

export function validateTopologySpread(constraints: readonly TopologySpreadConstraint[], path: string): Errors {
  const seen = new Set<string>();
  return constraints.flatMap((one, index) => {
    const at = `${path}[${index}]`;
    const errors: FieldError[] = [];
    if ((one.maxSkew ?? 0) <= 0) errors.push(invalidField(`${at}.maxSkew`, one.maxSkew ?? 0, "must be greater than zero"));
    if (isMissing(one.topologyKey)) errors.push(requiredField(`${at}.topologyKey`, "can not be empty"));
    else errors.push(...follows(isLabelKey, one.topologyKey, `${at}.topologyKey`));
    errors.push(...optionalEnum(one.whenUnsatisfiable ?? "", ["DoNotSchedule", "ScheduleAnyway"], `${at}.whenUnsatisfiable`));
    const pair = `{${one.topologyKey}, ${one.whenUnsatisfiable}}`;
    if (seen.has(pair)) errors.push(duplicateField(`${at}.{topologyKey, whenUnsatisfiable}`, pair));
    seen.add(pair);
    if (one.minDomains !== undefined) {
      if (one.minDomains <= 0) errors.push(invalidField(`${at}.minDomains`, one.minDomains, "must be greater than zero"));
      if (one.whenUnsatisfiable !== "DoNotSchedule") {
        const message = `can only use minDomains if whenUnsatisfiable=DoNotSchedule, not ${one.whenUnsatisfiable}`;
        errors.push(invalidField(`${at}.minDomains`, one.minDomains, message));
      }
    }
    for (const field of ["nodeAffinityPolicy", "nodeTaintsPolicy"] as const) {
      errors.push(...optionalEnum(one[field], ["Honor", "Ignore"], `${at}.${field}`));
    }
    errors.push(...validateLabelSelector(one.labelSelector, `${at}.labelSelector`));
    const keys = one.matchLabelKeys ?? [];
    if (keys.length > 0 && one.labelSelector === undefined) {
      errors.push(forbiddenField(`${at}.matchLabelKeys`, "must not be specified when labelSelector is not set"));
    }
    for (const [i, key] of keys.entries()) errors.push(...follows(isLabelKey, key, `${at}.matchLabelKeys[${i}]`));
    return errors;
  });
}
