import type { PriorityLevelConfiguration } from "#machinery/api/flowcontrol-v1.ts";
import { defineKind, STATUS } from "../kind.ts";
import { ageColumn, column, nameColumn, NONE } from "../printing.ts";

export const PriorityLevelConfigurationKind = defineKind<PriorityLevelConfiguration>({
  group: "flowcontrol.apiserver.k8s.io",
  version: "v1",
  kind: "PriorityLevelConfiguration",
  plural: "prioritylevelconfigurations",
  scope: "Cluster",
  typeName: "io.k8s.api.flowcontrol.v1.PriorityLevelConfiguration",
  subresources: [STATUS],
  columns: [
    nameColumn,
    column("Type", "Whether requests are limited or exempt.", ({ spec }) => spec?.type ?? ""),
    column(
      "NominalConcurrencyShares",
      "Share of the server's concurrency.",
      ({ spec }) => spec?.limited?.nominalConcurrencyShares ?? spec?.exempt?.nominalConcurrencyShares ?? NONE,
    ),
    column("Queues", "Number of queues.", ({ spec }) => spec?.limited?.limitResponse?.queuing?.queues ?? NONE),
    column("HandSize", "Number of queues a flow may use.", ({ spec }) => spec?.limited?.limitResponse?.queuing?.handSize ?? NONE),
    column("QueueLengthLimit", "Requests a queue may hold.", ({ spec }) => spec?.limited?.limitResponse?.queuing?.queueLengthLimit ?? NONE),
    ageColumn,
  ],
});
