import type { Instant } from "#base/clock.ts";
import { CertificateSigningRequestKind } from "#kinds/certificates/certificate-signing-request.ts";
import type { CertificateSigningRequest } from "#machinery/api/certificates-v1.ts";
import { refOf, type Stored } from "#machinery/object.ts";
import type { Plan } from "../action.ts";
import { csrCondition, isApproved, isDenied } from "../csrs.ts";

const HOUR_MS = 3_600_000;
const SETTLED_MS = HOUR_MS;
const PENDING_MS = 24 * HOUR_MS;

/** Requests are kept for an hour after they were settled, and for a day while nobody answers. */
export function planCsrCleaning({ csr, now }: { readonly csr: Stored<CertificateSigningRequest>; readonly now: Instant }): Plan {
  const settled = isApproved(csr) || isDenied(csr) || csrCondition(csr, "Failed") !== undefined;
  const times = (csr.status?.conditions ?? [])
    .map(({ lastUpdateTime }) => Date.parse(lastUpdateTime ?? ""))
    .filter((time) => !Number.isNaN(time));
  const start = settled && times.length > 0 ? Math.max(...times) : Date.parse(csr.metadata.creationTimestamp);
  const restMs = start + (settled ? SETTLED_MS : PENDING_MS) - now;
  if (restMs > 0) return { actions: [], recheckAfterMs: restMs };
  return { actions: [{ do: "delete", kind: CertificateSigningRequestKind, object: refOf(csr), because: "old" }] };
}
