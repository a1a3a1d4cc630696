import type { SelfSubjectReview } from "#machinery/api/authentication-v1.ts";
import { defineKind } from "../kind.ts";

export const SelfSubjectReviewKind = defineKind<SelfSubjectReview>({
  group: "authentication.k8s.io",
  version: "v1",
  kind: "SelfSubjectReview",
  plural: "selfsubjectreviews",
  scope: "Cluster",
  typeName: "io.k8s.api.authentication.v1.SelfSubjectReview",
  verbs: ["create"],
});
