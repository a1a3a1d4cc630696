import { type ChildProcessWithoutNullStreams, execFile, spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { request as httpsRequest } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { load } from "js-yaml";
import type { Client } from "#client/contract.ts";
import { startCluster } from "#cmd/start-cluster.ts";

/** The kubectl on PATH, and those that `NAVARCH_KUBECTLS` names, separated by colons: what users do must work with each of them. */
export const KUBECTLS: readonly string[] = ["kubectl", ...(process.env["NAVARCH_KUBECTLS"] ?? "").split(":").filter((path) => path !== "")];

export interface Result {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** One string is split at spaces; a list is passed as it is. */
export type Args = string | readonly string[];

export interface KubectlOptions {
  readonly input?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** A kubectl with a kubeconfig, a home and a cache of its own. */
export interface Kubectl {
  /** Resolves with whatever came of it. */
  (args: Args, options?: KubectlOptions): Promise<Result>;
  /** Standard output of a command that has to succeed. */
  ok(args: Args, options?: KubectlOptions): Promise<string>;
  /** Parsed standard output of a command with `-o json`. */
  json<T>(args: Args): Promise<T>;
  /** Standard error of a command that has to fail. */
  fails(args: Args, options?: KubectlOptions): Promise<string>;
  /** A command that goes on, such as `get -w`. Dispose it to end it. */
  follow(args: Args): Following;
  /** Reads until `condition` holds. */
  eventually(args: Args, condition: (stdout: string) => boolean, withinMs?: number): Promise<string>;
}

export interface Following extends AsyncDisposable {
  /** All output so far, once `condition` holds for it. */
  until(condition: (stdout: string) => boolean, withinMs?: number): Promise<string>;
}

const COMMAND_WITHIN_MS = 60_000;
export const EVENTUALLY_WITHIN_MS = 30_000;

/** A kubectl for `kubeconfig`, with its files in `directory`. */
export function kubectlFor(program: string, directory: string, kubeconfig: string): Kubectl {
  const run = (args: Args, options: KubectlOptions = {}) => finished(start(args, options), args, options.input);
  const kubectl = {
    async ok(args: Args, options?: KubectlOptions) {
      const result = await run(args, options);
      if (result.code !== 0) throw new Error(`kubectl ${words(args).join(" ")} ended with code ${result.code}: ${result.stderr}`);
      return result.stdout;
    },
    async json<T>(args: Args) {
      return JSON.parse(await kubectl.ok(args)) as T;
    },
    async fails(args: Args, options?: KubectlOptions) {
      const result = await run(args, options);
      if (result.code === 0) throw new Error(`kubectl ${words(args).join(" ")} succeeded, it should have failed: ${result.stdout}`);
      return result.stderr;
    },
    follow: (args: Args) => following(start(args, {}), args),
    eventually: (args: Args, condition: (stdout: string) => boolean, withinMs?: number) =>
      eventually(async () => (await run(args)).stdout, condition, withinMs),
  };
  return Object.assign(run, kubectl);

  function start(args: Args, { env }: KubectlOptions): ChildProcessWithoutNullStreams {
    const own = { PATH: process.env["PATH"] ?? "", HOME: directory, KUBECONFIG: kubeconfig, KUBECACHEDIR: join(directory, "cache") };
    return spawn(program, words(args), { env: { ...own, ...env } });
  }
}

export interface TestCluster extends AsyncDisposable {
  readonly url: string;
  readonly client: Client;
  readonly directory: string;
  readonly credentials: Credentials;
  readonly kubectl: Kubectl;
}

export interface ClusterOptions {
  /** Simulated nodes. @default 2 */
  readonly nodes?: number;
  /** @default "kubectl" */
  readonly program?: string;
}

/** A cluster in this process, all nodes Ready. */
export async function openCluster({ nodes = 2, program = "kubectl" }: ClusterOptions = {}): Promise<TestCluster> {
  const directory = await mkdtemp(join(tmpdir(), "navarch-cluster-"));
  const cluster = await startCluster({ nodes });
  const path = join(directory, "kubeconfig");
  await writeFile(path, cluster.kubeconfig, { mode: 0o600 });
  const kubectl = kubectlFor(program, directory, path);
  const close = async () => {
    await cluster[Symbol.asyncDispose]();
    await rm(directory, { recursive: true, force: true });
  };
  try {
    await kubectl.eventually("get nodes --no-headers", (text) => text.match(/ Ready /g)?.length === nodes);
  } catch (cause) {
    await close();
    throw cause;
  }
  return {
    url: cluster.url,
    client: cluster.client,
    directory,
    credentials: credentialsIn(cluster.kubeconfig),
    kubectl,
    [Symbol.asyncDispose]: close,
  };
}

/** What `read` gives once `condition` holds for it; fails with the last thing read. */
export async function eventually<T>(read: () => Promise<T>, condition: (value: T) => boolean, withinMs = EVENTUALLY_WITHIN_MS): Promise<T> {
  const deadline = performance.now() + withinMs;
  for (;;) {
    const value = await read();
    if (condition(value)) return value;
    if (performance.now() > deadline)
      throw new Error(
        `Not so within ${withinMs} ms: ${condition}; last seen: ${typeof value === "string" ? value : JSON.stringify(value)}`,
      );
    await sleep(50);
  }
}

/** A table as kubectl prints it: columns are apart by two spaces or more. */
export function table(stdout: string): { readonly columns: readonly string[]; readonly rows: readonly Readonly<Record<string, string>>[] } {
  const [header = "", ...lines] = stdout.trimEnd().split("\n");
  const starts = [...header.matchAll(/(?:^|\s{2,})(\S)/g)].map((found) => found.index + found[0].length - 1);
  const cut = (line: string) => starts.map((from, i) => line.slice(from, starts[i + 1]).trim());
  const columns = cut(header);
  return { columns, rows: lines.map((line) => Object.fromEntries(cut(line).map((cell, i) => [columns[i], cell]))) };
}

export interface Credentials {
  readonly ca: string;
  readonly cert?: string;
  readonly key?: string;
  readonly token?: string;
}

/** Of the only user in a kubeconfig. */
function credentialsIn(kubeconfig: string): Credentials {
  const { clusters, users } = load(kubeconfig) as {
    clusters: [{ cluster: { "certificate-authority-data": string } }];
    users: [{ user: { "client-certificate-data": string; "client-key-data": string } }];
  };
  const plain = (data: string) => Buffer.from(data, "base64").toString();
  const { user } = users[0];
  return {
    ca: plain(clusters[0].cluster["certificate-authority-data"]),
    cert: plain(user["client-certificate-data"]),
    key: plain(user["client-key-data"]),
  };
}

/** The root of the clone. */
export const ROOT = fileURLToPath(new URL("../../../", import.meta.url));

/** Builds `dist/` when a source is newer: the `navarch` program, and the descriptions that `kubectl explain` shows. */
export async function build(): Promise<void> {
  await promisify(execFile)(process.execPath, [join(ROOT, "scripts/build.mjs"), "--if-stale"]);
}

export interface Request {
  readonly method?: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  readonly path: string;
  readonly body?: string | Buffer;
  readonly contentType?: string;
}

export interface Answer {
  readonly code: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
}

/** One HTTP request as it stands, without a client's help. */
export function send(url: string, { ca, cert, key, token }: Credentials, request: Request): Promise<Answer> {
  const { method = "GET", path, body, contentType = "application/json" } = request;
  const headers: Record<string, string> = { Accept: "application/json" };
  if (body !== undefined) headers["Content-Type"] = contentType;
  if (token !== undefined) headers["Authorization"] = `Bearer ${token}`;
  return new Promise((resolve, reject) => {
    const sent = httpsRequest(new URL(path, url), { method, ca, cert, key, headers, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("error", reject);
      response.on("end", () =>
        resolve({ code: response.statusCode ?? 0, headers: response.headers, text: Buffer.concat(chunks).toString() }),
      );
    });
    sent.on("error", reject);
    sent.end(body);
  });
}

function words(args: Args): readonly string[] {
  return typeof args === "string" ? args.split(" ") : args;
}

function finished(child: ChildProcessWithoutNullStreams, args: Args, input: string | undefined): Promise<Result> {
  return new Promise((resolve, reject) => {
    let stdout = "";
    let stderr = "";
    const late = setTimeout(() => {
      child.kill("SIGKILL");
      reject(new Error(`kubectl ${words(args).join(" ")} still ran after ${COMMAND_WITHIN_MS} ms: ${stdout}${stderr}`));
    }, COMMAND_WITHIN_MS);
    child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
    child.on("error", (cause) => {
      clearTimeout(late);
      reject(cause);
    });
    child.on("close", (code) => {
      clearTimeout(late);
      resolve({ code: code ?? -1, stdout, stderr });
    });
    child.stdin.on("error", () => child.stdin.destroy()); // it ended before it read all: its exit code tells
    child.stdin.end(input ?? "");
  });
}

function following(child: ChildProcessWithoutNullStreams, args: Args): Following {
  let stdout = "";
  let stderr = "";
  child.stdin.end();
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  const closed = new Promise<void>((resolve) => void child.on("close", () => resolve()));
  return {
    until: (condition, withinMs) =>
      eventually(
        async () => {
          if (child.exitCode !== null && !condition(stdout)) throw new Error(`kubectl ${words(args).join(" ")} ended: ${stdout}${stderr}`);
          return stdout;
        },
        condition,
        withinMs,
      ),
    async [Symbol.asyncDispose]() {
      child.kill("SIGTERM");
      await closed;
    },
  };
}
