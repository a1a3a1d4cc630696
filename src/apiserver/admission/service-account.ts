import type { Container, Pod, Volume, VolumeMount } from "#machinery/api/core-v1.ts";
import type { Entropy } from "#base/entropy.ts";
import { ServiceAccountKind } from "#kinds/core/service-account.ts";
import type { KubeObject } from "#machinery/object.ts";
import { forbidden } from "#machinery/status.ts";
import type { Objects } from "../objects.ts";
import type { Resources } from "../resource.ts";
import type { AdmissionPlugin } from "./admission.ts";

const MOUNT_PATH = "/var/run/secrets/kubernetes.io/serviceaccount";
const MIRROR = "kubernetes.io/config.mirror";
const TOKEN_SECONDS = 3607;
const READABLE = 0o644;

export interface ServiceAccountDeps {
  readonly objects: Objects;
  readonly resources: Resources;
  readonly entropy: Entropy;
}

/** Pods run as a service account, "default" where they name none, and get its token mounted unless somebody has said no. */
export function serviceAccount({ objects, resources, entropy }: ServiceAccountDeps): AdmissionPlugin {
  return {
    name: "ServiceAccount",
    async admit({ operation, kind, subresource, object, namespace, name, signal }) {
      if (kind.kind !== "Pod" || operation !== "CREATE" || subresource !== "") return object;
      const pod = object as Pod & KubeObject;
      const refuse = (why: string) => forbidden({ group: "", plural: "pods" }, name, why);
      if (pod.metadata.annotations?.[MIRROR] !== undefined) {
        if ((pod.spec?.serviceAccountName ?? "") !== "") throw refuse("a mirror pod may not reference service accounts");
        return object;
      }
      const accountName = pod.spec?.serviceAccountName || "default";
      let account = await objects.get(ServiceAccountKind, namespace, accountName);
      if (account === undefined) {
        await (await resources.open(ServiceAccountKind)).fresh(signal);
        account = await objects.get(ServiceAccountKind, namespace, accountName);
      }
      if (account === undefined) {
        throw refuse(
          `error looking up service account ${namespace}/${accountName}: serviceaccount ${JSON.stringify(accountName)} not found`,
        );
      }
      const automount = pod.spec?.automountServiceAccountToken ?? account.automountServiceAccountToken ?? true;
      const named: Pod & KubeObject = {
        ...pod,
        spec: { ...pod.spec, serviceAccountName: accountName, serviceAccount: accountName },
      };
      const mounted = automount ? withToken(named, `kube-api-access-${entropy.nameSuffix()}`) : named;
      if ((mounted.spec?.imagePullSecrets ?? []).length > 0 || (account.imagePullSecrets ?? []).length === 0) return mounted;
      return { ...mounted, spec: { ...mounted.spec, imagePullSecrets: account.imagePullSecrets } } as KubeObject;
    },
  };
}

/** Pure: the token volume, and a mount of it in every container that has nothing at its place. */
function withToken(pod: Pod & KubeObject, fresh: string): Pod & KubeObject {
  const { spec } = pod;
  if (spec === undefined) return pod;
  const existing = (spec.volumes ?? []).find(({ name, projected }) => name.startsWith("kube-api-access-") && projected !== undefined);
  const volumeName = existing?.name ?? fresh;
  const mount: VolumeMount = { name: volumeName, readOnly: true, mountPath: MOUNT_PATH };
  let used = false;
  const mounting = <C extends Pick<Container, "volumeMounts">>(container: C): C => {
    if ((container.volumeMounts ?? []).some(({ mountPath }) => mountPath === MOUNT_PATH)) return container;
    used = true;
    return { ...container, volumeMounts: [...(container.volumeMounts ?? []), mount] };
  };
  const containers = (spec.containers ?? []).map(mounting);
  const initContainers = spec.initContainers?.map(mounting);
  const volumes = used && existing === undefined ? [...(spec.volumes ?? []), tokenVolume(volumeName)] : spec.volumes;
  return {
    ...pod,
    spec: {
      ...(volumes === undefined ? {} : { volumes }),
      ...spec,
      ...(volumes === undefined ? {} : { volumes }),
      ...(initContainers === undefined ? {} : { initContainers }),
      containers,
    },
  };
}

function tokenVolume(name: string): Volume {
  return {
    name,
    projected: {
      sources: [
        { serviceAccountToken: { expirationSeconds: TOKEN_SECONDS, path: "token" } },
        { configMap: { name: "kube-root-ca.crt", items: [{ key: "ca.crt", path: "ca.crt" }] } },
        { downwardAPI: { items: [{ path: "namespace", fieldRef: { apiVersion: "v1", fieldPath: "metadata.namespace" } }] } },
      ],
      defaultMode: READABLE,
    },
  };
}
