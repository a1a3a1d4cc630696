import type {
  CrossVersionObjectReference,
  HorizontalPodAutoscalerSpec,
  HPAScalingRules,
  MetricIdentifier,
  MetricSpec,
  MetricTarget,
} from "#machinery/api/autoscaling-v2.ts";
import { type FieldError, forbiddenField, invalidField, requiredField, unsupportedField } from "#machinery/field-error.ts";
import { isPathSegmentName } from "#machinery/names.ts";
import { type Errors, follows, isMissing, optionalEnum, validateLabelSelector } from "../validation.ts";
import { positiveQuantity } from "../core/claim-rules.ts";

const MAX_WINDOW_SECONDS = 3600;
const MAX_PERIOD_SECONDS = 1800;

/** Without metrics, 80 % of the requested CPU. */
export function defaultAutoscaler(spec: HorizontalPodAutoscalerSpec): HorizontalPodAutoscalerSpec {
  const { behavior } = spec;
  return {
    ...spec,
    minReplicas: spec.minReplicas ?? 1,
    metrics:
      (spec.metrics?.length ?? 0) > 0
        ? (spec.metrics ?? [])
        : [{ type: "Resource", resource: { name: "cpu", target: { type: "Utilization", averageUtilization: 80 } } }],
    ...(behavior === undefined
      ? {}
      : { behavior: { scaleUp: scalingRules(SCALE_UP, behavior.scaleUp), scaleDown: scalingRules(SCALE_DOWN, behavior.scaleDown) } }),
  };
}

const SCALE_UP: HPAScalingRules = {
  stabilizationWindowSeconds: 0,
  selectPolicy: "Max",
  policies: [
    { type: "Pods", value: 4, periodSeconds: 15 },
    { type: "Percent", value: 100, periodSeconds: 15 },
  ],
};
const SCALE_DOWN: HPAScalingRules = { selectPolicy: "Max", policies: [{ type: "Percent", value: 100, periodSeconds: 15 }] };

function scalingRules(fallback: HPAScalingRules, rules: HPAScalingRules = {}): HPAScalingRules {
  return { ...fallback, ...rules };
}

export function validateReplicaBounds(
  { minReplicas, maxReplicas }: { readonly minReplicas?: number; readonly maxReplicas: number },
  path: string,
): Errors {
  const errors: FieldError[] = [];
  if (minReplicas !== undefined && minReplicas < 1) {
    errors.push(invalidField(`${path}.minReplicas`, minReplicas, "must be greater than or equal to 1"));
  }
  if (maxReplicas < 1) errors.push(invalidField(`${path}.maxReplicas`, maxReplicas, "must be greater than 0"));
  if (minReplicas !== undefined && maxReplicas < minReplicas) {
    errors.push(invalidField(`${path}.maxReplicas`, maxReplicas, "must be greater than or equal to `minReplicas`"));
  }
  return errors;
}

export function validateScaleTarget(reference: CrossVersionObjectReference | undefined, path: string): Errors {
  return (["kind", "name"] as const).flatMap((field) => {
    const value = reference?.[field];
    return isMissing(value) ? [requiredField(`${path}.${field}`)] : follows(isPathSegmentName, value, `${path}.${field}`);
  });
}

export function validateAutoscalerSpec(spec: HorizontalPodAutoscalerSpec, path: string): Errors {
  const errors: FieldError[] = [
    ...validateReplicaBounds(spec, path),
    ...validateScaleTarget(spec.scaleTargetRef, `${path}.scaleTargetRef`),
    ...(spec.metrics ?? []).flatMap((metric, i) => validateMetric(metric, `${path}.metrics[${i}]`)),
  ];
  for (const direction of ["scaleUp", "scaleDown"] as const) {
    const rules = spec.behavior?.[direction];
    if (rules !== undefined) errors.push(...validateScalingRules(rules, `${path}.behavior.${direction}`));
  }
  return errors;
}

function validateScalingRules({ stabilizationWindowSeconds: window, selectPolicy, policies = [] }: HPAScalingRules, path: string): Errors {
  const errors: FieldError[] = [];
  if (window !== undefined && window < 0) {
    errors.push(invalidField(`${path}.stabilizationWindowSeconds`, window, "must be greater than or equal to zero"));
  }
  if (window !== undefined && window > MAX_WINDOW_SECONDS) {
    const message = `must be less than or equal to ${MAX_WINDOW_SECONDS}`;
    errors.push(invalidField(`${path}.stabilizationWindowSeconds`, window, message));
  }
  errors.push(...optionalEnum(selectPolicy, ["Disabled", "Max", "Min"], `${path}.selectPolicy`));
  if (policies.length === 0) return [...errors, requiredField(`${path}.policies`, "must specify at least one Policy")];
  for (const [i, { type, value, periodSeconds }] of policies.entries()) {
    const at = `${path}.policies[${i}]`;
    errors.push(...optionalEnum(type, ["Percent", "Pods"], `${at}.type`));
    if (value <= 0) errors.push(invalidField(`${at}.value`, value, "must be greater than zero"));
    if (periodSeconds <= 0) errors.push(invalidField(`${at}.periodSeconds`, periodSeconds, "must be greater than zero"));
    if (periodSeconds > MAX_PERIOD_SECONDS) {
      errors.push(invalidField(`${at}.periodSeconds`, periodSeconds, `must be less than or equal to ${MAX_PERIOD_SECONDS}`));
    }
  }
  return errors;
}

