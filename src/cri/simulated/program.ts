/** What a simulated container would do, as far as the simulation understands its command. */
export interface Program {
  /** Milliseconds from start to its own exit; undefined: it runs until it is stopped. */
  readonly runsMs: number | undefined;
  readonly exitCode: number;
  /** SIGTERM does nothing; only SIGKILL ends it. */
  readonly ignoresTerm: boolean;
  /** Exit code after SIGTERM. */
  readonly termExitCode: number;
}

export const ANNOTATION_PREFIX = "simulation.navarch.dev/";
/** The kubelet says here what a container is for: "init", "sidecar" or "main". */
export const CONTAINER_TYPE_ANNOTATION = "navarch.dev/container-type";
const JOB_LABEL = "batch.kubernetes.io/job-name";
/** A Job's pod that says nothing else completes after this. */
const JOB_RUNS_MS = 1_000;

export interface ProgramSource {
  readonly name: string;
  readonly argv: readonly string[];
  readonly containerAnnotations: Readonly<Record<string, string>>;
  readonly podAnnotations: Readonly<Record<string, string>>;
  readonly podLabels: Readonly<Record<string, string>>;
}

/**
 * Pod annotations decide, first those with `.<container>` appended: `simulation.navarch.dev/exit-after` ("5s", "300ms", "2m"),
 * `/exit-code` (with it alone the container exits at once) and `/ignore-sigterm`. Then the command, when it is one of
 * `true`, `false`, `sleep N` or a `sh -c` of those with `exit N`, `echo`, `trap '' TERM`. Then its role: an init container
 * succeeds at once, a Job's container after a second. All others run until they are stopped.
 */
export function readProgram({ name, argv, containerAnnotations, podAnnotations, podLabels }: ProgramSource): Program {
  const said = (key: string) => podAnnotations[`${ANNOTATION_PREFIX}${key}.${name}`] ?? podAnnotations[`${ANNOTATION_PREFIX}${key}`];
  const after = parseDurationMs(said("exit-after"));
  const code = parseCode(said("exit-code"));
  const fromCommand = readCommand(argv);
  const ignoresTerm = said("ignore-sigterm") === "true" || fromCommand?.ignoresTerm === true;
  const rest = { ignoresTerm, termExitCode: fromCommand?.termExitCode ?? 0 };
  if (after !== undefined || code !== undefined) return { runsMs: after ?? 0, exitCode: code ?? 0, ...rest };
  if (fromCommand !== undefined) return { runsMs: fromCommand.runsMs, exitCode: fromCommand.exitCode, ...rest };
  const type = containerAnnotations[CONTAINER_TYPE_ANNOTATION];
  if (type === "init") return { runsMs: 0, exitCode: 0, ...rest };
  if (type !== "sidecar" && JOB_LABEL in podLabels) return { runsMs: JOB_RUNS_MS, exitCode: 0, ...rest };
  return { runsMs: undefined, exitCode: 0, ...rest };
}

/** undefined: not understood. */
export function readCommand(argv: readonly string[]): Program | undefined {
  const [program, ...args] = argv;
  if (program === undefined) return undefined;
  const base = program.slice(program.lastIndexOf("/") + 1);
  const isShell = base === "sh" || base === "bash" || base === "ash";
  const statements = isShell ? (args[0] === "-c" ? splitScript(args[1] ?? "") : undefined) : [[base, ...args]];
  if (statements === undefined) return undefined;
  let runsMs = 0;
  let exitCode = 0;
  let ignoresTerm = false;
  for (const [word, first] of statements) {
    switch (word ?? "") {
      case "true":
      case "echo":
        exitCode = 0;
        break;
      case "false":
        exitCode = 1;
        break;
      case "trap":
        ignoresTerm = first === "";
        break;
      case "exec":
        return undefined;
      case "exit":
        return { runsMs, exitCode: first === undefined ? exitCode : Number(first), ignoresTerm, termExitCode: 143 };
      case "sleep": {
        const seconds = first === "infinity" ? Number.POSITIVE_INFINITY : Number(first);
        if (Number.isNaN(seconds)) return undefined;
        exitCode = 0;
        if (seconds === Number.POSITIVE_INFINITY) return { runsMs: undefined, exitCode, ignoresTerm, termExitCode: 143 };
        runsMs += seconds * 1000;
        break;
      }
      default:
        return undefined;
    }
  }
  return { runsMs, exitCode, ignoresTerm, termExitCode: 143 };
}

function splitScript(script: string): readonly (readonly string[])[] {
  return script
    .split(/;|&&|\n/)
    .map((statement) => Array.from(statement.matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g), ([, a, b, c]) => a ?? b ?? c ?? ""))
    .filter((words) => words.length > 0);
}

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

function parseDurationMs(text: string | undefined): number | undefined {
  const parts = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/.exec(text ?? "");
  return parts === null ? undefined : Number(parts[1]) * (UNIT_MS[parts[2] ?? "s"] ?? 1_000);
}

function parseCode(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,3}$/.test(text) ? Number(text) : undefined;
}
