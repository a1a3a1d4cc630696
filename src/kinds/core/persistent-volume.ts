import type { PersistentVolume, PersistentVolumeSource } from "#machinery/api/core-v1.ts";
import { type FieldError, forbiddenField, invalidField, requiredField, unsupportedField } from "#machinery/field-error.ts";
import { isDns1123Subdomain } from "#machinery/names.ts";
import { defineKind, STATUS } from "../kind.ts";
import { accessModesText, ageColumn, column, nameColumn, UNSET, wideColumn } from "../printing.ts";
import { keepStatus, onlyStatus } from "../strategy.ts";
import { type Errors, follows, isMissing, optionalEnum, same } from "../validation.ts";
import { positiveQuantity, validateAccessModes, VOLUME_MODES } from "./claim-rules.ts";
import { validateNodeSelector } from "./affinity-rules.ts";
import { validateHostPath } from "./volume-rules.ts";

export const PersistentVolumeKind = defineKind<PersistentVolume>({
  group: "",
  version: "v1",
  kind: "PersistentVolume",
  plural: "persistentvolumes",
  shortNames: ["pv"],
  scope: "Cluster",
  typeName: "io.k8s.api.core.v1.PersistentVolume",
  subresources: [STATUS],
  columns: [
    nameColumn,
    column("Capacity", "Size of the volume.", ({ spec }) => String(spec?.capacity?.["storage"] ?? "0")),
    column("Access Modes", "Ways the volume can be mounted.", ({ spec }) => accessModesText(spec?.accessModes)),
    column("Reclaim Policy", "What happens to the volume when its claim is gone.", ({ spec }) => spec?.persistentVolumeReclaimPolicy ?? ""),
    column("Status", "Whether the volume is available, bound or released.", ({ metadata, status }) =>
      metadata.deletionTimestamp === undefined ? (status?.phase ?? "") : "Terminating",
    ),
    column("Claim", "The claim it is bound to.", ({ spec }) =>
      spec?.claimRef === undefined ? "" : `${spec.claimRef.namespace ?? ""}/${spec.claimRef.name ?? ""}`,
    ),
    column("StorageClass", "StorageClass of the pv", storageClassText),
    column("VolumeAttributesClass", "VolumeAttributesClass of the pv", ({ spec }) => spec?.volumeAttributesClassName ?? UNSET),
    column("Reason", "Why it is in this phase, as one word.", ({ status }) => status?.reason ?? ""),
    ageColumn,
    wideColumn("VolumeMode", "Whether it holds a file system or is a block device.", ({ spec }) => spec?.volumeMode ?? UNSET),
  ],
  strategy: {
    default: (volume) => ({
      ...volume,
      spec: {
        ...volume.spec,
        persistentVolumeReclaimPolicy: volume.spec?.persistentVolumeReclaimPolicy || "Retain",
        volumeMode: volume.spec?.volumeMode ?? "Filesystem",
        ...(volume.spec?.hostPath === undefined ? {} : { hostPath: { ...volume.spec.hostPath, type: volume.spec.hostPath.type ?? "" } }),
      },
      status: { ...volume.status, phase: volume.status?.phase || "Pending" },
    }),
    prepareForCreate: (volume) => ({
      ...volume,
      status: { phase: "Pending", lastPhaseTransitionTime: volume.metadata.creationTimestamp ?? "" },
    }),
    prepareForUpdate: keepStatus,
    prepareForStatusUpdate: onlyStatus,
    validate: validateVolume,
    validateUpdate: validateVolumeUpdate,
    fields: ({ metadata }) => ({ name: metadata.name ?? "" }),
  },
});

function storageClassText({ metadata, spec }: PersistentVolume): string {
  return metadata.annotations?.["volume.beta.kubernetes.io/storage-class"] ?? spec?.storageClassName ?? "";
}

