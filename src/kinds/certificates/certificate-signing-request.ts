import type { CertificateSigningRequest } from "#machinery/api/certificates-v1.ts";
import { defineKind, STATUS } from "../kind.ts";

export const CertificateSigningRequestKind = defineKind<CertificateSigningRequest>({
  group: "certificates.k8s.io",
  version: "v1",
  kind: "CertificateSigningRequest",
  plural: "certificatesigningrequests",
  shortNames: ["csr"],
  scope: "Cluster",
  typeName: "io.k8s.api.certificates.v1.CertificateSigningRequest",
  subresources: [{ name: "approval", verbs: ["get", "patch", "update"] }, STATUS],
});
