import type { PolicyRule } from "#machinery/api/rbac-v1.ts";
import type { Attributes } from "./authorize.ts";

/** Pure: whether one rule of a role allows a request. */
export function ruleAllows(rule: PolicyRule, attributes: Attributes): boolean {
  const { verb, isResource, group, resource, subresource, name, path } = attributes;
  if (!includes(rule.verbs, verb)) return false;
  if (!isResource) return (rule.nonResourceURLs ?? []).some((pattern) => urlMatches(pattern, path));
  if (!includes(rule.apiGroups, group)) return false;
  if (!resourceMatches(rule.resources ?? [], resource, subresource)) return false;
  const { resourceNames = [] } = rule;
  return resourceNames.length === 0 || resourceNames.includes(name);
}

function includes(list: readonly string[] | undefined, wanted: string): boolean {
  return list !== undefined && (list.includes("*") || list.includes(wanted));
}

function resourceMatches(resources: readonly string[], resource: string, subresource: string): boolean {
  if (resources.includes("*")) return true;
  if (subresource === "") return resources.includes(resource);
  return resources.includes(`${resource}/${subresource}`) || resources.includes(`*/${subresource}`);
}

function urlMatches(pattern: string, path: string): boolean {
  if (pattern === "*" || pattern === path) return true;
  return pattern.endsWith("*") && path.startsWith(pattern.slice(0, -1));
}

/** Pure: those rules of `wanted` that are not contained in `held` taken together, one per verb, group and resource. */
export function rulesNotCovered(held: readonly PolicyRule[], wanted: readonly PolicyRule[]): readonly PolicyRule[] {
  return wanted.flatMap(breakDown).filter((rule) => !held.some((owner) => covers(owner, rule)));
}

function breakDown(rule: PolicyRule): readonly PolicyRule[] {
  const rules: PolicyRule[] = [];
  for (const verb of rule.verbs ?? []) {
    for (const group of rule.apiGroups ?? []) {
      for (const resource of rule.resources ?? []) {
        const base = { verbs: [verb], apiGroups: [group], resources: [resource] };
        if ((rule.resourceNames ?? []).length === 0) rules.push(base);
        else for (const name of rule.resourceNames ?? []) rules.push({ ...base, resourceNames: [name] });
      }
    }
    for (const url of rule.nonResourceURLs ?? []) rules.push({ verbs: [verb], nonResourceURLs: [url] });
  }
  return rules;
}

/** Whether everything a broken-down rule allows is allowed by `owner`. */
function covers(owner: PolicyRule, rule: PolicyRule): boolean {
  const [verb = ""] = rule.verbs ?? [];
  if (!includes(owner.verbs, verb)) return false;
  const [url] = rule.nonResourceURLs ?? [];
  if (url !== undefined) {
    return (owner.nonResourceURLs ?? []).some(
      (pattern) => pattern === "*" || pattern === url || (pattern.endsWith("*") && url.replace(/\*$/, "").startsWith(pattern.slice(0, -1))),
    );
  }
  const [group = ""] = rule.apiGroups ?? [];
  const [resource = ""] = rule.resources ?? [];
  const [base = "", sub = ""] = resource.split("/");
  if (!includes(owner.apiGroups, group)) return false;
  const owned = owner.resources ?? [];
  if (!owned.includes("*") && !owned.includes(resource) && !(sub !== "" && base !== "" && owned.includes(`*/${sub}`))) return false;
  const { resourceNames = [] } = owner;
  const [name] = rule.resourceNames ?? [];
  return resourceNames.length === 0 || (name !== undefined && resourceNames.includes(name));
}

/** `{APIGroups:[""], Resources:["pods"], Verbs:["get"]}`, as refusals of escalation print rules. */
export function printRule(rule: PolicyRule): string {
  const part = (name: string, list: readonly string[] | undefined) =>
    list === undefined || list.length === 0 ? [] : [`${name}:[${list.map((item) => JSON.stringify(item)).join(" ")}]`];
  return `{${[
    ...part("APIGroups", rule.apiGroups),
    ...part("Resources", rule.resources),
    ...part("ResourceNames", rule.resourceNames),
    ...part("NonResourceURLs", rule.nonResourceURLs),
    ...part("Verbs", rule.verbs),
  ].join(", ")}}`;
}
