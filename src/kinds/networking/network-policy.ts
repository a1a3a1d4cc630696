import type { NetworkPolicy } from "#machinery/api/networking-v1.ts";
import { defineKind } from "../kind.ts";
import { ageColumn, column, nameColumn, selectorText } from "../printing.ts";

export const NetworkPolicyKind = defineKind<NetworkPolicy>({
  group: "networking.k8s.io",
  version: "v1",
  kind: "NetworkPolicy",
  plural: "networkpolicies",
  shortNames: ["netpol"],
  scope: "Namespaced",
  typeName: "io.k8s.api.networking.v1.NetworkPolicy",
  columns: [
    nameColumn,
    column("Pod-Selector", "Selects the pods the policy is about.", ({ spec }) => selectorText(spec?.podSelector)),
    ageColumn,
  ],
});
