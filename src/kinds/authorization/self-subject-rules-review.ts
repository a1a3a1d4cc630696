import type { SelfSubjectRulesReview } from "#machinery/api/authorization-v1.ts";
import { defineKind } from "../kind.ts";

export const SelfSubjectRulesReviewKind = defineKind<SelfSubjectRulesReview>({
  group: "authorization.k8s.io",
  version: "v1",
  kind: "SelfSubjectRulesReview",
  plural: "selfsubjectrulesreviews",
  scope: "Cluster",
  typeName: "io.k8s.api.authorization.v1.SelfSubjectRulesReview",
  verbs: ["create"],
});
