import type { VolumeAttributesClass } from "#machinery/api/storage-v1.ts";
import { requiredField } from "#machinery/field-error.ts";
import { isDns1123Subdomain } from "#machinery/names.ts";
import { defineKind } from "../kind.ts";
import { ageColumn, column, nameColumn } from "../printing.ts";
import { immutable, requiredName } from "../validation.ts";

export const VolumeAttributesClassKind = defineKind<VolumeAttributesClass>({
  group: "storage.k8s.io",
  version: "v1",
  kind: "VolumeAttributesClass",
  plural: "volumeattributesclasses",
  shortNames: ["vac"],
  scope: "Cluster",
  typeName: "io.k8s.api.storage.v1.VolumeAttributesClass",
  columns: [nameColumn, column("DriverName", "The driver the attributes are for.", ({ driverName }) => driverName), ageColumn],
  strategy: {
    validate: ({ driverName, parameters = {} }) => [
      ...requiredName(isDns1123Subdomain, driverName, "driverName"),
      ...(Object.keys(parameters).length === 0 ? [requiredField("parameters", "must contain at least one key/value pair")] : []),
    ],
    validateUpdate: (next, previous) => [
      ...immutable(next.driverName, previous.driverName, "driverName"),
      ...immutable(next.parameters, previous.parameters, "parameters"),
    ],
  },
});
