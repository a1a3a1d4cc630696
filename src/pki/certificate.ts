import "reflect-metadata";
import { randomBytes, webcrypto } from "node:crypto";
import { isIP } from "node:net";
import * as x509 from "@peculiar/x509";
import { createKey, type KeyMaterial, parseKey, SIGNING, webPair } from "./key.ts";

/** A certificate and its key, both in PEM. */
export interface Certificate {
  readonly certPem: string;
  readonly keyPem: string;
}

export interface Ca extends Certificate {
  readonly key: KeyMaterial;
}

export type CertificateUsage = "server" | "client";

export interface IssueRequest {
  readonly ca: Ca;
  /** Common name: the user or host. */
  readonly cn: string;
  /** Organizations: the groups of a user. */
  readonly orgs?: readonly string[];
  /** DNS names and IP addresses; told apart by their look. */
  readonly sans?: readonly string[];
  readonly usages: readonly CertificateUsage[];
  /** Days of validity, never past the authority's own. */
  readonly days: number;
  /** Validity begins a little before this, so that clocks may differ. */
  readonly now: number;
  /** The subject's key. @default a new one */
  readonly key?: KeyMaterial;
}

/** The same object; the two declarations of its type differ. */
const crypto = webcrypto as unknown as NonNullable<Parameters<typeof x509.X509CertificateGenerator.createSelfSigned>[1]>;
const DAY_MS = 86_400_000;
const CLOCK_SKEW_MS = 300_000;

/** A self-signed authority that may sign leaves only. */
export async function createCa({ cn, days, now }: { readonly cn: string; readonly days: number; readonly now: number }): Promise<Ca> {
  const key = await createKey();
  const keys = await webPair(key);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned(
    {
      serialNumber: serial(),
      name: subject(cn, []),
      ...validity(now, days),
      signingAlgorithm: SIGNING,
      keys,
      extensions: [
        new x509.BasicConstraintsExtension(true, 0, true),
        new x509.KeyUsagesExtension(
          x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign | x509.KeyUsageFlags.digitalSignature,
          true,
        ),
        await x509.SubjectKeyIdentifierExtension.create(keys.publicKey, false, crypto),
      ],
    },
    crypto,
  );
  return { certPem: pem(certificate), keyPem: key.keyPem, key };
}

/** An authority from its files. */
export function loadCa({ certPem, keyPem }: Certificate): Ca {
  return { certPem, keyPem, key: parseKey(keyPem) };
}

/** A leaf signed by the authority, with a new key unless one is given. */
export async function issueCertificate(request: IssueRequest): Promise<Certificate> {
  const key = request.key ?? (await createKey());
  const { publicKey } = await webPair(key);
  return { certPem: await signLeaf(request, publicKey), keyPem: key.keyPem };
}

/** The part that CSR signing shares: a certificate over somebody's public key. */
export async function signLeaf(
  request: Omit<IssueRequest, "key"> & { readonly extraUsages?: readonly x509.ExtendedKeyUsage[] },
  publicKey: x509.PublicKeyType,
): Promise<string> {
  const { ca, cn, orgs = [], sans = [], usages, days, now } = request;
  const issuer = new x509.X509Certificate(ca.certPem);
  const { privateKey } = await webPair(ca.key);
  const extended = [
    ...usages.map((usage) => (usage === "server" ? x509.ExtendedKeyUsage.serverAuth : x509.ExtendedKeyUsage.clientAuth)),
    ...(request.extraUsages ?? []),
  ];
  const notAfter = new Date(Math.min(now + days * DAY_MS, issuer.notAfter.getTime()));
  const certificate = await x509.X509CertificateGenerator.create(
    {
      serialNumber: serial(),
      subject: subject(cn, orgs),
      issuer: issuer.subject,
      notBefore: new Date(now - CLOCK_SKEW_MS),
      notAfter,
      signingAlgorithm: SIGNING,
      publicKey,
      signingKey: privateKey,
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature | x509.KeyUsageFlags.keyEncipherment, true),
        ...(extended.length === 0 ? [] : [new x509.ExtendedKeyUsageExtension(extended, false)]),
        await x509.AuthorityKeyIdentifierExtension.create(issuer, false, crypto),
        ...(sans.length === 0 ? [] : [new x509.SubjectAlternativeNameExtension(sans.map(generalName))]),
      ],
    },
    crypto,
  );
  return pem(certificate);
}

export function generalName(name: string): x509.JsonGeneralName {
  return isIP(name) === 0 ? { type: "dns", value: name } : { type: "ip", value: name };
}

export function subject(cn: string, orgs: readonly string[]): x509.JsonName {
  return [...orgs.map((org) => ({ O: [org] })), { CN: [cn] }];
}

export function pem(certificate: x509.X509Certificate): string {
  return `${certificate.toString("pem")}\n`;
}

function validity(now: number, days: number): { readonly notBefore: Date; readonly notAfter: Date } {
  return { notBefore: new Date(now - CLOCK_SKEW_MS), notAfter: new Date(now + days * DAY_MS) };
}

/** 127 random bits, positive. */
function serial(): string {
  const bytes = randomBytes(16);
  bytes[0] = (bytes[0] ?? 0) & 0x7f || 1;
  return bytes.toString("hex");
}
