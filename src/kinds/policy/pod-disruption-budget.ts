import type { PodDisruptionBudget } from "#machinery/api/policy-v1.ts";
import { defineKind, STATUS } from "../kind.ts";

export const PodDisruptionBudgetKind = defineKind<PodDisruptionBudget>({
  group: "policy",
  version: "v1",
  kind: "PodDisruptionBudget",
  plural: "poddisruptionbudgets",
  shortNames: ["pdb"],
  scope: "Namespaced",
  typeName: "io.k8s.api.policy.v1.PodDisruptionBudget",
  subresources: [STATUS],
});
