import type { CertificateSigningRequest, CertificateSigningRequestCondition } from "#machinery/api/certificates-v1.ts";

export const CLIENT_SIGNER = "kubernetes.io/kube-apiserver-client";
export const KUBELET_CLIENT_SIGNER = "kubernetes.io/kube-apiserver-client-kubelet";
export const KUBELET_SERVING_SIGNER = "kubernetes.io/kubelet-serving";

export function csrCondition(csr: CertificateSigningRequest, type: string): CertificateSigningRequestCondition | undefined {
  return csr.status?.conditions?.find((condition) => condition.type === type);
}

export const isApproved = (csr: CertificateSigningRequest): boolean => csrCondition(csr, "Approved") !== undefined;
export const isDenied = (csr: CertificateSigningRequest): boolean => csrCondition(csr, "Denied") !== undefined;

/** `spec.request` is PEM in base64. */
export function requestPem({ spec }: CertificateSigningRequest): string {
  return Buffer.from(spec.request, "base64").toString();
}

/** Why a request of a kubelet is not what its signer allows; undefined where it is. */
export function kubeletComplaint(
  csr: CertificateSigningRequest,
  facts: { readonly commonName: string; readonly organizations: readonly string[] },
  usage: "client auth" | "server auth",
): string | undefined {
  if (facts.organizations.length !== 1 || facts.organizations[0] !== "system:nodes") {
    return `organization must be exactly "system:nodes"`;
  }
  if (!facts.commonName.startsWith("system:node:") || facts.commonName === "system:node:")
    return `common name must be "system:node:<name>"`;
  const usages = new Set<string>((csr.spec.usages ?? []).filter((asked) => asked !== "key encipherment"));
  if (usages.size !== 2 || !usages.has(usage) || !usages.has("digital signature")) {
    return `usages must be "digital signature", "${usage}" and at most "key encipherment"`;
  }
  return undefined;
}
