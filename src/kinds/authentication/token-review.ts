import type { TokenReview } from "#machinery/api/authentication-v1.ts";
import { defineKind } from "../kind.ts";

export const TokenReviewKind = defineKind<TokenReview>({
  group: "authentication.k8s.io",
  version: "v1",
  kind: "TokenReview",
  plural: "tokenreviews",
  scope: "Cluster",
  typeName: "io.k8s.api.authentication.v1.TokenReview",
  verbs: ["create"],
});
