import type { Container, Pod, PodSpec, Toleration } from "#machinery/api/core-v1.ts";
import { type FieldError, forbiddenField, invalidField } from "#machinery/field-error.ts";
import { type Errors, same } from "../validation.ts";
import { validateEphemeralContainers } from "./pod-rules.ts";
import { qosClassOf } from "./resources.ts";

const CHANGEABLE =
  "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";

/** The few things about a pod that may change once it exists. */
export function validatePodUpdate(next: Pod, previous: Pod): Errors {
  const errors: FieldError[] = [];
  for (const field of ["containers", "initContainers"] as const) {
    if ((next.spec[field]?.length ?? 0) !== (previous.spec[field]?.length ?? 0)) {
      errors.push(forbiddenField(`spec.${field}`, `pod updates may not add or remove containers`));
    }
  }
  if (errors.length > 0) return errors;
  errors.push(...validateDeadline(next.spec, previous.spec), ...validateGateRemoval(next.spec, previous.spec));
  if (!tolerationsOnlyGrow(next.spec.tolerations ?? [], previous.spec.tolerations ?? [])) {
    errors.push(forbiddenField("spec.tolerations", "existing toleration can not be modified except its tolerationSeconds"));
  }
  if (!same(comparable(next.spec, previous.spec), previous.spec)) {
    errors.push(forbiddenField("spec", `${CHANGEABLE}\n${differenceText(comparable(next.spec, previous.spec), previous.spec)}`));
  }
  return errors;
}

/** Ephemeral containers are only ever added. */
export function validateEphemeralContainersUpdate(next: Pod, previous: Pod): Errors {
  const path = "spec.ephemeralContainers";
  const errors: FieldError[] = [...validateEphemeralContainers(next.spec, path)];
  const kept = new Map((next.spec.ephemeralContainers ?? []).map((container) => [container.name, container]));
  for (const container of previous.spec.ephemeralContainers ?? []) {
    const now = kept.get(container.name);
    if (now === undefined) {
      errors.push(forbiddenField(path, `existing ephemeral containers ${JSON.stringify(container.name)} may not be removed\n`));
    } else if (!same(now, container)) {
      errors.push(forbiddenField(path, `existing ephemeral containers ${JSON.stringify(container.name)} may not be changed\n`));
    }
  }
  return errors;
}

/** A resize keeps the quality of service, and takes no request or limit away. */
export function validateResize(next: Pod, previous: Pod): Errors {
  const errors: FieldError[] = [];
  const qosClass = qosClassOf(next.spec);
  if (qosClass !== qosClassOf(previous.spec)) {
    errors.push(invalidField("spec", qosClass, "Pod QOS Class may not change as a result of resizing"));
  }
  for (const field of ["containers", "initContainers"] as const) {
    for (const [i, { resources = {} }] of (next.spec[field] ?? []).entries()) {
      const before = previous.spec[field]?.[i]?.resources;
      for (const kind of ["requests", "limits"] as const) {
        const kept = (before?.[kind] === undefined ? [] : Object.keys(before[kind])).every((name) => resources[kind]?.[name] !== undefined);
        if (!kept) errors.push(forbiddenField(`spec.${field}[${i}].resources.${kind}`, `resource ${kind} cannot be removed`));
      }
    }
  }
  return errors;
}

function validateDeadline(next: PodSpec, previous: PodSpec): Errors {
  const path = "spec.activeDeadlineSeconds";
  const { activeDeadlineSeconds: after } = next;
  const { activeDeadlineSeconds: before } = previous;
  if (before === undefined) return [];
  if (after === undefined) return [invalidField(path, after, "must not update from a positive integer to nil value")];
  return after > before ? [invalidField(path, after, "must be less than or equal to previous value")] : [];
}

function validateGateRemoval(next: PodSpec, previous: PodSpec): Errors {
  const before = new Set((previous.schedulingGates ?? []).map(({ name }) => name));
  return (next.schedulingGates ?? [])
    .filter(({ name }) => !before.has(name))
    .map(({ name }) => forbiddenField("spec.schedulingGates", `only deletion is allowed, but found new scheduling gate '${name}'`));
}

function tolerationsOnlyGrow(next: readonly Toleration[], previous: readonly Toleration[]): boolean {
  const identity = ({ key, operator, value, effect }: Toleration) => ({ key, operator, value, effect });
  return previous.every((old) => next.some((one) => same(identity(one), identity(old))));
}

/** `next` with everything that may change as it was. */
function comparable(next: PodSpec, previous: PodSpec): PodSpec {
  const { activeDeadlineSeconds: _a, tolerations: _t, schedulingGates: _g, terminationGracePeriodSeconds: grace, ...rest } = next;
  const gated = (previous.schedulingGates?.length ?? 0) > 0;
  return {
    ...rest,
    ...(grace === 1 && (previous.terminationGracePeriodSeconds ?? 0) < 0
      ? pick(previous, "terminationGracePeriodSeconds")
      : pick(next, "terminationGracePeriodSeconds")),
    ...pick(previous, "activeDeadlineSeconds"),
    ...pick(previous, "tolerations"),
    ...pick(previous, "schedulingGates"),
    ...(gated ? gatedFields(next, previous) : {}),
    containers: withImages(next.containers ?? [], previous.containers ?? []),
    ...(next.initContainers === undefined ? {} : { initContainers: withImages(next.initContainers, previous.initContainers ?? []) }),
  };
}

/** A gated pod may be narrowed to fewer nodes. */
function gatedFields(next: PodSpec, previous: PodSpec): Partial<PodSpec> {
  const narrowed = Object.entries(previous.nodeSelector ?? {}).every(([key, value]) => next.nodeSelector?.[key] === value);
  const affinity = previous.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution === undefined;
  return { ...(narrowed ? pick(previous, "nodeSelector") : {}), ...(affinity ? pick(previous, "affinity") : {}) };
}

function pick<K extends keyof PodSpec>(spec: PodSpec, key: K): Partial<Pick<PodSpec, K>> {
  const part: Partial<Pick<PodSpec, K>> = {};
  if (spec[key] !== undefined) part[key] = spec[key];
  return part;
}

function withImages(next: readonly Container[], previous: readonly Container[]): readonly Container[] {
  return next.map((container, index) => {
    const { image: _, ...rest } = container;
    const image = previous[index]?.image;
    return image === undefined ? rest : { ...rest, image };
  });
}

/** The fields that differ, before and after. Upstream prints Go values here; clients read only the first line. */
function differenceText(next: PodSpec, previous: PodSpec): string {
  const fields = [...new Set([...Object.keys(previous), ...Object.keys(next)])].filter(
    (field) => !same(next[field as keyof PodSpec], previous[field as keyof PodSpec]),
  );
  const lines = fields.flatMap((field) => [
    ...line("-", field, previous[field as keyof PodSpec]),
    ...line("+", field, next[field as keyof PodSpec]),
  ]);
  return ["  core.PodSpec{", ...lines, "  }", ""].join("\n");
}

function line(sign: "-" | "+", field: string, value: unknown): readonly string[] {
  return value === undefined ? [] : [`${sign} \t${field.charAt(0).toUpperCase()}${field.slice(1)}: ${JSON.stringify(value)},`];
}
