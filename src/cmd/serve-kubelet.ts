import { aborted } from "#base/deferred.ts";
import type { Clock } from "#base/clock.ts";
import type { Log } from "#base/log.ts";
import { openScope } from "#base/scope.ts";
import type { Client } from "#client/contract.ts";
import { SubjectAccessReviewKind } from "#kinds/authorization/subject-access-review.ts";
import { TokenReviewKind } from "#kinds/authentication/token-review.ts";
import type { KubeletView } from "#kubelet/contract.ts";
import type { NodeAccess, UserInfo } from "#kubelet/server/contract.ts";
import { createCriStreaming, criStreamingCalls } from "#kubelet/server/cri-streaming.ts";
import { createKubeletServer } from "#kubelet/server/server.ts";
import { ensureServingCertificate, lifeLeft } from "./node-identity.ts";

export interface ServeKubeletDeps {
  readonly client: Client;
  readonly clock: Clock;
  readonly log: Log;
}

export interface ServeKubeletOptions {
  readonly view: KubeletView;
  readonly nodeName: string;
  readonly nodeIp: string;
  readonly ca: string;
  /** Folder of the node's keys and certificates. */
  readonly dir: string;
}

const PORT = 10_250;
/** Upstream's caching of the API server's word: --authorization-webhook-cache-*-ttl. */
const ALLOWED_FOR_MS = 300_000;
const REFUSED_FOR_MS = 30_000;
const MAX_CACHED = 1000;

/** The node's HTTPS port, with a certificate from the cluster that is renewed; who may use it is the API server's word. */
export async function serveKubelet(
  { client, clock, log }: ServeKubeletDeps,
  options: ServeKubeletOptions,
  signal: AbortSignal,
): Promise<void> {
  const { view, nodeName, nodeIp, ca, dir } = options;
  await using scope = openScope(signal, log);
  const identity = { nodeName, addresses: [nodeIp], dir };
  let pair = await ensureServingCertificate(client, identity, { clock, log }, scope.signal);
  const server = scope.own(
    createKubeletServer({
      nodeName,
      tls: { ...pair, clientCa: ca },
      pods: view,
      streaming: createCriStreaming(criStreamingCalls(view.cri)),
      authenticateToken: (token, until) => reviewToken(client, token, until),
      authorize: createAuthorizer(client, clock),
      clock,
      log,
    }),
  );
  await server.listen({ host: nodeIp, port: PORT });
  scope.spawn("serving certificate", async (until) => {
    for (;;) {
      await clock.sleep(Math.max(60_000, lifeLeft(pair, clock.now())), until);
      if (until.aborted) return;
      pair = await ensureServingCertificate(client, identity, { clock, log }, until);
      server.setTls({ ...pair, clientCa: ca });
    }
  });
  await Promise.race([aborted(scope.signal), scope.finished()]);
}

function createAuthorizer(client: Client, clock: Clock): (access: NodeAccess, signal: AbortSignal) => Promise<boolean> {
  const known = new Map<string, { readonly allowed: boolean; readonly until: number }>();
  return async ({ user, verb, nodeName, subresources }, signal) => {
    for (const subresource of subresources) {
      const key = JSON.stringify([user, verb, subresource]);
      let word = known.get(key);
      if (word === undefined || word.until < clock.now()) {
        const { status } = await client.create(
          SubjectAccessReviewKind,
          {
            apiVersion: "authorization.k8s.io/v1",
            kind: "SubjectAccessReview",
            metadata: {},
            spec: {
              user: user.name,
              groups: user.groups,
              resourceAttributes: { verb, resource: "nodes", subresource, name: nodeName, version: "v1" },
            },
          },
          signal,
        );
        const allowed = status?.allowed === true;
        word = { allowed, until: clock.now() + (allowed ? ALLOWED_FOR_MS : REFUSED_FOR_MS) };
        if (known.size >= MAX_CACHED) known.clear();
        known.set(key, word);
      }
      if (word.allowed) return true;
    }
    return false;
  };
}

async function reviewToken(client: Client, token: string, signal: AbortSignal): Promise<UserInfo | undefined> {
  const { status } = await client.create(
    TokenReviewKind,
    { apiVersion: "authentication.k8s.io/v1", kind: "TokenReview", metadata: {}, spec: { token } },
    signal,
  );
  if (status?.authenticated !== true || status.user?.username === undefined) return undefined;
  return { name: status.user.username, groups: status.user.groups ?? [] };
}
