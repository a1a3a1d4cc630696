import { ConfigMapKind } from "#kinds/core/config-map.ts";
import { NamespaceKind } from "#kinds/core/namespace.ts";
import { defineController, watching } from "../define.ts";
import { planRootCa, ROOT_CA_NAME } from "./plan.ts";

export const rootCaPublisherController = defineController({
  name: "root-ca-publisher",
  component: "root-ca-cert-publisher",
  workers: 1,
  connect({ informers, settings }) {
    const namespaces = informers.informer(NamespaceKind);
    const configMaps = informers.informer(ConfigMapKind, { fieldSelector: `metadata.name=${ROOT_CA_NAME}` });
    return {
      watches: [
        watching(namespaces, ({ object }) => [object.metadata.name]),
        watching(configMaps, ({ object: { metadata } }) => (metadata.name === ROOT_CA_NAME ? [metadata.namespace ?? ""] : [])),
      ],
      observe(name) {
        const namespace = namespaces.lister.get({ name });
        if (namespace === undefined) return undefined;
        return { namespace, present: configMaps.lister.get({ name: ROOT_CA_NAME, namespace: name }), rootCa: settings.rootCa };
      },
    };
  },
  plan: planRootCa,
});
