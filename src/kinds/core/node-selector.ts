import type { NodeSelector, NodeSelectorRequirement, NodeSelectorTerm } from "#machinery/api/core-v1.ts";

type Labels = Readonly<Record<string, string>>;

/** Terms are alternatives; a term without any requirement matches nothing. */
export function matchesNodeSelector({ nodeSelectorTerms }: NodeSelector, name: string, labels: Labels): boolean {
  return nodeSelectorTerms.some((term) => matchesNodeTerm(term, name, labels));
}

/** All requirements of one term, on labels and on the field metadata.name. */
export function matchesNodeTerm({ matchExpressions = [], matchFields = [] }: NodeSelectorTerm, name: string, labels: Labels): boolean {
  if (matchExpressions.length === 0 && matchFields.length === 0) return false;
  return (
    matchExpressions.every((requirement) =>
      satisfies(requirement, Object.hasOwn(labels, requirement.key) ? labels[requirement.key] : undefined),
    ) && matchFields.every((requirement) => satisfies(requirement, requirement.key === "metadata.name" ? name : undefined))
  );
}

function satisfies({ operator, values = [] }: NodeSelectorRequirement, value: string | undefined): boolean {
  switch (operator) {
    case "In":
      return value !== undefined && values.includes(value);
    case "NotIn":
      return value === undefined || !values.includes(value);
    case "Exists":
      return value !== undefined;
    case "DoesNotExist":
      return value === undefined;
    case "Gt":
    case "Lt": {
      const [found, bound] = [Number(value), Number(values[0])];
      if (value === undefined || !Number.isInteger(found) || !Number.isInteger(bound)) return false;
      return operator === "Gt" ? found > bound : found < bound;
    }
  }
}
