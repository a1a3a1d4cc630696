import type { SubjectAccessReview } from "#machinery/api/authorization-v1.ts";
import { defineKind } from "../kind.ts";

export const SubjectAccessReviewKind = defineKind<SubjectAccessReview>({
  group: "authorization.k8s.io",
  version: "v1",
  kind: "SubjectAccessReview",
  plural: "subjectaccessreviews",
  scope: "Cluster",
  typeName: "io.k8s.api.authorization.v1.SubjectAccessReview",
  verbs: ["create"],
});
