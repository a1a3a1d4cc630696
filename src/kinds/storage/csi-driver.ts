import type { CSIDriver } from "#machinery/api/storage-v1.ts";
import { duplicateField, type FieldError, invalidField, requiredField } from "#machinery/field-error.ts";
import { defineKind } from "../kind.ts";
import { ageColumn, column, nameColumn, UNSET } from "../printing.ts";
import { type Errors, immutable, optionalEnum } from "../validation.ts";

export const CSIDriverKind = defineKind<CSIDriver>({
  group: "storage.k8s.io",
  version: "v1",
  kind: "CSIDriver",
  plural: "csidrivers",
  scope: "Cluster",
  typeName: "io.k8s.api.storage.v1.CSIDriver",
  columns: [
    nameColumn,
    column("AttachRequired", "Whether volumes must be attached first.", ({ spec }) => spec?.attachRequired ?? true, "boolean"),
    column("PodInfoOnMount", "Whether the driver is told about the pod.", ({ spec }) => spec?.podInfoOnMount ?? false, "boolean"),
    column("StorageCapacity", "Whether the driver reports its capacity.", ({ spec }) => spec?.storageCapacity ?? false, "boolean"),
    column(
      "TokenRequests",
      "Audiences of the tokens the driver gets.",
      ({ spec }) => (spec?.tokenRequests ?? []).map(({ audience }) => audience).join(",") || UNSET,
    ),
    column(
      "RequiresRepublish",
      "Whether volumes are published again and again.",
      ({ spec }) => spec?.requiresRepublish ?? false,
      "boolean",
    ),
    column("Modes", "Lives of volumes that the driver supports.", ({ spec }) => (spec?.volumeLifecycleModes ?? []).join(",") || "<none>"),
    ageColumn,
  ],
  strategy: {
    unconditionalUpdate: false,
    generation: "spec",
    default: (driver) => ({
      ...driver,
      spec: {
        ...driver.spec,
        attachRequired: driver.spec?.attachRequired ?? true,
        podInfoOnMount: driver.spec?.podInfoOnMount ?? false,
        storageCapacity: driver.spec?.storageCapacity ?? false,
        fsGroupPolicy: driver.spec?.fsGroupPolicy ?? "ReadWriteOnceWithFSType",
        volumeLifecycleModes:
          (driver.spec?.volumeLifecycleModes?.length ?? 0) > 0 ? (driver.spec?.volumeLifecycleModes ?? []) : ["Persistent"],
        requiresRepublish: driver.spec?.requiresRepublish ?? false,
        seLinuxMount: driver.spec?.seLinuxMount ?? false,
      },
    }),
    validate: validateDriver,
    validateUpdate: (next, previous) => [
      ...immutable(next.spec.attachRequired, previous.spec.attachRequired, "spec.attachedRequired"),
      ...immutable(next.spec.volumeLifecycleModes, previous.spec.volumeLifecycleModes, "spec.volumeLifecycleModes"),
    ],
  },
});

const MAX_DRIVER_NAME = 63;

function validateDriver({ metadata, spec }: CSIDriver): Errors {
  const errors: FieldError[] = [];
  if ((metadata.name ?? "").length > MAX_DRIVER_NAME) errors.push({ type: "TooLong", field: "metadata.name", max: MAX_DRIVER_NAME });
  for (const field of ["attachRequired", "podInfoOnMount", "storageCapacity"] as const) {
    if (spec[field] === undefined) errors.push(requiredField(`spec.${field}`));
  }
  errors.push(...optionalEnum(spec.fsGroupPolicy, ["File", "None", "ReadWriteOnceWithFSType"], "spec.fsGroupPolicy"));
  for (const mode of spec.volumeLifecycleModes ?? [])
    errors.push(...optionalEnum(mode, ["Ephemeral", "Persistent"], "spec.volumeLifecycleModes"));
  const audiences = new Set<string>();
  for (const [i, { audience, expirationSeconds }] of (spec.tokenRequests ?? []).entries()) {
    const at = `spec.tokenRequests[${i}]`;
    if (audiences.has(audience)) errors.push(duplicateField(`${at}.audience`, audience));
    audiences.add(audience);
    if (expirationSeconds !== undefined && expirationSeconds < 600) {
      errors.push(invalidField(`${at}.expirationSeconds`, expirationSeconds, "may not specify a duration less than 10 minutes"));
    }
  }
  return errors;
}
