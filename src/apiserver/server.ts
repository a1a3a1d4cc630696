import { setMaxListeners } from "node:events";
import http2 from "node:http2";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import type { IncomingMessage } from "node:http";
import type { Clock } from "#base/clock.ts";
import type { Entropy } from "#base/entropy.ts";
import type { Log } from "#base/log.ts";
import type { Kind } from "#kinds/kind.ts";
import type { Store } from "#store/contract.ts";
import type { WatchHub } from "#store/watch-hub.ts";
import { createAdmission } from "./admission/admission.ts";
import { admissionPlugins } from "./admission/registry.ts";
import { createAuthenticator } from "./auth/authenticate.ts";
import { anyOf, mastersAuthorizer } from "./auth/authorize.ts";
import { bootstrapTokenUser } from "./auth/bootstrap-tokens.ts";
import { createNodeAuthorizer } from "./auth/node-authorizer.ts";
import { createRbac } from "./auth/rbac.ts";
import { createServiceAccountTokens } from "./auth/service-account-tokens.ts";
import { createObjects } from "./objects.ts";
import type { DialKubelet, KubeletCredentials } from "./proxy/target.ts";
import { createServiceAllocator } from "./service-allocator/allocator.ts";
import type { PortRange } from "./service-allocator/ranges.ts";
import type { StorageHooks } from "./storage-hooks.ts";
import { createKey, type KeyMaterial } from "#pki/key.ts";
import { maintainServerObjects } from "./bootstrap/maintain.ts";
import { bootstrap } from "./bootstrap/run.ts";
import { createDiscovery } from "./discovery.ts";
import { type AnyRequest, type AnyResponse, ClientGoneError, exchangeOf, sendAnswer, sendOnSocket } from "./http/connection.ts";
import { compose, type Handler } from "./http/exchange.ts";
import { createMetrics } from "./metrics.ts";
import { createPaths } from "./paths.ts";
import { SUBRESOURCES } from "./subresources/registry.ts";
import { pipeline } from "./pipeline.ts";
import { createResources } from "./resource.ts";
import { createRouter } from "./router.ts";
import type { Served } from "./served.ts";

export interface ApiServerDeps {
  readonly store: Store;
  readonly hub: WatchHub;
  readonly kinds: readonly Kind[];
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly log: Log;
  /** Where a node's agent is reached, for nodes that are not reached by their address. @default by address */
  readonly dialKubelet?: DialKubelet;
}

export interface ApiServerOptions {
  /** `address:port` that pods and other servers reach this server at: what discovery and the `kubernetes` endpoints tell. */
  readonly advertise: string;
  /** Addresses of Services, one range per IP family. @default ["10.43.0.0/16"] */
  readonly serviceCidrs?: readonly string[];
  /** @default 30000-32767 */
  readonly nodePorts?: PortRange;
  /** Issuer and default audience of service account tokens. @default "https://kubernetes.default.svc.cluster.local" */
  readonly issuer?: string;
  /** Signs service account tokens. @default a new one: tokens then end with this process */
  readonly serviceAccountKey?: KeyMaterial;
  /** Shown to node agents, and the authority that theirs are from. Without it logs, exec and port-forward answer 500. */
  readonly kubelet?: KubeletCredentials;
  /** Published in kube-system/extension-apiserver-authentication. */
  readonly clientCaPem?: string;
}

export interface TlsFiles {
  readonly certPem: string;
  readonly keyPem: string;
  /** Authorities whose client certificates are users. */
  readonly clientCaPem: string;
}

export interface ListenOptions {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  readonly tls: TlsFiles;
}

export interface Listening extends AsyncDisposable {
  readonly host: string;
  readonly port: number;
  /** Uses another certificate for connections from now on. */
  renew(tls: TlsFiles): void;
}

export interface ApiServer {
  /** Everything a request goes through, for requests that come from this process too. */
  readonly handle: Handler;
  readonly served: Served;
  /** Makes the objects that every cluster has: namespaces, roles, the `kubernetes` Service. To be awaited before others are let in. */
  bootstrap(signal: AbortSignal): Promise<void>;
  /** Keeps those of them that the cluster cannot be without, until `signal` aborts. */
  maintain(signal: AbortSignal): Promise<void>;
  listen(options: ListenOptions): Promise<Listening>;
}

