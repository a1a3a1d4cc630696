import { createHash, X509Certificate } from "node:crypto";
import { request } from "node:https";
import { join } from "node:path";
import type { Clock } from "#base/clock.ts";
import type { Log } from "#base/log.ts";
import { readIfThere, writeFileAtomic } from "#base/node/files.ts";
import type { Client } from "#client/contract.ts";
import { createRestClient } from "#client/rest.ts";
import { CertificateSigningRequestKind } from "#kinds/certificates/certificate-signing-request.ts";
import type { CertificateSigningRequestSpec } from "#machinery/api/certificates-v1.ts";
import { createSigningRequest } from "#pki/csr.ts";
import { createKey } from "#pki/key.ts";
import { CommandError } from "./cluster.ts";

export interface KeyAndCertificate {
  readonly cert: string;
  readonly key: string;
}

export interface IdentityDeps {
  readonly clock: Clock;
  readonly log: Log;
}

export interface JoinOptions {
  readonly server: string;
  readonly nodeName: string;
  /** Folder of the node's keys and certificates. */
  readonly dir: string;
  readonly ca: string;
  /** Needed until the node has a certificate of its own. */
  readonly token: () => Promise<string | undefined>;
}

/** Of a certificate's life, when a new one is asked for: upstream renews between 70 and 90 per cent. */
const RENEW_AT = 0.8;
const POLL_MS = 100;
const RETRY_MS = 1000;

/** The node's client certificate: the one on disk while it is good, else a new one by the join token (TLS bootstrap). */
export async function ensureClientCertificate(
  options: JoinOptions,
  { clock, log }: IdentityDeps,
  signal: AbortSignal,
): Promise<KeyAndCertificate> {
  const known = await readPair(options.dir, "client");
  if (known !== undefined && lifeLeft(known, clock.now()) > 0) return known;
  const token = await options.token();
  if (token === undefined)
    throw new CommandError(
      `Cannot join ${options.server}: this node has no certificate and no token was given, pass --token or --token-file`,
    );
  await using client = createRestClient({
    server: options.server,
    credentials: () => ({ ca: options.ca, token }),
    clock,
    log,
    userAgent: "navarch-agent",
    timeoutMs: 10_000,
  });
  return await requestCertificate(client, clientRequest(options.nodeName), options.dir, "client", { clock, log }, signal);
}

/** Asks for a new client certificate when the old one has lived most of its life; the caller uses what `renewed` gets. */
export async function runClientRenewal(
  client: Client,
  options: Pick<JoinOptions, "nodeName" | "dir"> & {
    readonly current: KeyAndCertificate;
    readonly renewed: (pair: KeyAndCertificate) => void;
  },
  deps: IdentityDeps,
  signal: AbortSignal,
): Promise<void> {
  let { current } = options;
  for (;;) {
    await deps.clock.sleep(Math.max(RETRY_MS, lifeLeft(current, deps.clock.now())), signal);
    if (signal.aborted) return;
    current = await requestCertificate(client, clientRequest(options.nodeName), options.dir, "client", deps, signal);
    options.renewed(current);
  }
}

/** The certificate that the node's own port shows: kept while it is good and names all addresses. */
export async function ensureServingCertificate(
  client: Client,
  options: { readonly nodeName: string; readonly addresses: readonly string[]; readonly dir: string },
  deps: IdentityDeps,
  signal: AbortSignal,
): Promise<KeyAndCertificate> {
  const known = await readPair(options.dir, "serving");
  const sans = [options.nodeName, ...options.addresses];
  if (known !== undefined && lifeLeft(known, deps.clock.now()) > 0) {
    const names = new X509Certificate(known.cert).subjectAltName ?? "";
    if (sans.every((name) => names.includes(name))) return known;
  }
  return requestCertificate(
    client,
    {
      signerName: "kubernetes.io/kubelet-serving",
      usages: ["digital signature", "server auth"],
      cn: `system:node:${options.nodeName}`,
      orgs: ["system:nodes"],
      sans,
    },
    options.dir,
    "serving",
    deps,
    signal,
  );
}

/** Milliseconds until a certificate should be replaced; negative when that is overdue. */
export function lifeLeft({ cert }: KeyAndCertificate, now: number): number {
  const { validFrom, validTo } = new X509Certificate(cert);
  const [from, to] = [Date.parse(validFrom), Date.parse(validTo)];
  return from + (to - from) * RENEW_AT - now;
}

/**
 * The cluster's CA: from its file, or, with the hash of its public key (`sha256:<hex>`, as kubeadm prints it), fetched from the
 * server, which publishes it in the ConfigMap kube-public/cluster-info.
 */
