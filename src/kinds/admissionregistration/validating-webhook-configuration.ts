import type { ValidatingWebhookConfiguration } from "#machinery/api/admissionregistration-v1.ts";
import { defineKind } from "../kind.ts";

export const ValidatingWebhookConfigurationKind = defineKind<ValidatingWebhookConfiguration>({
  group: "admissionregistration.k8s.io",
  version: "v1",
  kind: "ValidatingWebhookConfiguration",
  plural: "validatingwebhookconfigurations",
  categories: ["api-extensions"],
  scope: "Cluster",
  typeName: "io.k8s.api.admissionregistration.v1.ValidatingWebhookConfiguration",
});
