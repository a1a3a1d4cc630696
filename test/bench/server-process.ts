import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, open, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { readKubeconfig } from "#client/kubeconfig.ts";
import { hasCode } from "#base/node/files.ts";
import { type Access, call, openSession } from "./http.ts";
import type { Bench } from "./part.ts";
import { freePort, stopProcess } from "./processes.ts";

export interface ServerOptions {
  readonly store: "lmdb" | "memory";
  /** Continues what is there. @default a new one, removed at the end */
  readonly dataDir?: string;
  /** What must be answered for the server to count as started. @default the namespace kube-system */
  readonly firstGet?: string;
}

/** `navarch server` as a process of its own, on a port of the loopback. Dispose it to stop it. */
export interface ServerProcess extends AsyncDisposable {
  readonly access: Access;
  readonly pid: number;
  /** From the start of the process until the first GET was answered through TLS. */
  readonly firstAnswerMs: number;
}

const RETRY_MS = 2;

export async function startServer({ navarch, directory, signal }: Bench, options: ServerOptions): Promise<ServerProcess> {
  const { store, firstGet = "/api/v1/namespaces/kube-system" } = options;
  const dataDir = options.dataDir ?? (await mkdtemp(join(directory, "server-")));
  const port = await freePort();
  const logFile = join(directory, `server-${port}.log`);
  const log = await open(logFile, "w");
  const flags = ["--data-dir", dataDir, "--bind-address", "127.0.0.1", "--port", String(port), "--store", store, "--log-level", "warn"];
  const started = performance.now();
  const child = spawn(process.execPath, [navarch, "server", ...flags], { stdio: ["ignore", log.fd, log.fd] });
  const kill = () => child.kill("SIGKILL");
  signal.addEventListener("abort", kill, { once: true });
  try {
    const access = await firstAnswer(child, join(dataDir, "kubeconfig"), { port, firstGet, logFile, signal });
    const firstAnswerMs = performance.now() - started;
    return { access, pid: child.pid ?? 0, firstAnswerMs, [Symbol.asyncDispose]: close };
  } catch (cause) {
    await close();
    throw cause;
  }

  async function close(): Promise<void> {
    signal.removeEventListener("abort", kill);
    await stopProcess(child);
    await log.close();
    if (options.dataDir === undefined) await rm(dataDir, { recursive: true, force: true });
  }
}

async function firstAnswer(
  child: ChildProcess,
  kubeconfig: string,
  { port, firstGet, logFile, signal }: { port: number; firstGet: string; logFile: string; signal: AbortSignal },
): Promise<Access> {
  for (;;) {
    signal.throwIfAborted();
    if (child.exitCode !== null || child.signalCode !== null)
      throw new Error(`Cannot start the server: it ended with ${child.signalCode ?? child.exitCode}\n${await readFile(logFile, "utf8")}`);
    try {
      const { credentials } = await readKubeconfig(kubeconfig);
      const { ca = "", cert = "", key = "" } = credentials;
      const access: Access = { url: `https://127.0.0.1:${port}`, ca, cert, key };
      const session = await openSession(access);
      try {
        await call(session, { method: "GET", path: firstGet });
        return access;
      } finally {
        session.destroy();
      }
    } catch (cause) {
      if (!hasCode(cause, "ENOENT", "ECONNREFUSED", "ECONNRESET") && !isEarly(cause)) throw cause;
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }
}

/** Answers, but not yet to this: its first objects are not made. */
function isEarly(cause: unknown): boolean {
  return cause instanceof Error && /status (401|403|404|503)/.test(cause.message);
}
