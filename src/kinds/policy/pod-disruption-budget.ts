import type { PodDisruptionBudget } from "#machinery/api/policy-v1.ts";
import { defineKind, STATUS } from "../kind.ts";
import { ageColumn, column, nameColumn } from "../printing.ts";

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
});
