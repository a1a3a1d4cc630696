import type { Deployment } from "#machinery/api/apps-v1.ts";
import { defineKind, SCALE, STATUS } from "../kind.ts";
import { ageColumn, column, containerColumns, nameColumn, selectorText, wideColumn } from "../printing.ts";

export const DeploymentKind = defineKind<Deployment>({
  group: "apps",
  version: "v1",
  kind: "Deployment",
  plural: "deployments",
  shortNames: ["deploy"],
  categories: ["all"],
  scope: "Namespaced",
  typeName: "io.k8s.api.apps.v1.Deployment",
  subresources: [SCALE, STATUS],
  columns: [
    nameColumn,
    column("Ready", "Number of the pod with ready state", ({ spec, status }) => `${status?.readyReplicas ?? 0}/${spec?.replicas ?? 0}`),
    column("Up-to-date", "Number of pods that run the current template.", ({ status }) => status?.updatedReplicas ?? 0),
    column("Available", "Number of pods ready for at least minReadySeconds.", ({ status }) => status?.availableReplicas ?? 0),
    ageColumn,
    ...containerColumns<Deployment>(({ spec }) => spec?.template),
    wideColumn("Selector", "Selects the pods it counts.", ({ spec }) => selectorText(spec?.selector)),
  ],
});
