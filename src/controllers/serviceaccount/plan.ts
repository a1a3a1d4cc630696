import { ServiceAccountKind } from "#kinds/core/service-account.ts";
import type { Namespace, ServiceAccount } from "#machinery/api/core-v1.ts";
import type { Stored } from "#machinery/object.ts";
import { NOTHING_TO_DO, type Plan } from "../action.ts";

export interface ObservedNamespace {
  readonly namespace: Stored<Namespace>;
  readonly account: Stored<ServiceAccount> | undefined;
}

/** Every namespace has a ServiceAccount "default". */
export function planServiceAccount({ namespace, account }: ObservedNamespace): Plan {
  if (account !== undefined || namespace.metadata.deletionTimestamp !== undefined) return NOTHING_TO_DO;
  const object: ServiceAccount = {
    apiVersion: "v1",
    kind: "ServiceAccount",
    metadata: { name: "default", namespace: namespace.metadata.name },
  };
  return { actions: [{ do: "create", kind: ServiceAccountKind, object, orExists: true }] };
}
