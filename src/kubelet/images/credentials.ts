import type { Secret } from "#machinery/api/core-v1.ts";

export interface RegistryCredentials {
  readonly username: string;
  readonly password: string;
}

/**
 * The credentials that pull secrets hold for an image, the most specific registry path first. Keys are as docker writes them:
 * `registry.example:5000`, `https://index.docker.io/v1/`, `registry.example/team`.
 */
export function credentialsFor(image: string, secrets: readonly Secret[]): readonly RegistryCredentials[] {
  const target = registryPath(image);
  return secrets
    .flatMap(authsOf)
    .map(({ key, ...login }) => ({ key: key.replace(/^https?:\/\//, "").replace(/\/(v1|v2)?\/?$/, ""), ...login }))
    .filter(({ key }) => target === key || target.startsWith(`${key}/`) || (key === "index.docker.io" && target.startsWith("docker.io/")))
    .toSorted((a, b) => b.key.length - a.key.length)
    .map(({ username, password }) => ({ username, password }));
}

/** `nginx:1` is `docker.io/library/nginx`. */
function registryPath(image: string): string {
  const bare = image.replace(/@.*$/, "").replace(/:[^:/]*$/, "");
  const [host = ""] = bare.split("/");
  if (!bare.includes("/")) return `docker.io/library/${bare}`;
  return /[.:]/.test(host) || host === "localhost" ? bare : `docker.io/${bare}`;
}

function authsOf(secret: Secret): readonly { readonly key: string; readonly username: string; readonly password: string }[] {
  const modern = secret.data?.[".dockerconfigjson"];
  const old = secret.data?.[".dockercfg"];
  const text = modern ?? old;
  if (text === undefined) return [];
  const parsed = parseJson(Buffer.from(text, "base64").toString());
  const auths = modern === undefined ? parsed : field(parsed, "auths");
  if (typeof auths !== "object" || auths === null) return [];
  return Object.entries(auths).flatMap(([key, entry]) => {
    const auth = field(entry, "auth");
    const pair = typeof auth === "string" ? Buffer.from(auth, "base64").toString() : "";
    const colon = pair.indexOf(":");
    const username = colon < 0 ? field(entry, "username") : pair.slice(0, colon);
    const password = colon < 0 ? field(entry, "password") : pair.slice(colon + 1);
    return typeof username === "string" && typeof password === "string" ? [{ key, username, password }] : [];
  });
}

function field(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null ? (value as Readonly<Record<string, unknown>>)[name] : undefined;
}

/** What is no JSON holds no credentials: the pull then fails in the registry's words. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    if (cause instanceof SyntaxError) return undefined;
    throw cause;
  }
}
