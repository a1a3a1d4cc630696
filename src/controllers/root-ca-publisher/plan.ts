import { ConfigMapKind } from "#kinds/core/config-map.ts";
import type { ConfigMap, Namespace } from "#machinery/api/core-v1.ts";
import type { Stored } from "#machinery/object.ts";
import { NOTHING_TO_DO, type Plan } from "../action.ts";

export interface ObservedRootCa {
  readonly namespace: Stored<Namespace>;
  readonly present: Stored<ConfigMap> | undefined;
  readonly rootCa: string;
}

export const ROOT_CA_NAME = "kube-root-ca.crt";
const DESCRIPTION = "kubernetes.io/description";
const DESCRIPTION_TEXT =
  "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes clusters.";

/** Every namespace has the ConfigMap that pods verify the API server with. */
export function planRootCa({ namespace, present, rootCa }: ObservedRootCa): Plan {
  if (namespace.metadata.deletionTimestamp !== undefined) return NOTHING_TO_DO;
  const data = { "ca.crt": rootCa };
  if (present === undefined) {
    const object: ConfigMap = {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name: ROOT_CA_NAME, namespace: namespace.metadata.name, annotations: { [DESCRIPTION]: DESCRIPTION_TEXT } },
      data,
    };
    return { actions: [{ do: "create", kind: ConfigMapKind, object, orExists: true }] };
  }
  const same = Object.keys(present.data ?? {}).length === 1 && present.data?.["ca.crt"] === rootCa;
  if (same && present.metadata.annotations?.[DESCRIPTION] !== undefined) return NOTHING_TO_DO;
  const annotations = { ...present.metadata.annotations, [DESCRIPTION]: DESCRIPTION_TEXT };
  const object: ConfigMap = { ...present, metadata: { ...present.metadata, annotations }, data };
  return { actions: [{ do: "update", kind: ConfigMapKind, object }] };
}
