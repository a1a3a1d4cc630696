import { NamespaceKind } from "#kinds/core/namespace.ts";
import { ServiceAccountKind } from "#kinds/core/service-account.ts";
import { defineController, watching } from "../define.ts";
import { planServiceAccount } from "./plan.ts";

export const serviceAccountController = defineController({
  name: "serviceaccount",
  workers: 1,
  connect({ informers }) {
    const namespaces = informers.informer(NamespaceKind);
    const accounts = informers.informer(ServiceAccountKind);
    return {
      watches: [
        watching(namespaces, ({ object }) => [object.metadata.name]),
        watching(accounts, ({ type, object: { metadata } }) =>
          type === "deleted" && metadata.name === "default" ? [metadata.namespace ?? ""] : [],
        ),
      ],
      observe(name) {
        const namespace = namespaces.lister.get({ name });
        return namespace === undefined ? undefined : { namespace, account: accounts.lister.get({ name: "default", namespace: name }) };
      },
    };
  },
  plan: planServiceAccount,
});
