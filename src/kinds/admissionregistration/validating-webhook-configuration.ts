import type { ValidatingWebhookConfiguration } from "#machinery/api/admissionregistration-v1.ts";
import { defineKind } from "../kind.ts";
import { ageColumn, column, nameColumn } from "../printing.ts";
import { defaultWebhook, validateWebhooks } from "./webhook-rules.ts";
import { same } from "../validation.ts";

export const ValidatingWebhookConfigurationKind = defineKind<ValidatingWebhookConfiguration>({
  group: "admissionregistration.k8s.io",
  version: "v1",
  kind: "ValidatingWebhookConfiguration",
  plural: "validatingwebhookconfigurations",
  categories: ["api-extensions"],
  scope: "Cluster",
  typeName: "io.k8s.api.admissionregistration.v1.ValidatingWebhookConfiguration",
  columns: [
    nameColumn,
    column(
      "Webhooks",
      "Webhooks indicates the number of webhooks registered in this configuration",
      ({ webhooks = [] }) => webhooks.length,
      "integer",
    ),
    ageColumn,
  ],
  strategy: {
    unconditionalUpdate: false,
    generation: (next, previous) => !same(next.webhooks, previous.webhooks),
    default: (configuration) => ({
      ...configuration,
      ...(configuration.webhooks === undefined ? {} : { webhooks: configuration.webhooks.map(defaultWebhook) }),
    }),
    validate: ({ webhooks = [] }) => validateWebhooks(webhooks),
  },
});
