import { formatTime, type Instant } from "#base/clock.ts";
import { CertificateSigningRequestKind } from "#kinds/certificates/certificate-signing-request.ts";
import type { CertificateSigningRequest } from "#machinery/api/certificates-v1.ts";
import type { Stored } from "#machinery/object.ts";
import { type Plan, updateStatus } from "../action.ts";
import {
  CLIENT_SIGNER,
  csrCondition,
  isApproved,
  isDenied,
  KUBELET_CLIENT_SIGNER,
  KUBELET_SERVING_SIGNER,
  kubeletComplaint,
} from "../csrs.ts";
import type { CsrFacts } from "../define.ts";

export interface ObservedSigning {
  readonly csr: Stored<CertificateSigningRequest>;
  readonly outcome: { readonly ok: true; readonly certificatePem: string } | { readonly ok: false; readonly because: string };
  readonly now: Instant;
}

const SIGNERS: ReadonlySet<string> = new Set([CLIENT_SIGNER, KUBELET_CLIENT_SIGNER, KUBELET_SERVING_SIGNER]);

/** Whether this controller signs the request now: approved, not yet issued or failed, and for one of our signers. */
export function needsSigning(csr: CertificateSigningRequest): boolean {
  return (
    SIGNERS.has(csr.spec.signerName) &&
    isApproved(csr) &&
    !isDenied(csr) &&
    csrCondition(csr, "Failed") === undefined &&
    (csr.status?.certificate ?? "") === ""
  );
}

/** Why the signer must refuse even an approved request. */
export function signingComplaint(csr: CertificateSigningRequest, facts: CsrFacts): string | undefined {
  const names = facts.dnsNames.length + facts.ipAddresses.length + facts.emailAddresses.length + facts.uris.length;
  switch (csr.spec.signerName) {
    case KUBELET_CLIENT_SIGNER:
      return kubeletComplaint(csr, facts, "client auth") ?? (names > 0 ? "subject alternative names are not allowed" : undefined);
    case KUBELET_SERVING_SIGNER:
      return (
        kubeletComplaint(csr, facts, "server auth") ??
        (facts.dnsNames.length + facts.ipAddresses.length === 0 ? "at least one DNS name or IP address is needed" : undefined)
      );
    default: {
      const allowed = new Set(["digital signature", "key encipherment", "client auth"]);
      const usages = csr.spec.usages ?? [];
      if (facts.organizations.includes("system:masters")) return `organization "system:masters" is not allowed`;
      return usages.every((usage) => allowed.has(usage)) && usages.includes("client auth")
        ? undefined
        : `usages must include "client auth" and no server usage`;
    }
  }
}

export function planCsrSigning({ csr, outcome, now }: ObservedSigning): Plan {
  if (outcome.ok) {
    const certificate = Buffer.from(outcome.certificatePem).toString("base64");
    return { actions: [updateStatus(CertificateSigningRequestKind, { ...csr, status: { ...csr.status, certificate } } as typeof csr)] };
  }
  const time = formatTime(now);
  const failed = {
    type: "Failed",
    status: "True",
    reason: "SignerValidationFailure",
    message: outcome.because,
    lastUpdateTime: time,
    lastTransitionTime: time,
  };
  const status = { ...csr.status, conditions: [...(csr.status?.conditions ?? []), failed] };
  return { actions: [updateStatus(CertificateSigningRequestKind, { ...csr, status } as typeof csr)] };
}
