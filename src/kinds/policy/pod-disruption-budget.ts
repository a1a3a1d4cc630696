import type { PodDisruptionBudget } from "#machinery/api/policy-v1.ts";
import { invalidField } from "#machinery/field-error.ts";
import { defineKind, STATUS } from "../kind.ts";
import { ageColumn, column, nameColumn } from "../printing.ts";
import { ownStatus } from "../strategy.ts";
import { type Errors, notMoreThan100Percent, optionalEnum, validateIntOrPercent, validateLabelSelector } from "../validation.ts";

export const PodDisruptionBudgetKind = defineKind<PodDisruptionBudget>({
  group: "policy",
  version: "v1",
  kind: "PodDisruptionBudget",
  plural: "poddisruptionbudgets",
  shortNames: ["pdb"],
  scope: "Namespaced",
  typeName: "io.k8s.api.policy.v1.PodDisruptionBudget",
  subresources: [STATUS],
  columns: [
    nameColumn,
    column("Min Available", "The minimum number of pods that must be available.", ({ spec }) => String(spec?.minAvailable ?? "N/A")),
    column("Max Unavailable", "The maximum number of pods that may be unavailable.", ({ spec }) => String(spec?.maxUnavailable ?? "N/A")),
    column(
      "Allowed Disruptions",
      "Calculated number of pods that may be disrupted at this time.",
      ({ status }) => status?.disruptionsAllowed ?? 0,
      "integer",
    ),
    ageColumn,
  ],
  strategy: {
    unconditionalUpdate: false,
    ...ownStatus<PodDisruptionBudget>({ disruptionsAllowed: 0, currentHealthy: 0, desiredHealthy: 0, expectedPods: 0 }),
    generation: "spec",
    validate: validateBudget,
  },
});

function validateBudget({ spec }: PodDisruptionBudget): Errors {
  const { minAvailable, maxUnavailable } = spec;
  if (minAvailable !== undefined && maxUnavailable !== undefined) {
    return [invalidField("spec", spec, "minAvailable and maxUnavailable cannot be both set")];
  }
  return [
    ...validateIntOrPercent(minAvailable, "spec.minAvailable"),
    ...notMoreThan100Percent(minAvailable, "spec.minAvailable"),
    ...validateIntOrPercent(maxUnavailable, "spec.maxUnavailable"),
    ...notMoreThan100Percent(maxUnavailable, "spec.maxUnavailable"),
    ...validateLabelSelector(spec.selector, "spec.selector"),
    ...optionalEnum(spec.unhealthyPodEvictionPolicy, ["AlwaysAllow", "IfHealthyBudget"], "spec.unhealthyPodEvictionPolicy"),
  ];
}