const SOURCES: readonly (keyof PersistentVolumeSource)[] = [
  "awsElasticBlockStore",
  "azureDisk",
  "azureFile",
  "cephfs",
  "cinder",
  "csi",
  "fc",
  "flexVolume",
  "flocker",
  "gcePersistentDisk",
  "glusterfs",
  "hostPath",
  "iscsi",
  "local",
  "nfs",
  "photonPersistentDisk",
  "portworxVolume",
  "quobyte",
  "rbd",
  "scaleIO",
  "storageos",
  "vsphereVolume",
];

function validateVolume({ spec }: PersistentVolume): Errors {
  const errors: FieldError[] = [];
  const modes = spec.accessModes ?? [];
  const capacity = spec.capacity ?? {};
  if (modes.length === 0) errors.push(requiredField("spec.accessModes"));
  errors.push(...validateAccessModes(modes, "spec.accessModes"));
  if (Object.keys(capacity).length === 0) errors.push(requiredField("spec.capacity"));
  else if (capacity["storage"] === undefined || Object.keys(capacity).length > 1) {
    errors.push(unsupportedField("spec.capacity", capacity, ["storage"]));
  }
  for (const [resource, amount] of Object.entries(capacity)) errors.push(...positiveQuantity(amount, `spec.capacity[${resource}]`));
  errors.push(
    ...optionalEnum(spec.persistentVolumeReclaimPolicy, ["Delete", "Recycle", "Retain"], "spec.persistentVolumeReclaimPolicy"),
    ...optionalEnum(spec.volumeMode, VOLUME_MODES, "spec.volumeMode"),
    ...(isMissing(spec.storageClassName) ? [] : follows(isDns1123Subdomain, spec.storageClassName, "spec.storageClassName")),
    ...(spec.nodeAffinity?.required === undefined ? [] : validateNodeSelector(spec.nodeAffinity.required, "spec.nodeAffinity.required")),
  );
  const [first, ...others] = SOURCES.filter((source) => spec[source] !== undefined);
  if (first === undefined) errors.push(requiredField("spec", "must specify a volume type"));
  for (const other of others) errors.push(forbiddenField(`spec.${other}`, "may not specify more than 1 volume type"));
  return [...errors, ...validateSource(spec)];
}

function validateSource({ hostPath, local, csi, nfs, nodeAffinity, persistentVolumeReclaimPolicy }: PersistentVolume["spec"]): Errors {
  const errors: FieldError[] = hostPath === undefined ? [] : [...validateHostPath(hostPath, "spec.hostPath")];
  if (hostPath?.path === "/" && persistentVolumeReclaimPolicy === "Recycle") {
    errors.push(forbiddenField("spec.persistentVolumeReclaimPolicy", "may not be 'recycle' for a hostPath mount of '/'"));
  }
  if (local !== undefined) {
    if (isMissing(local.path)) errors.push(requiredField("spec.local.path"));
    if (nodeAffinity?.required === undefined) errors.push(requiredField("spec.nodeAffinity", "Local volume requires node affinity"));
  }
  if (csi !== undefined) {
    for (const field of ["driver", "volumeHandle"] as const) if (isMissing(csi[field])) errors.push(requiredField(`spec.csi.${field}`));
  }
  if (nfs !== undefined) {
    for (const field of ["server", "path"] as const) if (isMissing(nfs[field])) errors.push(requiredField(`spec.nfs.${field}`));
  }
  return errors;
}

function validateVolumeUpdate({ spec: next }: PersistentVolume, { spec: previous }: PersistentVolume): Errors {
  const errors: FieldError[] = [];
  const source = (spec: PersistentVolume["spec"]) => SOURCES.map((type) => spec[type]);
  if (!same(source(next), source(previous))) {
    errors.push(forbiddenField("spec.persistentvolumesource", "spec.persistentvolumesource is immutable after creation"));
  }
  if (next.volumeMode !== previous.volumeMode) errors.push(invalidField("spec.volumeMode", next.volumeMode, "field is immutable"));
  if (previous.nodeAffinity !== undefined && !same(next.nodeAffinity, previous.nodeAffinity)) {
    errors.push(invalidField("spec.nodeAffinity", next.nodeAffinity, "field is immutable"));
  }
  return errors;
}
