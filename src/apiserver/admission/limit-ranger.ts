import type { Container, LimitRangeItem, PersistentVolumeClaim, Pod } from "#machinery/api/core-v1.ts";
import { LimitRangeKind } from "#kinds/core/limit-range.ts";
import type { KubeObject } from "#machinery/object.ts";
import { addQuantity, compareQuantity, formatQuantity, parseQuantity, type Quantity, quantityNumber, ZERO } from "#machinery/quantity.ts";
import { forbidden } from "#machinery/status.ts";
import type { Objects } from "../objects.ts";
import type { AdmissionPlugin, AdmissionRequest } from "./admission.ts";

type Amounts = Readonly<Record<string, string | number>>;

/** Defaults and bounds that the LimitRanges of a namespace set for containers, pods and claims. */
export function limitRanger({ objects }: { readonly objects: Objects }): AdmissionPlugin {
  return {
    name: "LimitRanger",
    async admit(request) {
      const { object, kind, operation, subresource, namespace } = request;
      if (kind.kind !== "Pod" || operation !== "CREATE" || subresource !== "") return object;
      const items = await limitsOf(namespace);
      const defaults = items.filter(({ type }) => type === "Container");
      if (defaults.length === 0) return object;
      const pod = object as Pod;
      const fill = <C extends Container>(container: C) => defaults.reduce<C>(withDefaults, container);
      return {
        ...pod,
        spec: {
          ...pod.spec,
          containers: (pod.spec?.containers ?? []).map(fill),
          ...(pod.spec?.initContainers === undefined ? {} : { initContainers: pod.spec.initContainers.map(fill) }),
        },
      } as KubeObject;
    },
    async validate(request) {
      const { object, kind, operation, subresource, namespace, name } = request;
      const isPod = kind.kind === "Pod" && operation === "CREATE" && subresource === "";
      const isClaim = kind.kind === "PersistentVolumeClaim" && (operation === "CREATE" || operation === "UPDATE") && subresource === "";
      if (!isPod && !isClaim) return;
      const problems = (await limitsOf(namespace)).flatMap((item) =>
        isPod ? podProblems(object as Pod, item) : claimProblems(object as PersistentVolumeClaim, item),
      );
      if (problems.length > 0) throw refuse(request, name, problems);
    },
  };

  async function limitsOf(namespace: string): Promise<readonly LimitRangeItem[]> {
    return (await objects.list(LimitRangeKind, namespace)).flatMap(({ spec }) => spec?.limits ?? []);
  }
}

function refuse({ kind }: AdmissionRequest, name: string, problems: readonly string[]) {
  const [only = ""] = problems;
  return forbidden(kind, name, problems.length === 1 ? only : `[${problems.join(", ")}]`);
}

function withDefaults<C extends Container>(container: C, item: LimitRangeItem): C {
  const limits: Amounts = { ...item.default, ...container.resources?.limits };
  // A request that is not given is as large as the limit that is, before the range's own default counts.
  const requests: Amounts = { ...item.defaultRequest, ...container.resources?.limits, ...container.resources?.requests };
  return {
    ...container,
    resources: {
      ...container.resources,
      ...(Object.keys(limits).length === 0 ? {} : { limits }),
      ...(Object.keys(requests).length === 0 ? {} : { requests }),
    },
  };
}

/** Pure. */
function podProblems({ spec }: Pod, item: LimitRangeItem): readonly string[] {
  const containers = [...(spec?.containers ?? []), ...(spec?.initContainers ?? [])];
  if (item.type === "Container") {
    return containers.flatMap(({ resources }) => problems(item, parsed(resources?.requests), parsed(resources?.limits)));
  }
  if (item.type !== "Pod") return [];
  const total = (of: "requests" | "limits") =>
    (spec?.containers ?? []).reduce<Record<string, Quantity>>((sum, { resources }) => {
      for (const [name, amount] of Object.entries(parsed(resources?.[of]))) sum[name] = addQuantity(sum[name] ?? ZERO, amount);
      return sum;
    }, {});
  return problems(item, total("requests"), total("limits"));
}

function claimProblems({ spec }: PersistentVolumeClaim, item: LimitRangeItem): readonly string[] {
  if (item.type !== "PersistentVolumeClaim") return [];
  const requests = parsed(spec?.resources?.requests);
  return problems({ ...item, max: {} }, requests, {}).concat(
    Object.entries(item.max ?? {}).flatMap(([name, max]) => {
      const asked = requests[name];
      if (asked === undefined || compareQuantity(asked, parseQuantity(max)) <= 0) return [];
      return [`maximum ${name} usage per ${item.type} is ${print(max)}, but request is ${formatQuantity(asked)}`];
    }),
  );
}

function problems(
  item: LimitRangeItem,
  requests: Readonly<Record<string, Quantity>>,
  limits: Readonly<Record<string, Quantity>>,
): string[] {
  const found: string[] = [];
  for (const [name, min] of Object.entries(item.min ?? {})) {
    const asked = requests[name];
    const what = `minimum ${name} usage per ${item.type} is ${print(min)}`;
    if (asked === undefined) found.push(`${what}. No request is specified`);
    else if (compareQuantity(asked, parseQuantity(min)) < 0) found.push(`${what}, but request is ${formatQuantity(asked)}`);
  }
  for (const [name, max] of Object.entries(item.max ?? {})) {
    const limit = limits[name];
    const asked = requests[name];
    const what = `maximum ${name} usage per ${item.type} is ${print(max)}`;
    if (limit === undefined) found.push(`${what}. No limit is specified`);
    else if (compareQuantity(limit, parseQuantity(max)) > 0) found.push(`${what}, but limit is ${formatQuantity(limit)}`);
    if (asked !== undefined && compareQuantity(asked, parseQuantity(max)) > 0)
      found.push(`${what}, but request is ${formatQuantity(asked)}`);
  }
  for (const [name, ratio] of Object.entries(item.maxLimitRequestRatio ?? {})) {
    const [limit, asked] = [limits[name], requests[name]];
    const what = `${name} max limit to request ratio per ${item.type} is ${print(ratio)}`;
    if (limit === undefined || asked === undefined) found.push(`${what}, but no request is specified or request is 0`);
    else if (value(limit) / value(asked) > value(parseQuantity(ratio)))
      found.push(`${what}, but provided ratio is ${(value(limit) / value(asked)).toFixed(6)}`);
  }
  return found;
}

function parsed(amounts: Amounts | undefined): Readonly<Record<string, Quantity>> {
  return Object.fromEntries(Object.entries(amounts ?? {}).map(([name, amount]) => [name, parseQuantity(amount)]));
}

function print(amount: string | number): string {
  return formatQuantity(parseQuantity(amount));
}

const value = quantityNumber;
