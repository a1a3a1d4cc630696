import type { SecureContextOptions } from "node:tls";
import type { Node } from "#machinery/api/core-v1.ts";
import { NodeKind } from "#kinds/core/node.ts";
import type { Stored } from "#machinery/object.ts";
import { internalError, notFound } from "#machinery/status.ts";
import type { Objects } from "../objects.ts";

/** Where a proxied request goes. */
export interface ProxyTarget {
  /** Scheme, host and port; the path is added. */
  readonly base: URL;
  readonly tls?: SecureContextOptions & { readonly servername?: string; readonly rejectUnauthorized?: boolean };
}

/** The credentials the API server shows to node agents, and the authority that theirs are from. All PEM. */
export interface KubeletCredentials {
  readonly caPem: string;
  readonly certPem: string;
  readonly keyPem: string;
}

/** Finds the port of a node's agent, for nodes that are reached in another way than by their address (simulated ones). */
export type DialKubelet = (node: Stored<Node>) => Promise<ProxyTarget | undefined>;

export interface KubeletDeps {
  readonly objects: Objects;
  readonly credentials: KubeletCredentials | undefined;
  readonly dialKubelet: DialKubelet | undefined;
}

const DEFAULT_PORT = 10_250;
/** Addresses of a node in the order in which they are tried. */
const ADDRESS_TYPES = ["InternalIP", "ExternalIP", "Hostname"];

/** A node agent is known by its node's name, never by its address: that is what its certificate must hold. */
export async function kubeletTarget({ objects, credentials, dialKubelet }: KubeletDeps, nodeName: string): Promise<ProxyTarget> {
  const node = await objects.get(NodeKind, undefined, nodeName);
  if (node === undefined) throw notFound({ group: "", plural: "nodes" }, nodeName);
  const dialed = await dialKubelet?.(node);
  if (dialed !== undefined) return dialed;
  const addresses = node.status?.addresses ?? [];
  const found = ADDRESS_TYPES.map((type) => addresses.find((address) => address.type === type)).find((address) => address !== undefined);
  if (found === undefined) {
    throw internalError(new Error(`no preferred addresses found; known addresses: [${addresses.map(({ address }) => address).join(" ")}]`));
  }
  if (credentials === undefined) throw internalError(new Error("this server has no credentials for node agents"));
  const port = node.status?.daemonEndpoints?.kubeletEndpoint?.Port || DEFAULT_PORT;
  const host = found.address.includes(":") ? `[${found.address}]` : found.address;
  const { caPem, certPem, keyPem } = credentials;
  return { base: new URL(`https://${host}:${port}`), tls: { ca: caPem, cert: certPem, key: keyPem, servername: nodeName } };
}
