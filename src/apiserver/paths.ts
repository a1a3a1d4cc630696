import type { Store } from "#store/contract.ts";
import type { ServiceAccountTokens } from "./auth/service-account-tokens.ts";
import type { Kind } from "#kinds/kind.ts";
import type { Metrics } from "./metrics.ts";
import { createOpenApi } from "./openapi/serve.ts";
import type { Discovery } from "./discovery.ts";
import { discoveryPath } from "./discovery-paths.ts";
import { type HealthCheck, healthPath } from "./health.ts";
import { pathNotFound } from "#machinery/status.ts";
import type { Answer, Exchange } from "./http/exchange.ts";
import { jsonAnswer } from "./http/answer.ts";
import { versionAnswer } from "./version.ts";

export interface PathsDeps {
  readonly discovery: Discovery;
  readonly store: Store;
  readonly tokens: ServiceAccountTokens;
  readonly issuer: string;
  readonly kinds: readonly Kind[];
  readonly metrics: Metrics;
}

/** Everything that is served and is no resource. */
export function createPaths({
  discovery,
  store,
  tokens,
  issuer,
  kinds,
  metrics,
}: PathsDeps): (exchange: Exchange) => Promise<Answer> | undefined {
  const checks: readonly HealthCheck[] = [
    { name: "ping", check: async () => undefined },
    { name: "etcd", check: async () => void (await store.revision()) },
  ];
  const openApi = createOpenApi(kinds);
  const roots = rootPaths(kinds);
  const version = versionAnswer(process.env.NAVARCH_VERSION ?? "0.0.0", { arch: process.arch, runtime: `node${process.version}` });
  return (exchange) => {
    const [root = "", second] = exchange.path.split("/").filter((part) => part !== "");
    switch (root) {
      case "":
        return Promise.resolve(jsonAnswer(200, { paths: roots }));
      case "api":
      case "apis":
        return discoveryPath(discovery, exchange);
      case ".well-known":
        return second === "openid-configuration" ? Promise.resolve(jsonAnswer(200, openidConfiguration(issuer), CACHED)) : undefined;
      case "openid":
        return exchange.path === "/openid/v1/jwks"
          ? tokens.jwks().then((keys) => jsonAnswer(200, keys, { ...CACHED, "content-type": "application/jwk-set+json" }))
          : undefined;
      case "openapi":
        return openApi(exchange);
      case "metrics":
        return exchange.path === "/metrics" ? metrics.answer() : undefined;
      case "version":
        return Promise.resolve(jsonAnswer(200, version));
      case "healthz":
      case "livez":
      case "readyz":
        return healthPath(root, checks, exchange, second).then((answer) => {
          if (answer === undefined) throw pathNotFound();
          return answer;
        });
      default:
        return undefined;
    }
  };
}

const CACHED = { "cache-control": "public, max-age=3600" };

function openidConfiguration(issuer: string): object {
  return {
    issuer,
    jwks_uri: `${issuer}/openid/v1/jwks`,
    response_types_supported: ["id_token"],
    subject_types_supported: ["public"],
    id_token_signing_alg_values_supported: ["ES256"],
  };
}

/** GET /: where there is something. */
function rootPaths(kinds: readonly Kind[]): readonly string[] {
  const groups = kinds.filter(({ group }) => group !== "").flatMap(({ group, version }) => [`/apis/${group}`, `/apis/${group}/${version}`]);
  const others = [
    "/.well-known/openid-configuration", "/api", "/api/v1", "/apis", "/healthz", "/healthz/etcd", "/healthz/ping", "/livez", "/livez/etcd",
    "/livez/ping", "/metrics", "/openapi/v2", "/openapi/v3", "/openid/v1/jwks", "/readyz", "/readyz/etcd", "/readyz/ping", "/version",
  ]; // biome-ignore format: one glance
  return [...new Set([...others, ...groups])].toSorted();
}
