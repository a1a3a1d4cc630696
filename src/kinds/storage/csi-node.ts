import type { CSINode } from "#machinery/api/storage-v1.ts";
import { duplicateField, type FieldError, invalidField, requiredField } from "#machinery/field-error.ts";
import { isDns1123Subdomain, isLabelKey } from "#machinery/names.ts";
import { defineKind } from "../kind.ts";
import { ageColumn, column, nameColumn } from "../printing.ts";
import { type Errors, isMissing, requiredName } from "../validation.ts";

export const CSINodeKind = defineKind<CSINode>({
  group: "storage.k8s.io",
  version: "v1",
  kind: "CSINode",
  plural: "csinodes",
  scope: "Cluster",
  typeName: "io.k8s.api.storage.v1.CSINode",
  columns: [
    nameColumn,
    column(
      "Drivers",
      "Drivers indicates the number of CSI drivers registered on the node",
      ({ spec }) => spec?.drivers?.length ?? 0,
      "integer",
    ),
    ageColumn,
  ],
  strategy: {
    unconditionalUpdate: false,
    validate: validateCsiNode,
  },
});

function validateCsiNode({ spec }: CSINode): Errors {
  const names = new Set<string>();
  return (spec?.drivers ?? []).flatMap((driver, i) => {
    const at = `spec.drivers[${i}]`;
    const errors: FieldError[] = [...requiredName(isDns1123Subdomain, driver.name, `${at}.name`)];
    if (names.has(driver.name)) errors.push(duplicateField(`${at}.name`, driver.name));
    names.add(driver.name);
    if (isMissing(driver.nodeID)) errors.push(requiredField(`${at}.nodeID`));
    else if (driver.nodeID.length > 256) errors.push(invalidField(`${at}.nodeID`, driver.nodeID, "must be 256 characters or less"));
    for (const key of driver.topologyKeys ?? []) {
      if (key === "") errors.push(requiredField(`${at}.topologyKeys`));
      errors.push(...isLabelKey(key).map((message) => invalidField(`${at}.topologyKeys`, key, message)));
    }
    const count = driver.allocatable?.count;
    if (count !== undefined && count < 0) {
      errors.push(invalidField(`${at}.allocatable.count`, count, "must be greater than or equal to 0"));
    }
    return errors;
  });
}
