import { CustomResourceDefinitionKind } from "#kinds/apiextensions/custom-resource-definition.ts";
import { NamespaceKind } from "#kinds/core/namespace.ts";
import type { KindRef } from "#kinds/kind.ts";
import type { KubeObject, Stored } from "#machinery/object.ts";
import { hasReason } from "#machinery/status.ts";
import { defineController, watching } from "../define.ts";
import { KEPT_KINDS, kindOfCrd } from "../served-kinds.ts";
import { planNamespace } from "./plan.ts";

/** Looks at the store, not at caches: what a cache has missed would be left behind for ever. */
export const namespaceController = defineController({
  name: "namespace",
  workers: 5,
  connect({ informers, client }) {
    const namespaces = informers.informer(NamespaceKind);
    const crds = informers.informer(CustomResourceDefinitionKind);
    return {
      watches: [watching(namespaces, ({ object }) => [object.metadata.name]), watching(crds, () => [])],
      async observe(name, { now, signal }) {
        const namespace = namespaces.lister.get({ name });
        if (namespace?.metadata.deletionTimestamp === undefined) return undefined;
        const kinds = [...KEPT_KINDS, ...crds.lister.list().flatMap((crd) => kindOfCrd(crd) ?? [])].filter(
          ({ scope }) => scope === "Namespaced",
        );
        const content = await Promise.all(kinds.map(async (kind) => ({ kind, objects: await listAll(kind, name, signal) })));
        return { namespace, content, now };
      },
    };

    async function listAll(kind: KindRef, namespace: string, signal: AbortSignal): Promise<readonly Stored<KubeObject>[]> {
      const objects: Stored<KubeObject>[] = [];
      let next: string | undefined;
      do {
        try {
          const page = await client.list(kind, { namespace, limit: 500, ...(next === undefined ? {} : { continue: next }) }, signal);
          objects.push(...page.items);
          next = page.continue;
        } catch (cause) {
          if (hasReason(cause, "NotFound", "MethodNotAllowed")) return []; // no longer served
          throw cause;
        }
      } while (next !== undefined);
      return objects;
    }
  },
  plan: planNamespace,
});
