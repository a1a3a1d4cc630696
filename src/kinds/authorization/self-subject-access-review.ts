import type { SelfSubjectAccessReview } from "#machinery/api/authorization-v1.ts";
import { defineKind } from "../kind.ts";

export const SelfSubjectAccessReviewKind = defineKind<SelfSubjectAccessReview>({
  group: "authorization.k8s.io",
  version: "v1",
  kind: "SelfSubjectAccessReview",
  plural: "selfsubjectaccessreviews",
  scope: "Cluster",
  typeName: "io.k8s.api.authorization.v1.SelfSubjectAccessReview",
  verbs: ["create"],
});
