import type { DaemonSet } from "#machinery/api/apps-v1.ts";
import { defineKind, STATUS } from "../kind.ts";
import { ageColumn, column, containerColumns, labelsText, nameColumn, selectorText, wideColumn } from "../printing.ts";

export const DaemonSetKind = defineKind<DaemonSet>({
  group: "apps",
  version: "v1",
  kind: "DaemonSet",
  plural: "daemonsets",
  shortNames: ["ds"],
  categories: ["all"],
  scope: "Namespaced",
  typeName: "io.k8s.api.apps.v1.DaemonSet",
  subresources: [STATUS],
  columns: [
    nameColumn,
    column("Desired", "Number of nodes that should run the pod.", ({ status }) => status?.desiredNumberScheduled ?? 0, "integer"),
    column("Current", "Number of nodes that run the pod and should.", ({ status }) => status?.currentNumberScheduled ?? 0, "integer"),
    column("Ready", "Number of nodes where the pod is ready.", ({ status }) => status?.numberReady ?? 0, "integer"),
    column("Up-to-date", "Number of nodes that run the current template.", ({ status }) => status?.updatedNumberScheduled ?? 0, "integer"),
    column("Available", "Number of nodes where the pod is available.", ({ status }) => status?.numberAvailable ?? 0, "integer"),
    column("Node Selector", "Selects nodes by their labels.", ({ spec }) => labelsText(spec?.template?.spec?.nodeSelector)),
    ageColumn,
    ...containerColumns<DaemonSet>(({ spec }) => spec?.template),
    wideColumn("Selector", "Selects the pods it counts.", ({ spec }) => selectorText(spec?.selector)),
  ],
});
