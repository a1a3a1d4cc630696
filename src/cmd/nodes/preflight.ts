import { access, constants, mkdir, readFile, statfs } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { execResult } from "#base/node/exec.ts";
import { hasCode } from "#base/node/files.ts";
import type { RequiredProgram } from "./programs.ts";

/** One reason why nodes cannot run here. Messages are whole: what was found, and what to do. */
export type Problem =
  | { readonly kind: "not root"; readonly message: string }
  | { readonly kind: "no such system"; readonly message: string }
  | { readonly kind: "missing programs"; readonly message: string; readonly packages: readonly string[] }
  | { readonly kind: "kernel"; readonly message: string }
  | { readonly kind: "disk"; readonly message: string };

const WANTED_BYTES = 1024 ** 3;

/**
 * Looks whether this machine can carry nodes, without changing it: what is tried in the kernel is tried in namespaces that end with
 * the check. The first kind of problem hides those that follow from it: without root nothing can be tried, without programs no kernel.
 */
export async function checkMachine(
  { programs, stateDir }: { programs: readonly RequiredProgram[]; stateDir: string },
  signal: AbortSignal,
): Promise<readonly Problem[]> {
  if (process.platform !== "linux") {
    return [
      { kind: "no such system", message: `Cannot run nodes on ${process.platform}: wanted Linux, use --simulate for an API without nodes` },
    ];
  }
  const uid = process.getuid?.() ?? 0;
  if (uid !== 0) {
    return [{ kind: "not root", message: `Cannot run nodes as user ${uid}: wanted root, run the command with sudo or use --simulate` }];
  }
  const missing = await findMissing(programs);
  if (missing.length > 0) {
    const packages = [...new Set(missing.map(({ debianPackage }) => debianPackage))].sort();
    const names = missing.map(({ program }) => program).join(", ");
    const message = `Cannot run nodes: ${names} not found, install ${packages.join(" ")} (apt-get install ${packages.join(" ")})`;
    return [{ kind: "missing programs", packages, message }];
  }
  const [kernel, disk] = await Promise.all([checkKernel(signal), checkDisk(stateDir)]);
  return [...kernel, ...disk];
}

/** Those of the programs that this machine does not have. */
export async function findMissing(programs: readonly RequiredProgram[]): Promise<readonly RequiredProgram[]> {
  const found = await Promise.all(programs.map(({ program }) => isThere(program)));
  return programs.filter((_, index) => found[index] !== true);
}

/** Directories where programs for root lie, whatever PATH a sudo or a cron job leaves. */
const ROOT_PATH = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];

async function isThere(program: string): Promise<boolean> {
  const candidates = program.startsWith("/")
    ? [program]
    : [...new Set([...(process.env["PATH"] ?? "").split(delimiter), ...ROOT_PATH])]
        .filter((path) => path !== "")
        .map((path) => join(path, program));
  const mode = program.startsWith("/etc/") ? constants.R_OK : constants.X_OK;
  for (const path of candidates) {
    try {
      await access(path, mode);
      return true;
    } catch (cause) {
      if (!hasCode(cause, "ENOENT", "EACCES", "ENOTDIR")) throw cause;
    }
  }
  return false;
}

interface KernelFeature {
  readonly name: string;
  /** Run by sh in a network and mount namespace of its own. */
  readonly script: string;
  readonly remedy: string;
}

export const kernelFeatures: readonly KernelFeature[] = [
  {
    name: "network namespaces",
    script: "true",
    remedy: "a kernel with CONFIG_NET_NS and the capability SYS_ADMIN (not in an unprivileged container)",
  },
  { name: "veth pairs", script: "ip link add name probe0 type veth peer name probe1", remedy: "the kernel module veth (modprobe veth)" },
  { name: "bridges", script: "ip link add name probe0 type bridge", remedy: "the kernel module bridge (modprobe bridge)" },
  {
    name: "nftables NAT",
    script: [
      "nft -f - <<'END'",
      "table ip probe {",
      "  chain pre { type nat hook prerouting priority dstnat; tcp dport 1 dnat to 192.0.2.1:2; }",
      "  chain post { type nat hook postrouting priority srcnat; masquerade; }",
      "}",
      "END",
    ].join("\n"),
    remedy: "the kernel modules nf_tables, nft_chain_nat and nft_masq (modprobe nft_chain_nat nft_masq)",
  },
  {
    name: "control groups",
    script: "grep -qE ' - (cgroup|cgroup2) ' /proc/self/mountinfo",
    remedy: "a cgroup file system mounted below /sys/fs/cgroup",
  },
];

async function checkKernel(signal: AbortSignal): Promise<readonly Problem[]> {
  const problems: Problem[] = [];
  for (const { name, script, remedy } of kernelFeatures) {
    const { code, stderr } = await execResult(["unshare", "--net", "--mount", "sh", "-c", script], { signal });
    if (code === 0) continue;
    const said = stderr.trim().split("\n")[0] ?? "";
    problems.push({ kind: "kernel", message: `Cannot use ${name}: ${said || "the kernel refused"}, wanted ${remedy}` });
    if (name === "network namespaces") break; // nothing else can be tried without
  }
  const fileSystems = await readFile("/proc/filesystems", "utf8");
  if (!/\boverlay$/m.test(fileSystems) && (await execResult(["modprobe", "overlay"], { signal }).catch(() => ({ code: 1 }))).code !== 0) {
    problems.push({
      kind: "kernel",
      message: "Cannot use overlay file systems: the kernel has none, wanted the module overlay (modprobe overlay)",
    });
  }
  return problems;
}

async function checkDisk(stateDir: string): Promise<readonly Problem[]> {
  await mkdir(stateDir, { recursive: true, mode: 0o711 });
  const { bavail, bsize } = await statfs(stateDir);
  const free = bavail * bsize;
  if (free >= WANTED_BYTES) return [];
  const message = `Cannot keep nodes in "${stateDir}": ${Math.floor(free / 1024 ** 2)} MiB free, wanted at least 1024 MiB (free space, or set NAVARCH_HOME to a folder elsewhere)`;
  return [{ kind: "disk", message }];
}
