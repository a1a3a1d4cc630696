import { mkdir, open, readFile, rm, stat } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { dump, load } from "js-yaml";
import type { Clock } from "#base/clock.ts";
import { hasCode, writeFileAtomic } from "#base/node/files.ts";

/** One way into one cluster. PEM texts are embedded. */
export interface KubeconfigEntry {
  /** Name of context, cluster and user alike. */
  readonly name: string;
  readonly server: string;
  readonly ca: string;
  readonly user: { readonly cert: string; readonly key: string } | { readonly token: string };
  readonly namespace?: string;
}

/** What a kubeconfig says about its current context, ready for a client. */
export interface KubeconfigAccess {
  readonly server: string;
  readonly credentials: { readonly ca?: string; readonly cert?: string; readonly key?: string; readonly token?: string };
  readonly namespace: string;
}

export class KubeconfigError extends Error {
  override readonly name = "KubeconfigError";
}

/** Files as kubectl finds them: $KUBECONFIG (several, colon-separated), else ~/.kube/config. The first one is written. */
export function kubeconfigPath(env: Readonly<Record<string, string | undefined>>): string {
  const first = (env.KUBECONFIG ?? "").split(":").find((path) => path !== "");
  return first ?? join(env.HOME ?? homedir(), ".kube", "config");
}

/** A whole kubeconfig with one entry, for a file of its own. */
export function renderKubeconfig(entry: KubeconfigEntry): string {
  return dump(withEntry({}, entry), YAML);
}

/** Adds or replaces the entry and makes it current. Everything else in the file stays. */
export function mergeKubeconfig(
  path: string,
  entry: KubeconfigEntry,
  deps: { readonly clock: Clock; readonly signal: AbortSignal },
): Promise<void> {
  return edit(path, deps, (config) => withEntry(config, entry));
}

/** Removes the context, cluster and user of this name; unsets current-context where it pointed there. Absent: nothing happens. */
export function removeFromKubeconfig(
  path: string,
  name: string,
  deps: { readonly clock: Clock; readonly signal: AbortSignal },
): Promise<void> {
  return edit(path, deps, (config) => withoutEntry(config, name));
}

/** Reads one context, the current one unless named. File references are read, relative to the file's folder. */
export async function readKubeconfig(path: string, contextName?: string): Promise<KubeconfigAccess> {
  const config = parse(await readFile(path, "utf8"), path);
  const name = contextName ?? text(config["current-context"]);
  const context = record(find(config.contexts, name)?.context);
  const cluster = record(find(config.clusters, text(context?.cluster))?.cluster);
  const user = record(find(config.users, text(context?.user))?.user);
  if (context === undefined || cluster === undefined) {
    throw new KubeconfigError(`Cannot use kubeconfig "${path}": context "${name}" or its cluster is missing, wanted both`);
  }
  const dir = dirname(path);
  const ca = await pem(cluster, "certificate-authority", dir);
  const cert = await pem(user, "client-certificate", dir);
  const key = await pem(user, "client-key", dir);
  const token = typeof user?.token === "string" ? user.token : undefined;
  return {
    server: text(cluster.server),
    credentials: {
      ...(ca === undefined ? {} : { ca }),
      ...(cert === undefined ? {} : { cert }),
      ...(key === undefined ? {} : { key }),
      ...(token === undefined ? {} : { token }),
    },
    namespace: text(context.namespace) || "default",
  };
}

const YAML = { lineWidth: -1, noRefs: true } as const;
const LOCK_TRIES = 100;
const LOCK_RETRY_MS = 50;
/** A lock this old was left by a program that died. */
const LOCK_STALE_MS = 60_000;

type Config = Readonly<Record<string, unknown>>;

