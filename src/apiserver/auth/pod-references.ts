import type { Container, Pod, Volume } from "#machinery/api/core-v1.ts";

export interface PodReferences {
  readonly secrets: ReadonlySet<string>;
  readonly configMaps: ReadonlySet<string>;
  readonly claims: ReadonlySet<string>;
  readonly resourceClaims: ReadonlySet<string>;
}

/** Pure: names of the objects in its namespace that a pod's node must read to run it. */
export function podReferences({ metadata, spec, status }: Pod): PodReferences {
  const secrets = new Set<string>();
  const configMaps = new Set<string>();
  const claims = new Set<string>();
  const resourceClaims = new Set<string>();
  const add = (set: Set<string>, name: string | undefined) => {
    if (name !== undefined && name !== "") set.add(name);
  };
  for (const { name } of spec?.imagePullSecrets ?? []) add(secrets, name);
  const containers: readonly Pick<Container, "env" | "envFrom">[] = [
    ...(spec?.containers ?? []),
    ...(spec?.initContainers ?? []),
    ...(spec?.ephemeralContainers ?? []),
  ];
  for (const { env, envFrom } of containers) {
    for (const { valueFrom } of env ?? []) {
      add(secrets, valueFrom?.secretKeyRef?.name);
      add(configMaps, valueFrom?.configMapKeyRef?.name);
    }
    for (const { secretRef, configMapRef } of envFrom ?? []) {
      add(secrets, secretRef?.name);
      add(configMaps, configMapRef?.name);
    }
  }
  for (const volume of spec?.volumes ?? []) addVolume(volume);
  for (const claim of spec?.resourceClaims ?? []) add(resourceClaims, claim.resourceClaimName);
  for (const claim of status?.resourceClaimStatuses ?? []) add(resourceClaims, claim.resourceClaimName);
  return { secrets, configMaps, claims, resourceClaims };

  function addVolume(volume: Volume): void {
    add(secrets, volume.secret?.secretName);
    add(configMaps, volume.configMap?.name);
    add(claims, volume.persistentVolumeClaim?.claimName);
    if (volume.ephemeral !== undefined) add(claims, `${metadata?.name ?? ""}-${volume.name}`);
    for (const source of volume.projected?.sources ?? []) {
      add(secrets, source.secret?.name);
      add(configMaps, source.configMap?.name);
    }
    const withSecret = [
      volume.azureFile === undefined ? undefined : { name: volume.azureFile.secretName },
      volume.cephfs?.secretRef,
      volume.cinder?.secretRef,
      volume.csi?.nodePublishSecretRef,
      volume.flexVolume?.secretRef,
      volume.iscsi?.secretRef,
      volume.rbd?.secretRef,
      volume.scaleIO?.secretRef,
      volume.storageos?.secretRef,
    ];
    for (const ref of withSecret) add(secrets, ref?.name);
  }
}
