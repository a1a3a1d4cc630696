import { spawnSync } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { cpus, loadavg, release, totalmem } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { build } from "esbuild";
import { api } from "./api.ts";
import { dns } from "./dns.ts";
import { node } from "./node.ts";
import type { Bench, Part, ProgramName } from "./part.ts";
import { proxy } from "./proxy.ts";
import { formatNumber, formatReport, type Report, type Row, type Skipped, verdictOf } from "./report.ts";
import { scheduler } from "./scheduler.ts";
import { startup } from "./startup.ts";
import { storePart } from "./store-part.ts";

const PARTS: readonly Part[] = [storePart, dns, scheduler, proxy, startup, api, node];
const USAGE = `npm run bench -- [part...] [--json <file>]

Measures Navarch against the budgets of its design. All load stays on loopback or in namespaces made for it.
KUBE_APISERVER and ETCD name upstream's programs: \`api\` then runs the same load against them and prints ratios.

${PARTS.map(({ name, about }) => `  ${name.padEnd(10)} ${about}`).join("\n")}
`;

process.exitCode = await main();

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { json: { type: "string" }, help: { type: "boolean", short: "h", default: false } },
  });
  if (values.help) {
    process.stdout.write(USAGE);
    return 0;
  }
  const unknown = positionals.find((name) => !PARTS.some((part) => part.name === name));
  if (unknown !== undefined) {
    process.stderr.write(`Cannot run part "${unknown}": there is none of that name\n\n${USAGE}`);
    return 2;
  }
  const stop = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => stop.abort());
  const report = await measure(
    PARTS.filter(({ name }) => positionals.length === 0 || positionals.includes(name)),
    stop.signal,
  );
  process.stdout.write(`\n${formatReport(report)}\n`);
  if (values.json !== undefined) await writeFile(values.json, `${JSON.stringify(withVerdicts(report), null, 2)}\n`);
  return report.failed.length > 0 ? 1 : 0;
}

async function measure(parts: readonly Part[], signal: AbortSignal): Promise<Report> {
  const started = Date.now();
  const [loadBefore = Number.NaN] = loadavg();
  const root = fileURLToPath(new URL("../..", import.meta.url));
  const rows: Row[] = [];
  const skipped: Skipped[] = [];
  const failed: Skipped[] = [];
  const built = spawnSync(process.execPath, [join(root, "scripts/build.mjs"), "--if-stale"], { cwd: root, stdio: "inherit" });
  if (built.status !== 0) throw new Error("Cannot run the bench: the build failed, wanted a program to measure");
  // Beside the packages, so that programs find those that are not bundled.
  const cache = join(root, "node_modules/.cache");
  await mkdir(cache, { recursive: true });
  const directory = await mkdtemp(join(cache, "navarch-bench-"));
  try {
    await bundlePrograms(root, directory);
    for (const part of parts) {
      if (signal.aborted) break;
      const why = await part.missing();
      if (why !== undefined) {
        skipped.push({ part: part.name, why });
        process.stderr.write(`${part.name}: not run: ${why}\n`);
        continue;
      }
      const limit = AbortSignal.any([signal, AbortSignal.timeout(part.limitMs)]);
      const bench: Bench = {
        row(row) {
          const full = { part: part.name, ...row };
          rows.push(full);
          const verdict = verdictOf(full);
          process.stderr.write(
            `${part.name}: ${row.name}: ${formatNumber(row.value)} ${row.unit}${verdict === "" ? "" : ` (budget ${verdict})`}\n`,
          );
        },
        progress: (line) => process.stderr.write(`${part.name}: ${line} ...\n`),
        directory,
        program: (name) => join(directory, `${name}.js`),
        navarch: join(root, "dist/navarch.js"),
        signal: limit,
      };
      try {
        await part.run(bench);
      } catch (cause) {
        const text = cause instanceof Error ? cause.message : String(cause);
        failed.push({ part: part.name, why: limit.aborted && !signal.aborted ? `it took longer than ${part.limitMs / 1000} s` : text });
        process.stderr.write(`${part.name}: FAILED: ${cause instanceof Error ? (cause.stack ?? text) : text}\n`);
      }
    }
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
  return {
    machine: {
      cores: cpus().length,
      memoryMb: Math.round(totalmem() / 1024 ** 2),
      node: process.versions.node,
      kernel: release(),
      loadBefore,
    },
    startedAt: new Date(started).toISOString(),
    seconds: (Date.now() - started) / 1000,
    rows,
    skipped,
    failed,
  };
}

/** As the product is bundled: what is measured is not slowed down by a loader. */
async function bundlePrograms(root: string, directory: string): Promise<void> {
  const names: readonly ProgramName[] = ["api-server", "load", "dns-load", "proxy-rules", "start-cluster"];
  const here = dirname(fileURLToPath(import.meta.url));
  await build({
    absWorkingDir: root,
    entryPoints: Object.fromEntries(names.map((name) => [name, join(here, "programs", `${name}.ts`)])),
    outdir: directory,
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "node",
    target: "node20",
    sourcemap: "linked",
    external: ["lmdb"],
    banner: { js: 'import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);' },
    logLevel: "warning",
  });
  await writeFile(join(directory, "package.json"), JSON.stringify({ type: "module" }));
}

function withVerdicts(report: Report) {
  return { ...report, rows: report.rows.map((row) => ({ ...row, verdict: verdictOf(row) || undefined })) };
}
