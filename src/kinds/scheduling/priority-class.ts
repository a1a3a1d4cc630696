import type { PriorityClass } from "#machinery/api/scheduling-v1.ts";
import { type FieldError, forbiddenField } from "#machinery/field-error.ts";
import { defineKind } from "../kind.ts";
import { ageColumn, column, nameColumn } from "../printing.ts";
import { type Errors, optionalEnum } from "../validation.ts";

export const PriorityClassKind = defineKind<PriorityClass>({
  group: "scheduling.k8s.io",
  version: "v1",
  kind: "PriorityClass",
  plural: "priorityclasses",
  shortNames: ["pc"],
  scope: "Cluster",
  typeName: "io.k8s.api.scheduling.v1.PriorityClass",
  columns: [
    nameColumn,
    column("Value", "The priority of its pods.", ({ value = 0 }) => value, "integer"),
    column("Global-Default", "Whether pods that name no class get this one.", ({ globalDefault = false }) => globalDefault, "boolean"),
    ageColumn,
    column("PreemptionPolicy", "Whether its pods may preempt others.", ({ preemptionPolicy = "" }) => preemptionPolicy),
  ],
  strategy: {
    default: (priorityClass) => ({ ...priorityClass, preemptionPolicy: priorityClass.preemptionPolicy ?? "PreemptLowerPriority" }),
    generation: (next, previous) => next.globalDefault !== previous.globalDefault || next.description !== previous.description,
    validate: validatePriorityClass,
    validateUpdate: validatePriorityClassUpdate,
  },
});

export const HIGHEST_USER_PRIORITY = 1_000_000_000;
const SYSTEM_CLASSES: Readonly<Record<string, number>> = {
  "system-node-critical": 2 * HIGHEST_USER_PRIORITY + 1000,
  "system-cluster-critical": 2 * HIGHEST_USER_PRIORITY,
};

function validatePriorityClass({ metadata, value = 0, globalDefault = false, preemptionPolicy }: PriorityClass): Errors {
  const errors: FieldError[] = [];
  const { name = "" } = metadata;
  if (name.startsWith("system-")) {
    if (SYSTEM_CLASSES[name] !== value || globalDefault) {
      const text =
        SYSTEM_CLASSES[name] === undefined
          ? `${name} is not a known system priority class`
          : `value of ${name} PriorityClass must be ${SYSTEM_CLASSES[name]}`;
      errors.push(
        forbiddenField("metadata.name", `priority class names with 'system-' prefix are reserved for system use only. error: ${text}`),
      );
    }
  } else if (value > HIGHEST_USER_PRIORITY) {
    errors.push(forbiddenField("value", `maximum allowed value of a user defined priority is ${HIGHEST_USER_PRIORITY}`));
  }
  return [...errors, ...optionalEnum(preemptionPolicy, ["Never", "PreemptLowerPriority"], "preemptionPolicy")];
}

function validatePriorityClassUpdate(next: PriorityClass, previous: PriorityClass): Errors {
  const errors: FieldError[] = [];
  if ((next.value ?? 0) !== (previous.value ?? 0)) errors.push(forbiddenField("value", "may not be changed in an update."));
  if (next.preemptionPolicy !== previous.preemptionPolicy) {
    errors.push({ type: "Invalid", field: "preemptionPolicy", value: next.preemptionPolicy, detail: "field is immutable" });
  }
  return errors;
}
