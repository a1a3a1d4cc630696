import { describe, expect, test } from "vitest";
import { ConfigMapKind } from "#kinds/core/config-map.ts";
import { PodKind } from "#kinds/core/pod.ts";
import type { ConfigMap, Namespace } from "#machinery/api/core-v1.ts";
import type { Stored } from "#machinery/object.ts";
import { meta, pod, START } from "#testing/builders.ts";
import { planNamespace } from "./plan.ts";

const NOW = Date.parse(START);
const namespace = (more: Partial<Namespace> = {}): Stored<Namespace> => ({
  apiVersion: "v1",
  kind: "Namespace",
  spec: { finalizers: ["kubernetes"] },
  ...more,
  metadata: meta("namespace", "demo", { deletionTimestamp: START }),
});
const map: Stored<ConfigMap> = {
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: meta("configmap", "m", { namespace: "demo", finalizers: ["keep"] }),
};

describe("planNamespace()", () => {
  test("leaves a namespace alone that is not deleted", () => {
    const { deletionTimestamp: _, ...metadata } = namespace().metadata;
    expect(planNamespace({ namespace: { ...namespace(), metadata }, content: [], now: NOW }).actions).toEqual([]);
  });

  test("deletes pods first, and says what remains", () => {
    const content = [
      { kind: PodKind, objects: [pod("a", { namespace: "demo" }), pod("b", { namespace: "demo", deleting: true })] },
      { kind: ConfigMapKind, objects: [map] },
    ];
    const { actions, recheckAfterMs } = planNamespace({ namespace: namespace(), content, now: NOW });
    expect(actions.map((action) => (action.do === "delete" ? action.object.name : action.do))).toEqual(["a", "update"]);
    expect(recheckAfterMs).toBeDefined();
    const status = actions.at(-1);
    const { conditions = [], phase } = (status?.do === "update" ? (status.object as Namespace).status : undefined) ?? {};
    expect(phase).toBe("Terminating");
    expect(conditions.map(({ type, status, reason, message }) => `${type}=${status} ${reason}: ${message}`)).toEqual([
      "NamespaceDeletionDiscoveryFailure=False ResourcesDiscovered: All resources successfully discovered",
      "NamespaceDeletionGroupVersionParsingFailure=False ParsedGroupVersions: All legacy kube types successfully parsed",
      "NamespaceDeletionContentFailure=False ContentDeleted: All content successfully deleted, may be waiting on finalization",
      "NamespaceContentRemaining=True SomeResourcesRemain: Some resources are remaining: configmaps. has 1 resource instances, pods. has 2 resource instances",
      "NamespaceFinalizersRemaining=True SomeFinalizersRemain: Some content in the namespace has finalizers remaining: keep in 1 resource instances",
    ]);
    const again = planNamespace({ namespace: namespace({ status: { phase: "Terminating", conditions } }), content, now: NOW + 5000 });
    expect(again.actions.map((action) => action.do)).toEqual(["delete"]);
  });

  test("the rest follows when no pod is left, then the finalizer goes", () => {
    const rest = planNamespace({ namespace: namespace(), content: [{ kind: ConfigMapKind, objects: [map] }], now: NOW });
    expect(rest.actions[0]).toMatchObject({ do: "delete", object: { name: "m" } });
    expect(planNamespace({ namespace: namespace(), content: [], now: NOW }).actions).toMatchObject([
      { do: "update", subresource: "finalize", object: { spec: { finalizers: [] } } },
    ]);
    expect(planNamespace({ namespace: namespace({ spec: {} }), content: [], now: NOW }).actions).toEqual([]);
  });
});
