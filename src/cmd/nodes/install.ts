import { spawn } from "node:child_process";
import { access } from "node:fs/promises";
import { createInterface } from "node:readline";
import { execResult } from "#base/node/exec.ts";
import { hasCode } from "#base/node/files.ts";
import { NodesError } from "./error.ts";
import { findMissing } from "./preflight.ts";
import { olderPackageNames, type RequiredProgram } from "./programs.ts";

const APT_GET = "/usr/bin/apt-get";
const KEPT_LINES = 20;

/** Debian packages that would bring the programs missing here. */
export async function missingPackages(programs: readonly RequiredProgram[]): Promise<readonly string[]> {
  return [...new Set((await findMissing(programs)).map(({ debianPackage }) => debianPackage))].sort();
}

/** Those of the packages that dpkg does not have installed. */
export async function absentPackages(packages: readonly string[], signal: AbortSignal): Promise<readonly string[]> {
  if (packages.length === 0) return [];
  const { stdout } = await execResult(["dpkg-query", "--show", "--showformat", "${Package} ${db:Status-Status}\n", ...packages], {
    signal,
  });
  const installed = new Set(stdout.split("\n").flatMap((line) => (line.endsWith(" installed") ? [line.split(" ")[0]] : [])));
  return packages.filter((name) => !installed.has(name));
}

/**
 * Installs Debian packages through apt-get, and reports each step as one line. Lists are fetched first only where apt knows a package not
 * at all. Where Debian starts a service for a new package (containerd), it runs beside ours and is not used. Throws with apt's words when it fails.
 */
export async function installPackages(
  packages: readonly string[],
  { report, signal }: { report: (line: string) => void; signal: AbortSignal },
): Promise<void> {
  if (packages.length === 0) return;
  try {
    await access(APT_GET);
  } catch (cause) {
    if (!hasCode(cause, "ENOENT")) throw cause;
    throw new NodesError(`Cannot install ${packages.join(", ")}: this system has no apt-get, install them by its own means`, { cause });
  }
  if ((await withoutCandidate(packages, signal)).length > 0) {
    report("Fetching package lists");
    await runApt(["update"], { report, signal });
  }
  const unknown = new Set(await withoutCandidate(packages, signal));
  const names = packages.map((name) => (unknown.has(name) ? (olderPackageNames[name] ?? name) : name));
  report(`Installing ${names.join(", ")}`);
  await runApt(["install", "--yes", "--no-install-recommends", ...names], { report, signal });
}

/** Those of the packages that apt has no version of to install. */
async function withoutCandidate(packages: readonly string[], signal: AbortSignal): Promise<readonly string[]> {
  const policies = await Promise.all(packages.map(async (name) => (await execResult(["apt-cache", "policy", name], { signal })).stdout));
  return packages.filter((_, index) => !/Candidate: (?!\(none\))/.test(policies[index] ?? ""));
}

/** Lines of apt worth showing; undefined for the rest. */
export function progressOf(line: string): string | undefined {
  const got = /^Get:\d+ \S+ .* (\S+) \S+ \S+ \[([^\]]+)\]$/.exec(line);
  if (got !== null) return `Downloading ${got[1]} (${got[2]})`;
  const step = /^(Unpacking|Setting up) (\S+)/.exec(line);
  return step === null ? undefined : `${step[1]} ${step[2]?.replace(/:\w+$/, "")}`;
}

function runApt(args: readonly string[], { report, signal }: { report: (line: string) => void; signal: AbortSignal }): Promise<void> {
  const options = ["-o", "Dpkg::Use-Pty=0", "-o", "DPkg::Lock::Timeout=120", "-o", "Dpkg::Options::=--force-confold"];
  return new Promise((resolve, reject) => {
    const child = spawn(APT_GET, [...options, ...args], {
      stdio: ["ignore", "pipe", "pipe"],
      signal,
      env: { ...process.env, DEBIAN_FRONTEND: "noninteractive", NEEDRESTART_MODE: "l", LC_ALL: "C" },
    });
    const last: string[] = [];
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on("line", (line) => {
        last.push(line);
        if (last.length > KEPT_LINES) last.shift();
        const progress = progressOf(line);
        if (progress !== undefined) report(progress);
      });
    }
    child.on("error", reject);
    child.on("close", (code) => {
      if (code === 0) return resolve();
      const errors = last.filter((line) => line.startsWith("E:"));
      const found = (errors.length > 0 ? errors : last.slice(-3)).map((line) => line.replace(/^E: /, "")).join("; ");
      return reject(new NodesError(`Cannot run apt-get ${args[0] ?? ""}: ${found || `it ended with code ${code}`}`));
    });
  });
}
