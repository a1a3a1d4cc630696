import type { ServiceCIDR } from "#machinery/api/networking-v1.ts";
import { type FieldError, invalidField, requiredField } from "#machinery/field-error.ts";
import { defineKind, STATUS } from "../kind.ts";
import { ageColumn, column, nameColumn } from "../printing.ts";
import { ownStatus } from "../strategy.ts";
import { type Errors, immutable } from "../validation.ts";
import { INVALID_CIDR, isNetworkAddress, parseCidr } from "../ip.ts";

export const ServiceCIDRKind = defineKind<ServiceCIDR>({
  group: "networking.k8s.io",
  version: "v1",
  kind: "ServiceCIDR",
  plural: "servicecidrs",
  scope: "Cluster",
  typeName: "io.k8s.api.networking.v1.ServiceCIDR",
  subresources: [STATUS],
  columns: [nameColumn, column("CIDRs", "Ranges that cluster IPs are taken from.", ({ spec }) => (spec?.cidrs ?? []).join(",")), ageColumn],
  strategy: {
    ...ownStatus<ServiceCIDR>({}),
    generation: "spec",
    validate: validateRanges,
    validateUpdate: validateRangesUpdate,
  },
});

function validateRanges({ spec }: ServiceCIDR): Errors {
  const cidrs = spec?.cidrs ?? [];
  const path = "spec.cidrs";
  if (cidrs.length === 0) return [requiredField(path, "at least one CIDR required")];
  const errors: FieldError[] = [];
  if (cidrs.length > 2) errors.push(invalidField(path, spec, "may only hold up to 2 values"));
  const families = cidrs.map((cidr) => parseCidr(cidr)?.address.family);
  if (cidrs.length === 2 && families[0] !== undefined && families[0] === families[1]) {
    errors.push(invalidField(path, spec, "may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64"));
  }
  for (const [i, cidr] of cidrs.entries()) {
    const parsed = parseCidr(cidr);
    if (parsed === undefined) errors.push(invalidField(`${path}[${i}]`, cidr, INVALID_CIDR));
    else if (!isNetworkAddress(parsed)) errors.push(invalidField(`${path}[${i}]`, cidr, "must not have bits set beyond the prefix length"));
  }
  return errors;
}

/** A single-stack range may become dual-stack; what is there stays. */
function validateRangesUpdate({ spec: next }: ServiceCIDR, { spec: previous }: ServiceCIDR): Errors {
  const [before = [], after = []] = [previous?.cidrs, next?.cidrs];
  if (before.length === 1 && after.length === 2) {
    return after[0] === before[0] ? [] : [invalidField("spec.cidrs[0]", after[0], "field is immutable")];
  }
  return immutable(after, before, "spec.cidrs");
}