export async function findCa({
  server,
  caFile,
  caHash,
}: {
  server: string;
  caFile: string | undefined;
  caHash: string | undefined;
}): Promise<string> {
  if (caFile !== undefined) {
    const ca = await readIfThere(caFile);
    if (ca === undefined)
      throw new CommandError(`Cannot read the cluster's CA: ${caFile} does not exist, copy pki/ca.crt from the server's data directory`);
    return ca;
  }
  if (caHash === undefined) throw new CommandError(`Cannot trust ${server}: pass --ca-file, or --ca-hash to fetch the CA and check it`);
  const ca = await presentedCa(server);
  const found = caHashOf(ca);
  if (found !== caHash) throw new CommandError(`Cannot trust ${server}: its CA has hash ${found}, wanted ${caHash}`);
  return ca;
}

/** `sha256:<hex>` over the public key of a CA, as kubeadm prints it. */
export function caHashOf(pem: string): string {
  const key = new X509Certificate(pem).publicKey.export({ type: "spki", format: "der" });
  return `sha256:${createHash("sha256").update(key).digest("hex")}`;
}

interface WantedCertificate {
  readonly signerName: string;
  readonly usages: CertificateSigningRequestSpec["usages"];
  readonly cn: string;
  readonly orgs: readonly string[];
  readonly sans: readonly string[];
}

function clientRequest(nodeName: string): WantedCertificate {
  return {
    signerName: "kubernetes.io/kube-apiserver-client-kubelet",
    usages: ["digital signature", "client auth"],
    cn: `system:node:${nodeName}`,
    orgs: ["system:nodes"],
    sans: [],
  };
}

/** Creates a request and waits until it is signed. The server may not be there yet: tries until it is. */
async function requestCertificate(
  client: Client,
  { signerName, usages, cn, orgs, sans }: WantedCertificate,
  dir: string,
  name: "client" | "serving",
  { clock, log }: IdentityDeps,
  signal: AbortSignal,
): Promise<KeyAndCertificate> {
  const key = await createKey();
  const pem = await createSigningRequest({ key, cn, orgs, sans });
  for (let attempt = 0; ; attempt++) {
    signal.throwIfAborted();
    try {
      const { metadata } = await client.create(
        CertificateSigningRequestKind,
        {
          apiVersion: "certificates.k8s.io/v1",
          kind: "CertificateSigningRequest",
          metadata: { generateName: "csr-" },
          spec: { request: Buffer.from(pem).toString("base64"), signerName, ...(usages === undefined ? {} : { usages }) },
        },
        signal,
      );
      const cert = await waitForCertificate(client, metadata.name, clock, signal);
      await writeFileAtomic(join(dir, `${name}.key`), key.keyPem);
      await writeFileAtomic(join(dir, `${name}.crt`), cert);
      return { cert, key: key.keyPem };
    } catch (cause) {
      if (signal.aborted || cause instanceof CommandError) throw cause;
      log.warn("Certificate could not be had yet", { signerName, attempt, cause });
      await clock.sleep(attempt < 20 ? POLL_MS : RETRY_MS, signal);
    }
  }
}

async function waitForCertificate(client: Client, name: string, clock: Clock, signal: AbortSignal): Promise<string> {
  for (;;) {
    const { status } = await client.get(CertificateSigningRequestKind, { name, namespace: undefined }, signal);
    const refused = status?.conditions?.find(({ type }) => type === "Denied" || type === "Failed");
    if (refused !== undefined)
      throw new CommandError(
        `Cannot get a certificate: request "${name}" was refused (${refused.reason ?? refused.type}): ${refused.message ?? ""}`,
      );
    if (status?.certificate !== undefined) return Buffer.from(status.certificate, "base64").toString();
    await clock.sleep(POLL_MS, signal);
    signal.throwIfAborted();
  }
}

async function readPair(dir: string, name: string): Promise<KeyAndCertificate | undefined> {
  const [cert, key] = await Promise.all([readIfThere(join(dir, `${name}.crt`)), readIfThere(join(dir, `${name}.key`))]);
  return cert === undefined || key === undefined ? undefined : { cert, key };
}

/** Reads cluster-info without trusting the server: the caller checks the CA's hash. */
function presentedCa(server: string): Promise<string> {
  const url = new URL("/api/v1/namespaces/kube-public/configmaps/cluster-info", server);
  return new Promise((resolve, reject) => {
    const call = request(url, { rejectUnauthorized: false, timeout: 10_000 }, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("error", reject);
      response.on("end", () => {
        const text = Buffer.concat(chunks).toString();
        const encoded = /certificate-authority-data: (\S+)/.exec(
          (JSON.parse(text) as { data?: { kubeconfig?: string } }).data?.kubeconfig ?? "",
        )?.[1];
        if (encoded === undefined) reject(new CommandError(`Cannot fetch the CA from ${server}: it publishes none, pass --ca-file`));
        else resolve(Buffer.from(encoded, "base64").toString());
      });
    });
    call.on("timeout", () => call.destroy(new CommandError(`Cannot fetch the CA from ${server}: no answer within 10 s`)));
    call.on("error", reject);
    call.end();
  });
}
