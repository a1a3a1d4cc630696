import { type Ca, createCa, issueCertificate } from "#pki/certificate.ts";
import type { ServerTls } from "./contract.ts";

interface ClientIdentity {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

export interface Identities {
  /** The node's certificate, and the same node's next one. */
  readonly server: ServerTls;
  readonly renewed: ServerTls;
  readonly apiserver: ClientIdentity;
  /** A user that the tests' authorizer refuses. */
  readonly nobody: ClientIdentity;
  /** Of a CA that the node does not know. */
  readonly stranger: ClientIdentity;
}

/** Certificates for tests, valid by the machine's clock, as TLS has no other. */
export async function testIdentities(): Promise<Identities> {
  const now = Date.now();
  const [ca, otherCa] = await Promise.all([createCa({ cn: "cluster", days: 1, now }), createCa({ cn: "other", days: 1, now })]);
  const serving = async (): Promise<ServerTls> => {
    const { certPem, keyPem } = await issueCertificate({ ca, cn: "node-1", sans: ["127.0.0.1"], usages: ["server"], days: 1, now });
    return { cert: certPem, key: keyPem, clientCa: ca.certPem };
  };
  const client = async (issuer: Ca, cn: string, orgs: readonly string[] = []): Promise<ClientIdentity> => {
    const { certPem, keyPem } = await issueCertificate({ ca: issuer, cn, orgs, usages: ["client"], days: 1, now });
    return { ca: ca.certPem, cert: certPem, key: keyPem };
  };
  return {
    server: await serving(),
    renewed: await serving(),
    apiserver: await client(ca, "kube-apiserver", ["system:masters"]),
    nobody: await client(ca, "nobody"),
    stranger: await client(otherCa, "kube-apiserver", ["system:masters"]),
  };
}
