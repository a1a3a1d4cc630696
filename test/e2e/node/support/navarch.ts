import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ExecResult, execResult } from "#base/node/exec.ts";

/** A cluster made by the built command, below a folder of its own, with a kubectl that talks to it. */
export interface RealCluster extends AsyncDisposable {
  readonly name: string;
  readonly home: string;
  readonly kubeconfig: string;
  navarch(...args: readonly string[]): Promise<ExecResult>;
  /** Stdout of kubectl; throws with its words when it fails. */
  kubectl(...args: readonly string[]): Promise<string>;
  kubectlResult(args: readonly string[], input?: string): Promise<ExecResult>;
  /** Runs a program in the network of node 1, 2, ... */
  onNode(node: number, ...argv: readonly string[]): Promise<string>;
  /** Pid of a program that `up` keeps running: "server", "agent-node-1". */
  pid(program: string): Promise<number>;
}

const { signal } = new AbortController();
const PROGRAM = "dist/navarch.js";

export async function startRealCluster(name: string, { nodes = 2 }: { readonly nodes?: number } = {}): Promise<RealCluster> {
  const home = await mkdtemp(join(tmpdir(), "nv-"));
  const kubeconfig = join(home, "kubeconfig");
  const env = { ...process.env, NAVARCH_HOME: home, KUBECONFIG: kubeconfig };
  const navarch = (...args: readonly string[]) => execResult([process.execPath, PROGRAM, ...args], { signal, env, timeoutMs: 180_000 });
  const kubectlResult = (args: readonly string[], input?: string) =>
    execResult(["kubectl", ...args], { signal, env, timeoutMs: 120_000, ...(input === undefined ? {} : { input }) });

  const cluster: RealCluster = {
    name,
    home,
    kubeconfig,
    navarch,
    kubectlResult,
    async kubectl(...args) {
      const { code, stdout, stderr } = await kubectlResult(args);
      if (code !== 0) throw new Error(`kubectl ${args.join(" ")} ended with code ${code}: ${stderr}${stdout}`);
      return stdout;
    },
    async onNode(node, ...argv) {
      const { code, stdout, stderr } = await navarch("node", "--name", name, `node-${node}`, "--", ...argv);
      if (code !== 0) throw new Error(`${argv.join(" ")} on node-${node} ended with code ${code}: ${stderr}${stdout}`);
      return stdout;
    },
    pid: async (program) => Number(await readFile(join(home, "run", name, `${program}.pid.child`), "utf8")),
    async [Symbol.asyncDispose]() {
      const { code, stderr } = await navarch("down", "--name", name, "--kubeconfig", kubeconfig);
      if (code !== 0) throw new Error(`navarch down failed: ${stderr}`);
      await rm(home, { recursive: true, force: true });
    },
  };
  const up = await navarch("up", "--name", name, "--nodes", String(nodes), "--kubeconfig", kubeconfig);
  if (up.code !== 0) {
    await cluster[Symbol.asyncDispose]();
    throw new Error(`navarch up failed: ${up.stderr}`);
  }
  return cluster;
}

/** Waits until `check` gives a value, asking every 100 ms; the last complaint is the error after `withinMs`. */
export async function eventually<T>(what: string, check: () => Promise<T | undefined>, withinMs = 60_000): Promise<T> {
  const deadline = Date.now() + withinMs;
  for (;;) {
    let complaint: unknown;
    try {
      const value = await check();
      if (value !== undefined) return value;
    } catch (cause) {
      complaint = cause;
    }
    if (Date.now() > deadline) throw new Error(`${what} did not happen within ${withinMs / 1000} s`, { cause: complaint });
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
