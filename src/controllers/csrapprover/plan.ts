import { formatTime, type Instant } from "#base/clock.ts";
import { CertificateSigningRequestKind } from "#kinds/certificates/certificate-signing-request.ts";
import type { CertificateSigningRequest } from "#machinery/api/certificates-v1.ts";
import type { Node } from "#machinery/api/core-v1.ts";
import type { Stored } from "#machinery/object.ts";
import { NOTHING_TO_DO, type Plan } from "../action.ts";
import { isApproved, isDenied, KUBELET_CLIENT_SIGNER, KUBELET_SERVING_SIGNER, kubeletComplaint } from "../csrs.ts";
import type { CsrFacts } from "../define.ts";

export interface ObservedRequest {
  readonly csr: Stored<CertificateSigningRequest>;
  /** undefined: the request cannot be read. */
  readonly facts: CsrFacts | undefined;
  /** The node that a kubelet's request is for. */
  readonly node: Stored<Node> | undefined;
  readonly now: Instant;
}

const BOOTSTRAPPERS = "system:bootstrappers";
const NODES = "system:nodes";

/** Approves what kubelets need to join and to stay: everything else waits for a person. Nothing is ever denied here. */
export function planCsrApproval(observed: ObservedRequest): Plan {
  const { csr, now } = observed;
  if (isApproved(csr) || isDenied(csr)) return NOTHING_TO_DO;
  const message = reasonToApprove(observed);
  if (message === undefined) return NOTHING_TO_DO;
  const time = formatTime(now);
  const condition = { type: "Approved", status: "True", reason: "AutoApproved", message, lastUpdateTime: time, lastTransitionTime: time };
  const object: CertificateSigningRequest = {
    ...csr,
    status: { ...csr.status, conditions: [...(csr.status?.conditions ?? []), condition] },
  };
  return { actions: [{ do: "update", kind: CertificateSigningRequestKind, object, subresource: "approval" }] };
}

function reasonToApprove({ csr, facts, node }: ObservedRequest): string | undefined {
  if (facts === undefined) return undefined;
  const { username = "", groups = [], signerName } = csr.spec;
  const self = username === facts.commonName && groups.includes(NODES);
  const names = [...facts.dnsNames, ...facts.ipAddresses];
  const strange = facts.emailAddresses.length > 0 || facts.uris.length > 0;
  if (signerName === KUBELET_CLIENT_SIGNER) {
    if (kubeletComplaint(csr, facts, "client auth") !== undefined || names.length > 0 || strange) return undefined;
    if (self) return "Auto approving self kubelet client certificate: it is asked for by the node itself";
    if (groups.includes(BOOTSTRAPPERS)) return "Auto approving kubelet client certificate: it is asked for with a bootstrap token";
    return undefined;
  }
  if (signerName === KUBELET_SERVING_SIGNER) {
    if (kubeletComplaint(csr, facts, "server auth") !== undefined || !self || names.length === 0 || strange) return undefined;
    const addresses = new Set((node?.status?.addresses ?? []).map(({ address }) => address));
    if (!names.every((name) => addresses.has(name))) return undefined;
    return "Auto approving kubelet serving certificate: its names are addresses that the node has registered";
  }
  return undefined;
}

/** `n1` for a request of `system:node:n1`. */
export function nodeNameOf({ spec }: CertificateSigningRequest): string | undefined {
  const { username = "" } = spec;
  return username.startsWith("system:node:") ? username.slice("system:node:".length) : undefined;
}
