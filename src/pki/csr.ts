import "reflect-metadata";
import { webcrypto } from "node:crypto";
import * as x509 from "@peculiar/x509";
import { type Ca, type CertificateUsage, generalName, signLeaf, subject } from "./certificate.ts";
import { type KeyMaterial, SIGNING, webPair } from "./key.ts";

const crypto = webcrypto as unknown as NonNullable<Parameters<typeof x509.Pkcs10CertificateRequestGenerator.create>[1]>;

const SUBJECT_ALTERNATIVE_NAME = "2.5.29.17";

/** What a certificate signing request asks for. */
export interface SigningRequest {
  readonly cn: string;
  readonly orgs: readonly string[];
  readonly dnsNames: readonly string[];
  readonly ipAddresses: readonly string[];
  readonly emailAddresses: readonly string[];
  readonly uris: readonly string[];
}

/** PKCS #10 in PEM, signed with the key it asks a certificate for. */
export async function createSigningRequest({
  key,
  cn,
  orgs = [],
  sans = [],
}: {
  readonly key: KeyMaterial;
  readonly cn: string;
  readonly orgs?: readonly string[];
  readonly sans?: readonly string[];
}): Promise<string> {
  const request = await x509.Pkcs10CertificateRequestGenerator.create(
    {
      name: subject(cn, orgs),
      keys: await webPair(key),
      signingAlgorithm: SIGNING,
      extensions: sans.length === 0 ? [] : [new x509.SubjectAlternativeNameExtension(sans.map(generalName))],
    },
    crypto,
  );
  return `${request.toString("pem")}\n`;
}

/** Reads a request in PEM without checking its signature, which signRequest does; undefined when it is none. */
export function readSigningRequest(pem: string): SigningRequest | undefined {
  const request = parse(pem);
  if (request === undefined) return undefined;
  const alternative = request.extensions.find((extension) => extension.type === SUBJECT_ALTERNATIVE_NAME);
  const names = alternative === undefined ? [] : new x509.SubjectAlternativeNameExtension(alternative.rawData).names.items;
  const ofType = (type: string) => names.filter((name) => name.type === type).map(({ value }) => value);
  return {
    cn: request.subjectName.getField("CN")[0] ?? "",
    orgs: request.subjectName.getField("O"),
    dnsNames: ofType("dns"),
    ipAddresses: ofType("ip"),
    emailAddresses: ofType("email"),
    uris: ofType("url"),
  };
}

/** A certificate over the request's key with the request's subject and alternative names. Throws when it is no request. */
export async function signRequest({
  ca,
  pem,
  usages,
  seconds,
  now,
}: {
  readonly ca: Ca;
  readonly pem: string;
  readonly usages: readonly CertificateUsage[];
  readonly seconds: number;
  readonly now: number;
}): Promise<string> {
  const [request, asked] = [parse(pem), readSigningRequest(pem)];
  if (request === undefined || asked === undefined || !(await request.verify(crypto)))
    throw new Error("Cannot sign the certificate request: it is damaged or not signed by its own key, wanted PKCS #10 in PEM");
  const { cn, orgs, dnsNames, ipAddresses } = asked;
  return signLeaf({ ca, cn, orgs, sans: [...dnsNames, ...ipAddresses], usages, days: seconds / 86_400, now }, request.publicKey);
}

function parse(pem: string): x509.Pkcs10CertificateRequest | undefined {
  if (!/^\s*-----BEGIN (NEW )?CERTIFICATE REQUEST-----/.test(pem)) return undefined;
  try {
    return new x509.Pkcs10CertificateRequest(pem);
  } catch (cause) {
    if (cause instanceof Error) return undefined; // the ASN.1 reader throws plain errors for damaged input
    throw cause;
  }
}
