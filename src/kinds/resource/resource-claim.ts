import type { ResourceClaim } from "#machinery/api/resource-v1.ts";
import { defineKind, STATUS } from "../kind.ts";
import { ageColumn, column, nameColumn } from "../printing.ts";
import { ownStatus } from "../strategy.ts";
import { immutable } from "../validation.ts";
import { defaultClaim, validateClaimSpec } from "./claim-rules.ts";

export const ResourceClaimKind = defineKind<ResourceClaim>({
  group: "resource.k8s.io",
  version: "v1",
  kind: "ResourceClaim",
  plural: "resourceclaims",
  scope: "Namespaced",
  typeName: "io.k8s.api.resource.v1.ResourceClaim",
  subresources: [STATUS],
  columns: [nameColumn, column("State", "A summary of the current state (allocated, pending, reserved, etc.).", stateText), ageColumn],
  strategy: {
    ...ownStatus<ResourceClaim>({}),
    default: (claim) => ({ ...claim, spec: defaultClaim(claim.spec ?? {}) }),
    validate: ({ spec }) => validateClaimSpec(spec, "spec"),
    validateUpdate: (next, previous) => immutable(next.spec, previous.spec, "spec"),
  },
});

function stateText({ metadata, status }: ResourceClaim): string {
  const deleted = metadata.deletionTimestamp !== undefined;
  const words = deleted ? ["deleted"] : [];
  if (status?.allocation !== undefined) {
    words.push("allocated");
    if ((status.reservedFor?.length ?? 0) > 0) words.push("reserved");
  } else if (!deleted) words.push("pending");
  return words.join(",");
}
