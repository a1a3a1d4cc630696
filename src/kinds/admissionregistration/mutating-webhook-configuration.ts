import type { MutatingWebhookConfiguration } from "#machinery/api/admissionregistration-v1.ts";
import { defineKind } from "../kind.ts";

export const MutatingWebhookConfigurationKind = defineKind<MutatingWebhookConfiguration>({
  group: "admissionregistration.k8s.io",
  version: "v1",
  kind: "MutatingWebhookConfiguration",
  plural: "mutatingwebhookconfigurations",
  categories: ["api-extensions"],
  scope: "Cluster",
  typeName: "io.k8s.api.admissionregistration.v1.MutatingWebhookConfiguration",
});
