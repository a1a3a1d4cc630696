import { PriorityClassKind } from "#kinds/scheduling/priority-class.ts";
import { ConfigMapKind } from "#kinds/core/config-map.ts";
import { erased } from "#kinds/kind.ts";
import type { KubeObject } from "#machinery/object.ts";
import { isDeepStrictEqual } from "node:util";
import type { Served } from "../served.ts";
import { ensureObject, reconcileObject } from "./ensure.ts";
import { type Advertised, ensureKubernetesService } from "./kubernetes-service.ts";
import { ensureNamespaces } from "./namespaces.ts";
import { ensureRbac } from "./rbac.ts";

export interface BootstrapInput extends Advertised {
  /** Authorities of client certificates, for servers that extend this one. */
  readonly clientCaPem: string;
}

/** Makes the objects that every cluster has, in the order they need each other. Doing it again changes nothing. */
export async function bootstrap(served: Served, input: BootstrapInput, signal: AbortSignal): Promise<void> {
  await ensureNamespaces(served, signal);
  await ensureKubernetesService(served, input, signal);
  await ensureRbac(served, signal);
  await ensurePriorityClasses(served, signal);
  if (input.clientCaPem !== "") await ensureAuthenticationConfig(served, input.clientCaPem, signal);
}

async function ensurePriorityClasses(served: Served, signal: AbortSignal): Promise<void> {
  const classes = [
    {
      name: "system-node-critical",
      value: 2_000_001_000,
      description: "Used for system critical pods that must not be moved from their current node.",
    },
    {
      name: "system-cluster-critical",
      value: 2_000_000_000,
      description: "Used for system critical pods that must run in the cluster, but can be moved to another node if necessary.",
    },
  ];
  for (const { name, value, description } of classes) {
    await ensureObject(served, erased(PriorityClassKind), { metadata: { name }, value, description, globalDefault: false }, signal);
  }
}

async function ensureAuthenticationConfig(served: Served, clientCaPem: string, signal: AbortSignal): Promise<void> {
  await reconcileObject(
    served,
    erased(ConfigMapKind),
    { metadata: { name: "extension-apiserver-authentication", namespace: "kube-system" }, data: { "client-ca-file": clientCaPem } },
    (current, wanted) => {
      const [own, config] = [current as KubeObject & Data, wanted as KubeObject & Data];
      const data = { ...own.data, ...config.data };
      return isDeepStrictEqual(data, own.data) ? current : ({ ...current, data } as KubeObject);
    },
    signal,
  );
}

interface Data {
  readonly data?: Readonly<Record<string, string>>;
}
