import type { LocalSubjectAccessReview } from "#machinery/api/authorization-v1.ts";
import { defineKind } from "../kind.ts";

export const LocalSubjectAccessReviewKind = defineKind<LocalSubjectAccessReview>({
  group: "authorization.k8s.io",
  version: "v1",
  kind: "LocalSubjectAccessReview",
  plural: "localsubjectaccessreviews",
  scope: "Namespaced",
  typeName: "io.k8s.api.authorization.v1.LocalSubjectAccessReview",
  verbs: ["create"],
});
