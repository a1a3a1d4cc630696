import type { Container, PodSpec, ResourceRequirements } from "#machinery/api/core-v1.ts";
import { type FieldError, invalidField, requiredField } from "#machinery/field-error.ts";
import { isLabelKey } from "#machinery/names.ts";
import { compareQuantity, formatQuantity, parseQuantity, type Quantity, quantitySign } from "#machinery/quantity.ts";
import { type Errors, follows, NOT_NEGATIVE } from "../validation.ts";

export type ResourceList = Readonly<Record<string, string | number>>;

const CONTAINER_RESOURCES: readonly string[] = ["cpu", "memory", "ephemeral-storage"];
const HUGE_PAGES = "hugepages-";
const EXACT = /^(0|[-+]?[0-9]+)([kMGTPE]i?)?$/;

/** Names that quotas and nodes know besides container resources. */
const STANDARD_RESOURCES: ReadonlySet<string> = new Set([
  ...CONTAINER_RESOURCES,
  "requests.cpu",
  "requests.memory",
  "requests.ephemeral-storage",
  "limits.cpu",
  "limits.memory",
  "limits.ephemeral-storage",
  "pods",
  "resourcequotas",
  "services",
  "replicationcontrollers",
  "secrets",
  "persistentvolumeclaims",
  "configmaps",
  "services.nodeports",
  "services.loadbalancers",
  "storage",
  "requests.storage",
]);

export function isHugePages(resource: string): boolean {
  return resource.startsWith(HUGE_PAGES);
}

/** `example.com/device`, but not `kubernetes.io/...`. */
export function isExtendedResource(resource: string): boolean {
  return !isNativeResource(resource) && !resource.startsWith("requests.");
}

function isNativeResource(resource: string): boolean {
  return !resource.includes("/") || resource.includes("kubernetes.io/");
}

/** Whether requests may be smaller than limits. */
function allowsOvercommit(resource: string): boolean {
  return isNativeResource(resource) && !isHugePages(resource);
}

export function validateResourceName(resource: string, path: string): Errors {
  const errors = follows(isLabelKey, resource, path);
  if (errors.length > 0 || resource.includes("/") || STANDARD_RESOURCES.has(resource) || isHugePages(resource)) return errors;
  return [invalidField(path, resource, "must be a standard resource type or fully qualified")];
}

export function validateContainerResourceName(resource: string, path: string): Errors {
  const errors = follows(isLabelKey, resource, path);
  if (resource.includes("/") || CONTAINER_RESOURCES.includes(resource) || isHugePages(resource)) return errors;
  return [...errors, invalidField(path, resource, "must be a standard resource for containers")];
}

export function validateQuantity(resource: string, amount: string | number, path: string): Errors {
  const errors: FieldError[] = [];
  const quantity = parseQuantity(amount);
  if (quantitySign(quantity) < 0) errors.push(invalidField(path, formatQuantity(quantity), NOT_NEGATIVE));
  if ((isExtendedResource(resource) || INTEGER_RESOURCES.has(resource)) && !EXACT.test(formatQuantity(quantity))) {
    errors.push(invalidField(path, formatQuantity(quantity), "must be an integer"));
  }
  return errors;
}

const INTEGER_RESOURCES: ReadonlySet<string> = new Set([
  "pods",
  "resourcequotas",
  "services",
  "replicationcontrollers",
  "secrets",
  "configmaps",
  "persistentvolumeclaims",
  "services.nodeports",
  "services.loadbalancers",
]);

export function validateResourceRequirements(resources: ResourceRequirements | undefined, path: string): Errors {
  if (resources === undefined) return [];
  const { limits = {}, requests = {} } = resources;
  const errors: FieldError[] = [];
  for (const [resource, limit] of Object.entries(limits)) {
    const at = `${path}.limits[${resource}]`;
    errors.push(...validateContainerResourceName(resource, at), ...validateQuantity(resource, limit, at));
  }
  for (const [resource, request] of Object.entries(requests)) {
    const at = `${path}.requests[${resource}]`;
    errors.push(...validateContainerResourceName(resource, at), ...validateQuantity(resource, request, at));
    errors.push(...againstLimit(resource, parseQuantity(request), limits[resource], path));
  }
  const pages = [...Object.keys(limits), ...Object.keys(requests)].some(isHugePages);
  if (pages && !["cpu", "memory"].some((resource) => resource in limits || resource in requests)) {
    errors.push({ type: "Forbidden", field: path, detail: "HugePages require cpu or memory" });
  }
  return errors;
}

function againstLimit(resource: string, request: Quantity, limit: string | number | undefined, path: string): Errors {
  if (limit === undefined) {
    return allowsOvercommit(resource) ? [] : [requiredField(`${path}.limits`, "Limit must be set for non overcommitable resources")];
  }
  const most = parseQuantity(limit);
  const order = compareQuantity(request, most);
  const text = `${resource} limit of ${formatQuantity(most)}`;
  if (order !== 0 && !allowsOvercommit(resource)) {
    return [invalidField(`${path}.requests`, formatQuantity(request), `must be equal to ${text}`)];
  }
  return order > 0 ? [invalidField(`${path}.requests`, formatQuantity(request), `must be less than or equal to ${text}`)] : [];
}

export type QosClass = "Guaranteed" | "Burstable" | "BestEffort";

const COMPUTE = ["cpu", "memory"] as const;

/** Guaranteed: every container limits cpu and memory and requests just that. BestEffort: none asks for anything. */
export function qosClassOf(spec: PodSpec): QosClass {
  const podLevel = spec.resources;
  if (podLevel !== undefined && (positive(podLevel.limits).length > 0 || positive(podLevel.requests).length > 0)) return qosOf([podLevel]);
  const containers: readonly Container[] = [...(spec.containers ?? []), ...(spec.initContainers ?? [])];
  return qosOf(containers.map(({ resources }) => resources ?? {}));
}

function qosOf(all: readonly ResourceRequirements[]): QosClass {
  if (all.every(({ limits, requests }) => positive(limits).length === 0 && positive(requests).length === 0)) return "BestEffort";
  const guaranteed = COMPUTE.every((resource) => {
    if (!all.every(({ limits }) => positive(limits).includes(resource))) return false;
    return all.every(({ limits, requests }) => {
      const request = requests?.[resource];
      return request === undefined || compareQuantity(parseQuantity(request), parseQuantity(limits?.[resource] ?? 0)) === 0;
    });
  });
  return guaranteed ? "Guaranteed" : "Burstable";
}

function positive(list: ResourceList | undefined): readonly string[] {
  return COMPUTE.filter((resource) => {
    const amount = list?.[resource];
    return amount !== undefined && quantitySign(parseQuantity(amount)) > 0;
  });
}
