import type { CertificateSigningRequest } from "#machinery/api/certificates-v1.ts";
import { duplicateField, type FieldError, forbiddenField, invalidField, requiredField, unsupportedField } from "#machinery/field-error.ts";
import { isDns1123Subdomain } from "#machinery/names.ts";
import { defineKind, STATUS } from "../kind.ts";
import { ageColumn, column, nameColumn, humanDuration, NONE } from "../printing.ts";
import { keepStatus, onlyStatus } from "../strategy.ts";
import { type Errors, immutable, isMissing, same } from "../validation.ts";

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
  strategy: {
    nameRule: "any",
    prepareForCreate: (request) => ({ ...request, status: {} }),
    prepareForUpdate: (next, previous) => keepStatus({ ...next, spec: previous.spec }, previous),
    prepareForStatusUpdate: onlyStatus,
    validate: validateRequest,
    validateStatusUpdate: (next, previous) => validateStatus(next, previous),
    fields: ({ spec }) => ({ "spec.signerName": spec?.signerName ?? "" }),
  },
});

function conditionText({ status }: CertificateSigningRequest): string {
  const has = (type: string) => (status?.conditions ?? []).some((condition) => condition.type === type);
  const words = [has("Denied") ? "Denied" : has("Approved") ? "Approved" : "Pending"];
  if (has("Failed")) words.push("Failed");
  if ((status?.certificate ?? "") !== "") words.push("Issued");
  return words.join(",");
}

const USAGES: readonly string[] = [
  "any",
  "cert sign",
  "client auth",
  "code signing",
  "content commitment",
  "crl sign",
  "data encipherment",
  "decipher only",
  "digital signature",
  "email protection",
  "encipher only",
  "ipsec end system",
  "ipsec tunnel",
  "ipsec user",
  "key agreement",
  "key encipherment",
  "microsoft sgc",
  "netscape sgc",
  "ocsp signing",
  "s/mime",
  "server auth",
  "signing",
  "timestamping",
];
const SHORTEST_SECONDS = 600;

function validateRequest({ spec }: CertificateSigningRequest): Errors {
  const errors: FieldError[] = [];
  const pem = Buffer.from(spec.request ?? "", "base64").toString("latin1");
  if (!/-----BEGIN CERTIFICATE REQUEST-----[^]*-----END CERTIFICATE REQUEST-----/.test(pem)) {
    errors.push(invalidField("spec.request", spec.request ?? "", "PEM block type must be CERTIFICATE REQUEST"));
  }
  const usages = spec.usages ?? [];
  if (usages.length === 0) errors.push(requiredField("spec.usages"));
  for (const [i, usage] of usages.entries()) {
    if (!USAGES.includes(usage)) errors.push(unsupportedField(`spec.usages[${i}]`, usage, USAGES));
    if (usages.indexOf(usage) < i) errors.push(duplicateField(`spec.usages[${i}]`, usage));
  }
  errors.push(...validateSignerName(spec.signerName, "spec.signerName"));
  if (spec.expirationSeconds !== undefined && spec.expirationSeconds < SHORTEST_SECONDS) {
    errors.push(
      invalidField(
        "spec.expirationSeconds",
        spec.expirationSeconds,
        `may not specify a duration less than ${SHORTEST_SECONDS} seconds (10 minutes)`,
      ),
    );
  }
  return errors;
}

/** `example.com/signer` */
function validateSignerName(name: string | undefined, path: string): Errors {
  if (isMissing(name)) return [requiredField(path)];
  const [domain = "", signer, ...more] = name.split("/");
  if (signer === undefined)
    return [invalidField(path, name, "must be a fully qualified domain and path of the form 'example.com/signer-name'")];
  if (more.length > 0) return [invalidField(path, name, "must be a fully qualified domain and path of the form 'example.com/signer-name'")];
  const errors: FieldError[] = [];
  if (!domain.includes(".")) errors.push(invalidField(path, domain, "should be a domain with at least two segments separated by dots"));
  for (const part of [domain, signer]) {
    errors.push(
      ...isDns1123Subdomain(part).map((message) => invalidField(path, part, `validating label ${JSON.stringify(part)}: ${message}`)),
    );
  }
  return errors;
}

const LASTING: readonly string[] = ["Approved", "Denied", "Failed"];

/** Decisions stay, and a certificate that was issued stays the same. */
function validateStatus({ status: next }: CertificateSigningRequest, { status: previous }: CertificateSigningRequest): Errors {
  const errors: FieldError[] = [];
  const types = (next?.conditions ?? []).map(({ type }) => type);
  for (const [i, { type, status }] of (next?.conditions ?? []).entries()) {
    const path = `status.conditions[${i}]`;
    if (isMissing(type)) errors.push(requiredField(`${path}.type`));
    if (LASTING.includes(type) && status !== "True") errors.push(unsupportedField(`${path}.status`, status, ["True"]));
    if (types.indexOf(type) < i) errors.push(duplicateField(`${path}.type`, type));
  }
  if (types.includes("Approved") && types.includes("Denied")) {
    errors.push(invalidField("status.conditions", "Denied", "Approved and Denied conditions are mutually exclusive"));
  }
  for (const type of LASTING) {
    const kept = (previous?.conditions ?? []).filter((condition) => condition.type === type);
    if (kept.length > 0 && !same(kept.map(essence), (next?.conditions ?? []).filter((condition) => condition.type === type).map(essence))) {
      errors.push(forbiddenField("status.conditions", `updates may not modify a condition of type "${type}"`));
    }
  }
  if ((previous?.certificate ?? "") !== "") errors.push(...immutable(next?.certificate, previous?.certificate, "status.certificate"));
  return errors;
}

function essence({ type, status, reason, message }: NonNullable<NonNullable<CertificateSigningRequest["status"]>["conditions"]>[number]) {
  return { type, status, reason, message };
}
