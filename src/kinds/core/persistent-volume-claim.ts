import type { PersistentVolumeClaim } from "#machinery/api/core-v1.ts";
import { type FieldError, forbiddenField } from "#machinery/field-error.ts";
import { compareQuantity, parseQuantity } from "#machinery/quantity.ts";
import { defineKind, STATUS } from "../kind.ts";
import { accessModesText, ageColumn, column, nameColumn, UNSET, wideColumn } from "../printing.ts";
import { keepStatus, onlyStatus } from "../strategy.ts";
import { type Errors, same } from "../validation.ts";
import { defaultClaimSpec } from "./pod-defaults.ts";
import { validateClaimSpec } from "./claim-rules.ts";

export const PersistentVolumeClaimKind = defineKind<PersistentVolumeClaim>({
  group: "",
  version: "v1",
  kind: "PersistentVolumeClaim",
  plural: "persistentvolumeclaims",
  shortNames: ["pvc"],
  scope: "Namespaced",
  typeName: "io.k8s.api.core.v1.PersistentVolumeClaim",
  subresources: [STATUS],
  columns: [
    nameColumn,
    column("Status", "Whether the claim is bound.", ({ metadata, status }) =>
      metadata.deletionTimestamp === undefined ? (status?.phase ?? "") : "Terminating",
    ),
    column("Volume", "The volume it is bound to.", ({ spec }) => spec?.volumeName ?? ""),
    column("Capacity", "Size of that volume.", ({ spec, status }) => (isBound(spec) ? String(status?.capacity?.["storage"] ?? "0") : "")),
    column("Access Modes", "Ways that volume can be mounted.", ({ spec, status }) =>
      isBound(spec) ? accessModesText(status?.accessModes) : "",
    ),
    column("StorageClass", "StorageClass of the pvc", storageClassText),
    column("VolumeAttributesClass", "VolumeAttributesClass of the pvc", ({ spec }) => spec?.volumeAttributesClassName ?? UNSET),
    ageColumn,
    wideColumn("VolumeMode", "Whether it asks for a file system or a block device.", ({ spec }) => spec?.volumeMode ?? UNSET),
  ],
  strategy: {
    default: (claim) => ({
      ...claim,
      spec: defaultClaimSpec(claim.spec ?? {}),
      status: { ...claim.status, phase: claim.status?.phase || "Pending" },
    }),
    prepareForCreate: (claim) => ({ ...claim, spec: withDataSource(claim.spec), status: { phase: "Pending" } }),
    prepareForUpdate: (next, previous) => keepStatus({ ...next, spec: withDataSource(next.spec) }, previous),
    prepareForStatusUpdate: onlyStatus,
    validate: ({ spec }) => validateClaimSpec(spec, "spec"),
    validateUpdate: validateClaimUpdate,
  },
});

function isBound(spec: PersistentVolumeClaim["spec"] | undefined): boolean {
  return (spec?.volumeName ?? "") !== "";
}

function storageClassText({ metadata, spec }: PersistentVolumeClaim): string {
  return metadata.annotations?.["volume.beta.kubernetes.io/storage-class"] ?? spec?.storageClassName ?? "";
}

/** The same source is written in two fields; whichever is set fills the other. */
function withDataSource(spec: PersistentVolumeClaim["spec"]): PersistentVolumeClaim["spec"] {
  const { dataSource, dataSourceRef } = spec;
  if (dataSource !== undefined && dataSourceRef === undefined) return { ...spec, dataSourceRef: dataSource };
  if (dataSource !== undefined || dataSourceRef === undefined || (dataSourceRef.namespace ?? "") !== "") return spec;
  const { namespace: _, ...local } = dataSourceRef;
  return { ...spec, dataSource: local };
}

/** A claim may be bound, may grow while bound, and may change its volume attributes class; nothing else. */
function validateClaimUpdate({ spec: next }: PersistentVolumeClaim, { spec: previous, status }: PersistentVolumeClaim): Errors {
  const errors: FieldError[] = [];
  const fixed = (spec: PersistentVolumeClaim["spec"]) => {
    const { resources, volumeName: _v, volumeAttributesClassName: _c, storageClassName: _s, ...rest } = spec;
    const { storage: _storage, ...requests } = resources?.requests ?? {};
    return { ...rest, limits: resources?.limits, requests };
  };
  const bound = (previous.volumeName ?? "") !== "" && next.volumeName !== previous.volumeName;
  const reclassed = previous.storageClassName !== undefined && next.storageClassName !== previous.storageClassName;
  if (bound || reclassed || !same(fixed(next), fixed(previous))) {
    const detail = `spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims\n${JSON.stringify({ before: previous, after: next })}`;
    errors.push(forbiddenField("spec", detail));
    return errors;
  }
  const before = parseQuantity(previous.resources?.requests?.["storage"] ?? "0");
  const after = parseQuantity(next.resources?.requests?.["storage"] ?? "0");
  if (compareQuantity(after, before) === 0) return errors;
  if (status?.phase !== "Bound") {
    errors.push(
      forbiddenField("spec", "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims"),
    );
  } else if (compareQuantity(after, before) < 0 && compareQuantity(after, parseQuantity(status.capacity?.["storage"] ?? "0")) <= 0) {
    errors.push(forbiddenField("spec.resources.requests.storage", "field can not be less than status.capacity"));
  }
  return errors;
}
