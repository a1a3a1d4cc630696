import { spawn } from "node:child_process";

export interface ExecResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface ExecOptions {
  readonly signal: AbortSignal;
  readonly input?: string | Uint8Array;
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
  /** @default 60_000 */
  readonly timeoutMs?: number;
}

/** A command could not be started, was killed, or ended with a code that the caller did not accept. */
export class ExecError extends Error {
  override readonly name = "ExecError";
  readonly result: ExecResult | undefined;
  constructor(message: string, result: ExecResult | undefined, options?: ErrorOptions) {
    super(message, options);
    this.result = result;
  }
}

/** Runs a program to its end and returns code and output, whatever the code. Throws ExecError when it cannot start or is killed. */
export async function execResult(argv: readonly [string, ...string[]], options: ExecOptions): Promise<ExecResult> {
  const { signal, input, env, cwd, timeoutMs = 60_000 } = options;
  signal.throwIfAborted();
  const [program, ...args] = argv;
  const limit = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ["pipe", "pipe", "pipe"], signal: limit, killSignal: "SIGKILL", env, cwd });
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    child.stdout.on("data", (chunk: Buffer) => out.push(chunk));
    child.stderr.on("data", (chunk: Buffer) => err.push(chunk));
    child.stdin.on("error", () => undefined); // EPIPE: the program ended without reading; its exit code says why
    child.on("error", (cause) => {
      const why = signal.aborted ? "it was cancelled" : limit.aborted ? `it ran longer than ${timeoutMs} ms` : cause.message;
      reject(new ExecError(`Cannot run ${argv.join(" ")}: ${why}`, undefined, { cause }));
    });
    child.on("close", (code, killedBy) => {
      const result = { code: code ?? 128, stdout: Buffer.concat(out).toString(), stderr: Buffer.concat(err).toString() };
      if (code === null) reject(new ExecError(`Cannot run ${argv.join(" ")}: it was killed by ${killedBy}`, result));
      else resolve(result);
    });
    child.stdin.end(input);
  });
}

/** Like execResult, but any exit code other than 0 throws ExecError with the last lines of stderr. Returns stdout. */
export async function exec(argv: readonly [string, ...string[]], options: ExecOptions): Promise<string> {
  const result = await execResult(argv, options);
  if (result.code !== 0) {
    const why = result.stderr.trim() || result.stdout.trim() || "no output";
    throw new ExecError(`Cannot run ${argv.join(" ")}: exit code ${result.code}: ${why.slice(-2000)}`, result);
  }
  return result.stdout;
}
