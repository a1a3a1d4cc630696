import type { CertificateSigningRequest } from "#machinery/api/certificates-v1.ts";
import { defineKind, STATUS } from "../kind.ts";
import { ageColumn, column, nameColumn, humanDuration, NONE } from "../printing.ts";

export const CertificateSigningRequestKind = defineKind<CertificateSigningRequest>({
  group: "certificates.k8s.io",
  version: "v1",
  kind: "CertificateSigningRequest",
  plural: "certificatesigningrequests",
  shortNames: ["csr"],
  scope: "Cluster",
  typeName: "io.k8s.api.certificates.v1.CertificateSigningRequest",
  subresources: [{ name: "approval", verbs: ["get", "patch", "update"] }, STATUS],
  columns: [
    nameColumn,
    ageColumn,
    column("SignerName", "Who is asked to sign.", ({ spec }) => spec?.signerName || NONE),
    column("Requestor", "Who asks.", ({ spec }) => spec?.username ?? ""),
    column("RequestedDuration", "How long the certificate shall be valid.", ({ spec }) =>
      spec?.expirationSeconds === undefined ? NONE : humanDuration(spec.expirationSeconds * 1000),
    ),
    column("Condition", "Whether it is approved, and the certificate issued.", conditionText),
  ],
});

function conditionText({ status }: CertificateSigningRequest): string {
  const has = (type: string) => (status?.conditions ?? []).some((condition) => condition.type === type);
  const words = [has("Denied") ? "Denied" : has("Approved") ? "Approved" : "Pending"];
  if (has("Failed")) words.push("Failed");
  if ((status?.certificate ?? "") !== "") words.push("Issued");
  return words.join(",");
}
