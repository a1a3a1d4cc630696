import type { IPAddress, ParentReference } from "#machinery/api/networking-v1.ts";
import { type FieldError, invalidField, requiredField } from "#machinery/field-error.ts";
import { isDns1123Subdomain, isPathSegmentName } from "#machinery/names.ts";
import { defineKind } from "../kind.ts";
import { column, nameColumn } from "../printing.ts";
import { type Errors, immutable, isMissing } from "../validation.ts";
import { formatIp, INVALID_IP, parseIp } from "../ip.ts";

export const IPAddressKind = defineKind<IPAddress>({
  group: "networking.k8s.io",
  version: "v1",
  kind: "IPAddress",
  plural: "ipaddresses",
  shortNames: ["ip"],
  scope: "Cluster",
  typeName: "io.k8s.api.networking.v1.IPAddress",
  columns: [nameColumn, column("ParentRef", "The object that owns the address.", ({ spec }) => parentText(spec?.parentRef))],
  strategy: {
    nameRule: "any",
    generation: "spec",
    validate: validateAddress,
    validateUpdate: (next, previous) => immutable(next.spec?.parentRef, previous.spec?.parentRef, "spec.parentRef"),
    fields: ({ spec }) => ({
      "spec.parentRef.resource": spec?.parentRef?.resource ?? "",
      "spec.parentRef.name": spec?.parentRef?.name ?? "",
    }),
  },
});

/** `services/default/kubernetes` */
function parentText(parent: ParentReference | undefined): string {
  if (parent === undefined) return "";
  const { group = "", resource = "", namespace = "", name = "" } = parent;
  const type = group === "" ? resource : `${resource}.${group}`;
  return namespace === "" ? `${type}/${name}` : `${type}/${namespace}/${name}`;
}

function validateAddress({ metadata, spec }: IPAddress): Errors {
  const errors: FieldError[] = [];
  const { name = "" } = metadata;
  const address = parseIp(name);
  if (address === undefined) errors.push(invalidField("metadata.name", name, INVALID_IP));
  else if (formatIp(address) !== name)
    errors.push(invalidField("metadata.name", name, `must be in canonical form (${JSON.stringify(formatIp(address))})`));
  const { parentRef } = spec ?? {};
  if (parentRef === undefined) return [...errors, requiredField("spec.parentRef")];
  const path = "spec.parentRef";
  if (!isMissing(parentRef.group)) {
    errors.push(...isDns1123Subdomain(parentRef.group).map((message) => invalidField(`${path}.group`, parentRef.group, message)));
  }
  for (const field of ["resource", "name"] as const) {
    const value = parentRef[field];
    if (isMissing(value)) errors.push(requiredField(`${path}.${field}`));
    else errors.push(...isPathSegmentName(value).map((message) => invalidField(`${path}.${field}`, value, message)));
  }
  return errors;
}
