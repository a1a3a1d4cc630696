import type { PodTemplateSpec } from "#machinery/api/core-v1.ts";
import type { LabelSelector } from "#machinery/api/meta-v1.ts";
import { type FieldError, forbiddenField, invalidField, requiredField, unsupportedField } from "#machinery/field-error.ts";
import { isEverything, matchesLabels, type ParsedLabelSelector } from "#machinery/selector.ts";
import { type Errors, isEmptySelector, parsedSelector, validateAnnotations, validateLabelSelector, validateLabels } from "../validation.ts";
import { type PodSpecContext, validatePodSpec } from "./pod-rules.ts";

/** A template on its own. */
export function validatePodTemplate(template: PodTemplateSpec, path: string, context: PodSpecContext = {}): Errors {
  const spec = template.spec ?? { containers: [] };
  const errors: FieldError[] = [
    ...validateLabels(template.metadata?.labels, `${path}.labels`),
    ...validateAnnotations(template.metadata?.annotations, `${path}.annotations`),
    ...validatePodSpec(spec, `${path}.spec`, context),
  ];
  if ((spec.ephemeralContainers?.length ?? 0) > 0) {
    errors.push(forbiddenField(`${path}.spec.ephemeralContainers`, "ephemeral containers not allowed in pod template"));
  }
  return errors;
}

/** Whether the pods of a template are among those that the selector selects: a workload that could not find its pods would make more forever. */
export function selectorMatchesTemplate(selector: ParsedLabelSelector, template: PodTemplateSpec, path: string): Errors {
  if (isEverything(selector) || matchesLabels(selector, template.metadata?.labels)) return [];
  return [invalidField(`${path}.metadata.labels`, template.metadata?.labels, "`selector` does not match template `labels`")];
}

/** Workloads that keep pods running restart them always and end none. `workload` as upstream spells it. */
export function validateRunningTemplate(template: PodTemplateSpec, workload: string, path: string): Errors {
  const { restartPolicy = "", activeDeadlineSeconds } = template.spec ?? {};
  const errors: FieldError[] = [];
  if (restartPolicy !== "Always") errors.push(unsupportedField(`${path}.spec.restartPolicy`, restartPolicy, ["Always"]));
  if (activeDeadlineSeconds !== undefined) {
    errors.push(forbiddenField(`${path}.spec.activeDeadlineSeconds`, `activeDeadlineSeconds in ${workload} is not Supported`));
  }
  return errors;
}

/** `spec.selector` of a workload: there, valid and not empty. `kind` as the text for an empty one names it. */
export function validateWorkloadSelector(selector: LabelSelector | undefined, kind: string, path: string): Errors {
  if (selector === undefined) return [requiredField(path)];
  const errors = validateLabelSelector(selector, path);
  return isEmptySelector(selector) ? [...errors, invalidField(path, selector, `empty selector is invalid for ${kind}`)] : errors;
}

/** Selector and template of Deployments and ReplicaSets. */
export function validateReplicatedTemplate(
  selector: LabelSelector | undefined,
  template: PodTemplateSpec | undefined,
  paths: { readonly selector: string; readonly template: string },
): Errors {
  const parsed = parsedSelector(selector);
  if (parsed === undefined) return [invalidField(paths.selector, selector, "invalid label selector")];
  if (template === undefined) return [requiredField(paths.template)];
  return [
    ...selectorMatchesTemplate(parsed, template, paths.template),
    ...validatePodTemplate(template, paths.template),
    ...validateRunningTemplate(template, "ReplicaSet", paths.template),
  ];
}