function withEntry(config: Config, entry: KubeconfigEntry): Config {
  const { name, server, ca, user, namespace } = entry;
  const rest = withoutEntry(config, name);
  const credentials =
    "token" in user ? { token: user.token } : { "client-certificate-data": base64(user.cert), "client-key-data": base64(user.key) };
  return {
    apiVersion: "v1",
    kind: "Config",
    ...rest,
    clusters: [...list(rest.clusters), { name, cluster: { "certificate-authority-data": base64(ca), server } }],
    contexts: [...list(rest.contexts), { name, context: { cluster: name, user: name, ...(namespace === undefined ? {} : { namespace }) } }],
    "current-context": name,
    users: [...list(rest.users), { name, user: credentials }],
  };
}

function withoutEntry(config: Config, name: string): Config {
  const without = (value: unknown) => list(value).filter((item) => record(item)?.name !== name);
  const next: Record<string, unknown> = { ...config };
  for (const field of ["clusters", "contexts", "users"]) if (next[field] !== undefined) next[field] = without(next[field]);
  if (next["current-context"] === name) next["current-context"] = "";
  return next;
}

async function edit(
  path: string,
  { clock, signal }: { readonly clock: Clock; readonly signal: AbortSignal },
  change: (config: Config) => Config,
): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const lock = `${path}.lock`;
  await acquire(lock, clock, signal);
  try {
    let before: string | undefined;
    let mode = 0o600;
    try {
      before = await readFile(path, "utf8");
      mode = (await stat(path)).mode & 0o777;
    } catch (cause) {
      if (!hasCode(cause, "ENOENT")) throw cause;
    }
    const config = before === undefined ? {} : parse(before, path);
    const after = change(config);
    if (JSON.stringify(after) === JSON.stringify(config)) return;
    await writeFileAtomic(path, dump(after, YAML), { mode });
  } finally {
    await rm(lock, { force: true });
  }
}

/** The lock file that kubectl and kind use, so that we and they do not overwrite each other. */
async function acquire(lock: string, clock: Clock, signal: AbortSignal): Promise<void> {
  for (let tries = 1; ; tries++) {
    signal.throwIfAborted();
    try {
      await (await open(lock, "wx", 0o600)).close();
      return;
    } catch (cause) {
      if (!hasCode(cause, "EEXIST")) throw cause;
      if (tries >= LOCK_TRIES)
        throw new KubeconfigError(`Cannot lock "${lock}": another program holds it, remove it if none does`, { cause });
      if (await isStale(lock, clock)) await rm(lock, { force: true });
      else await clock.sleep(LOCK_RETRY_MS, signal);
    }
  }
}

async function isStale(lock: string, clock: Clock): Promise<boolean> {
  try {
    return clock.now() - (await stat(lock)).mtimeMs > LOCK_STALE_MS;
  } catch (cause) {
    if (hasCode(cause, "ENOENT")) return true;
    throw cause;
  }
}

function parse(content: string, path: string): Config {
  let value: unknown;
  try {
    value = content.trim() === "" ? {} : load(content);
  } catch (cause) {
    throw new KubeconfigError(`Cannot read kubeconfig "${path}": it is not YAML, repair or move it`, { cause });
  }
  const config = record(value ?? {});
  if (config === undefined) throw new KubeconfigError(`Cannot read kubeconfig "${path}": it holds no object, repair or move it`);
  return config;
}

function find(items: unknown, name: string): Config | undefined {
  return list(items)
    .map(record)
    .find((item) => item?.name === name);
}

async function pem(holder: Config | undefined, field: string, dir: string): Promise<string | undefined> {
  const embedded = holder?.[`${field}-data`];
  if (typeof embedded === "string") return Buffer.from(embedded, "base64").toString();
  const file = holder?.[field];
  return typeof file === "string" ? readFile(resolve(dir, file), "utf8") : undefined;
}

const list = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);
const record = (value: unknown): Config | undefined =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Config) : undefined;
const text = (value: unknown): string => (typeof value === "string" ? value : "");
const base64 = (value: string): string => Buffer.from(value).toString("base64");