const SOURCES = {
  Object: "object",
  Pods: "pods",
  Resource: "resource",
  ContainerResource: "containerResource",
  External: "external",
} as const satisfies Readonly<Record<string, keyof MetricSpec>>;

function isMetricType(type: string): type is keyof typeof SOURCES {
  return Object.hasOwn(SOURCES, type);
}

function validateMetric(metric: MetricSpec, path: string): Errors {
  const { type } = metric;
  if (isMissing(type)) return [requiredField(`${path}.type`, "must specify a metric source type")];
  if (!isMetricType(type)) return [unsupportedField(`${path}.type`, type, Object.keys(SOURCES).sort())];
  const wanted = SOURCES[type];
  const errors: FieldError[] = [];
  for (const source of Object.values(SOURCES)) {
    if (source !== wanted && metric[source] !== undefined) {
      errors.push(forbiddenField(`${path}.${source}`, "must populate the given metric source only"));
    }
  }
  if (metric[wanted] === undefined) {
    return [...errors, requiredField(`${path}.${wanted}`, `must populate information for the given metric source`)];
  }
  return [...errors, ...validateSource(metric, `${path}.${wanted}`)];
}

function validateSource({ object, pods, resource, containerResource, external }: MetricSpec, path: string): Errors {
  if (object !== undefined) {
    return [
      ...validateScaleTarget(object.describedObject, `${path}.describedObject`),
      ...validateIdentifier(object.metric, `${path}.metric`),
      ...validateTarget(object.target, `${path}.target`),
    ];
  }
  if (pods !== undefined) {
    const errors: FieldError[] = [...validateIdentifier(pods.metric, `${path}.metric`), ...validateTarget(pods.target, `${path}.target`)];
    if (pods.target?.averageValue === undefined)
      errors.push(requiredField(`${path}.target.averageValue`, "must specify a positive target averageValue"));
    return errors;
  }
  if (external !== undefined) {
    return [...validateIdentifier(external.metric, `${path}.metric`), ...validateTarget(external.target, `${path}.target`)];
  }
  const source = resource ?? containerResource;
  const errors: FieldError[] = [];
  if (isMissing(source?.name)) errors.push(requiredField(`${path}.name`, "must specify a resource name"));
  if (containerResource !== undefined && isMissing(containerResource.container)) {
    errors.push(requiredField(`${path}.container`, "must specify a container"));
  }
  const { averageUtilization, averageValue } = source?.target ?? {};
  if (averageUtilization === undefined && averageValue === undefined) {
    errors.push(requiredField(`${path}.target.averageUtilization`, "must set either a target raw value or a target utilization"));
  }
  if (averageUtilization !== undefined && averageValue !== undefined) {
    errors.push(forbiddenField(`${path}.target.averageValue`, "may not set both a target raw value and a target utilization"));
  }
  return [...errors, ...validateTarget(source?.target, `${path}.target`)];
}

function validateIdentifier(metric: MetricIdentifier | undefined, path: string): Errors {
  if (metric === undefined || isMissing(metric.name)) return [requiredField(`${path}.name`)];
  return [...follows(isPathSegmentName, metric.name, `${path}.name`), ...validateLabelSelector(metric.selector, `${path}.selector`)];
}

function validateTarget(target: MetricTarget | undefined, path: string): Errors {
  const { type = "", value, averageValue, averageUtilization } = target ?? {};
  const errors: FieldError[] = [];
  if (type === "") errors.push(requiredField(`${path}.type`, "must specify a metric target type"));
  else if (!["AverageValue", "Utilization", "Value"].includes(type)) {
    errors.push(invalidField(`${path}.type`, type, "must be either Utilization, Value, or AverageValue"));
  }
  if (averageUtilization !== undefined && averageUtilization < 1) {
    errors.push(invalidField(`${path}.averageUtilization`, averageUtilization, "must be greater than 0"));
  }
  if (value !== undefined) errors.push(...positiveQuantity(value, `${path}.value`).map(positiveText));
  if (averageValue !== undefined) errors.push(...positiveQuantity(averageValue, `${path}.averageValue`).map(positiveText));
  return errors;
}

function positiveText(error: FieldError): FieldError {
  return error.type === "Invalid" ? { ...error, detail: "must be positive" } : error;
}
