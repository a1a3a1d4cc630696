import type { Clock, Instant } from "#base/clock.ts";
import type { Client } from "#client/contract.ts";
import { ServiceAccountKind } from "#kinds/core/service-account.ts";
import { ConfigMapKind } from "#kinds/core/config-map.ts";
import { SecretKind } from "#kinds/core/secret.ts";
import type { KindRef } from "#kinds/kind.ts";
import type { TokenRequest } from "#machinery/api/authentication-v1.ts";
import type { ConfigMap, Pod, Secret, ServiceAccountTokenProjection } from "#machinery/api/core-v1.ts";
import type { KubeObject, Stored } from "#machinery/object.ts";
import { hasReason } from "#machinery/status.ts";
import { namespaceOf } from "./names.ts";

/** What pods refer to, read from the API server when a container or a volume needs it. undefined: there is none. */
export interface ObjectReader {
  configMap(namespace: string, name: string, signal: AbortSignal): Promise<ConfigMap | undefined>;
  secret(namespace: string, name: string, signal: AbortSignal): Promise<Secret | undefined>;
  /** A token bound to the pod; kept until 80 % of its life has passed. */
  token(pod: Stored<Pod>, source: ServiceAccountTokenProjection, signal: AbortSignal): Promise<string>;
  forget(uid: string): void;
}

const DEFAULT_TOKEN_SECONDS = 3600;
const MAX_TOKEN_AGE_MS = 24 * 3_600_000;

export function createObjectReader({ client, clock }: { readonly client: Client; readonly clock: Clock }): ObjectReader {
  const tokens = new Map<string, { readonly token: string; readonly refreshAt: Instant }>();

  return {
    configMap: (namespace, name, signal) => find(ConfigMapKind, namespace, name, signal),
    secret: (namespace, name, signal) => find(SecretKind, namespace, name, signal),
    async token(pod, { audience, expirationSeconds = DEFAULT_TOKEN_SECONDS }, signal) {
      const account = pod.spec.serviceAccountName ?? "default";
      const key = [pod.metadata.uid, account, audience ?? "", expirationSeconds].join("/");
      const kept = tokens.get(key);
      const now = clock.now();
      if (kept !== undefined && now < kept.refreshAt) return kept.token;
      const answer = await client.createSubresource<TokenRequest>(
        ServiceAccountKind,
        { name: account, namespace: namespaceOf(pod) },
        "token",
        {
          apiVersion: "authentication.k8s.io/v1",
          kind: "TokenRequest",
          metadata: {},
          spec: {
            ...(audience === undefined || audience === "" ? {} : { audiences: [audience] }),
            expirationSeconds,
            boundObjectRef: { apiVersion: "v1", kind: "Pod", name: pod.metadata.name, uid: pod.metadata.uid },
          },
        },
        signal,
      );
      const { token, expirationTimestamp } = answer.status ?? {};
      if (token === undefined)
        throw new Error(`Cannot read a token of service account "${account}": the answer has none, wanted status.token`);
      const lifeMs = expirationTimestamp === undefined ? expirationSeconds * 1000 : Date.parse(expirationTimestamp) - now;
      tokens.set(key, { token, refreshAt: now + Math.min(lifeMs * 0.8, MAX_TOKEN_AGE_MS) });
      return token;
    },
    forget(uid) {
      for (const key of tokens.keys()) if (key.startsWith(`${uid}/`)) tokens.delete(key);
    },
  };

  async function find<T extends KubeObject>(
    kind: KindRef<T>,
    namespace: string,
    name: string,
    signal: AbortSignal,
  ): Promise<Stored<T> | undefined> {
    try {
      return await client.get(kind, { name, namespace }, signal);
    } catch (cause) {
      if (hasReason(cause, "NotFound")) return undefined;
      throw cause;
    }
  }
}
