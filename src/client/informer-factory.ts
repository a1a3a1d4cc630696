import { openScope, type Scope } from "#base/scope.ts";
import type { Kind } from "#kinds/kind.ts";
import type { KubeObject } from "#machinery/object.ts";
import type { Informer, InformerFactory, InformerOptions } from "./contract.ts";
import { createSharedInformer, type InformerDeps, type SharedInformer } from "./informer.ts";

export function createInformerFactory(deps: InformerDeps): InformerFactory {
  const shared = new Map<string, SharedInformer<KubeObject>>();
  let running: Scope | undefined;

  return {
    informer<T extends KubeObject>(kind: Kind<T>, options: InformerOptions<T> = {}): Informer<T> {
      const { namespace, labelSelector, fieldSelector, indexes = {} } = options;
      const id = JSON.stringify([kind.group, kind.version, kind.plural, namespace, labelSelector, fieldSelector]);
      let informer = shared.get(id) as SharedInformer<T> | undefined; // `id` names the kind
      if (informer === undefined) {
        const made = createSharedInformer<T>(deps, kind, {
          ...(namespace === undefined ? {} : { namespace }),
          ...(labelSelector === undefined ? {} : { labelSelector }),
          ...(fieldSelector === undefined ? {} : { fieldSelector }),
        });
        informer = made;
        shared.set(id, made as unknown as SharedInformer<KubeObject>);
        running?.spawn(`informer of ${kind.plural}`, (signal) => made.run(signal));
      }
      return informer.view(indexes);
    },

    async run(signal) {
      await using scope = openScope(signal, deps.log);
      running = scope;
      for (const [id, informer] of shared) scope.spawn(`informer ${id}`, (signal) => informer.run(signal));
      await scope.finished();
      running = undefined;
    },
  };
}