/** Makes a server that does nothing yet: no socket, no timer, no read of the store. */
export function createApiServer(deps: ApiServerDeps, options: ApiServerOptions): ApiServer {
  const { store, hub, kinds, clock, entropy, log } = deps;
  const {
    advertise,
    serviceCidrs = ["10.43.0.0/16"],
    nodePorts = { from: 30_000, to: 32_767 },
    issuer = "https://kubernetes.default.svc.cluster.local",
    kubelet,
    clientCaPem = "",
  } = options;
  const resources = createResources({ store, hub, kinds });
  const objects = createObjects(resources);
  let key: Promise<KeyMaterial> | undefined;
  const signingKey = () => {
    key ??= options.serviceAccountKey === undefined ? createKey() : Promise.resolve(options.serviceAccountKey);
    return key;
  };
  const tokens = createServiceAccountTokens({ key: signingKey, issuer, clock, objects });
  const rbac = createRbac(objects);
  const authorize = anyOf([mastersAuthorizer, createNodeAuthorizer({ resources, objects }), (attributes) => rbac.authorize(attributes)]);
  const served: Served = {
    store,
    resources,
    objects,
    admission: createAdmission(admissionPlugins({ resources, objects, entropy, authorize, rbac })),
    authorize,
    rbac,
    tokens,
    bootstrapUser: (token) => bootstrapTokenUser(token, objects, clock),
    kubelet: { objects, credentials: kubelet, dialKubelet: deps.dialKubelet },
    clock,
    entropy,
    log,
    hooks: new Map([["/Service", createServiceAllocator({ objects, entropy }, { serviceCidrs, nodePorts }) as unknown as StorageHooks]]),
  };
  const metrics = createMetrics(({ group, version, resource, subresource }) => {
    const kind = resources.find(group, version, resource);
    return kind !== undefined && (subresource === "" || kind.subresources.some(({ name }) => name === subresource));
  });
  const paths = createPaths({ discovery: createDiscovery(kinds, advertise), store, tokens, issuer, kinds, metrics });
  const router = createRouter({ served, paths, special: new Map(SUBRESOURCES) });
  const authenticate = createAuthenticator({ tokens, objects, clock });
  const handle = compose(pipeline({ log, clock, metrics, authenticate, authorize }), router);
  const [serviceCidr = "10.43.0.0/16"] = serviceCidrs;
  const advertised = { ...hostAndPort(advertise), serviceCidr };
  return {
    handle,
    served,
    bootstrap: (signal) => bootstrap(served, { ...advertised, clientCaPem }, signal),
    maintain: (signal) => maintainServerObjects({ served, clock, log }, advertised, signal),
    listen: (listen) => open(listen, handle, log),
  };
}

function hostAndPort(advertise: string): { readonly address: string; readonly port: number } {
  const colon = advertise.lastIndexOf(":");
  return { address: advertise.slice(0, colon).replace(/^\[|\]$/g, ""), port: Number(advertise.slice(colon + 1)) };
}

/** As Go's server: the words of an exec command are part of the request line. */
const MAX_HEADER_BYTES = 1024 * 1024;

/** One port for HTTP/2, HTTP/1.1 and upgrades. */
async function open({ host, port, tls }: ListenOptions, handle: Handler, log: Log): Promise<Listening> {
  const closing = new AbortController();
  setMaxListeners(0, closing.signal); // every request waits on it
  const server = http2.createSecureServer({
    allowHTTP1: true,
    ...({ maxHeaderSize: MAX_HEADER_BYTES } as object), // for HTTP/1.1, which the types of node:http2 leave out
    ...secureContext(tls),
    requestCert: true,
    rejectUnauthorized: false,
    settings: { maxConcurrentStreams: 1000, initialWindowSize: 1024 * 1024 },
  });
  const sockets = new Set<Duplex>();
  server.on("secureConnection", (socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    socket.setNoDelay(true);
  });
  server.on("session", (session) => session.on("error", (cause: Error) => log.debug("An HTTP/2 connection failed", { cause })));
  server.on("tlsClientError", (cause: Error) => log.debug("A TLS handshake failed", { cause }));
  server.on("request", (request: AnyRequest, response: AnyResponse) => {
    void serve(request, response, handle, closing.signal, log);
  });
  server.on("upgrade", (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    void serveUpgrade(request, socket, head, handle, closing.signal, log);
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => {
      server.removeListener("error", reject);
      resolve();
    });
  });
  const address = server.address() as AddressInfo;
  return {
    host,
    port: address.port,
    renew: (next) => server.setSecureContext(secureContext(next)),
    async [Symbol.asyncDispose]() {
      closing.abort();
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

function secureContext({ certPem, keyPem, clientCaPem }: TlsFiles) {
  return { cert: certPem, key: keyPem, ca: clientCaPem, minVersion: "TLSv1.2" as const };
}

/** One for all: making an error costs more than ending a request. */
const GONE = new ClientGoneError("Cannot go on with the request: the client or the server goes away");

/** Never rejects: there is nobody behind it to tell. */
async function serve(request: AnyRequest, response: AnyResponse, handle: Handler, closing: AbortSignal, log: Log): Promise<void> {
  const gone = new AbortController();
  response.on("close", () => gone.abort(GONE));
  response.on("error", (cause: Error) => {
    log.debug("A connection failed", { cause });
    gone.abort(GONE);
  });
  const abort = () => gone.abort(GONE);
  closing.addEventListener("abort", abort, { once: true });
  try {
    const exchange = exchangeOf(request, gone.signal);
    await sendAnswer(exchange, request, response, await handle(exchange));
  } catch (cause) {
    if (!(cause instanceof ClientGoneError) && !gone.signal.aborted) log.error("An answer could not be sent", { path: request.url, cause });
    response.destroy();
  } finally {
    closing.removeEventListener("abort", abort);
  }
}

async function serveUpgrade(
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  handle: Handler,
  closing: AbortSignal,
  log: Log,
): Promise<void> {
  const gone = new AbortController();
  socket.on("close", () => gone.abort(GONE));
  socket.on("error", (cause) => {
    log.debug("An upgraded connection failed", { cause });
    gone.abort(GONE);
  });
  const abort = () => gone.abort(GONE);
  closing.addEventListener("abort", abort, { once: true });
  try {
    const exchange = exchangeOf(request, gone.signal, { request, socket, head });
    await sendOnSocket(exchange, socket, await handle(exchange));
  } catch (cause) {
    if (!gone.signal.aborted) log.error("An upgrade could not be answered", { path: request.url, cause });
    socket.destroy();
  } finally {
    closing.removeEventListener("abort", abort);
  }
}
