// `npm test`: everything this machine can run. Says in one line each what it could not run and why; where CI=true that is a failure.
import { spawn, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { readFile, rm } from "node:fs/promises";

const ci = process.env.CI === "true";
const isRoot = process.getuid?.() === 0;
const totals = { passed: 0, failed: 0, skipped: 0 };
const started = Date.now();

if (isRoot && existsSync("/usr/bin/apt-get")) await install();
await step("check", () => run("node", ["scripts/check.mjs", "types", "lint", "format", "layers", "unused", "build", "package"]));
await suite("unit");
await suite("fuzz");
await suite("cluster", has("kubectl") ? undefined : "kubectl is not installed");
await suite(
  "node",
  !isRoot ? "needs root" : has("containerd") && has("runc") && has("nft") ? undefined : "containerd, runc or nft is not installed",
);

console.log(`\nall of it took ${((Date.now() - started) / 1000).toFixed(0)} s`);
console.log(`${totals.passed} passed, ${totals.failed} failed, ${totals.skipped} skipped`);
process.exit(totals.failed > 0 || (ci && totals.skipped > 0) ? 1 : 0);

/** The programs that nodes and demo images are made of. */
async function install() {
  const packages =
    "containerd runc nftables containernetworking-plugins busybox-static catatonit curl conntrack ethtool iptables iproute2 util-linux kmod ca-certificates kubernetes-client".split(
      " ",
    );
  const missing = packages.filter((name) => spawnSync("dpkg", ["-s", name], { stdio: "ignore" }).status !== 0);
  if (has("kubectl")) missing.splice(missing.indexOf("kubernetes-client"), missing.includes("kubernetes-client") ? 1 : 0);
  if (missing.length === 0) return;
  console.log(`installing ${missing.join(" ")}`);
  await run("apt-get", ["update", "-qq"]);
  const code = await run("apt-get", ["install", "-y", "-qq", "--no-install-recommends", ...missing], { DEBIAN_FRONTEND: "noninteractive" });
  if (code !== 0) console.log(`could not install ${missing.join(" ")}: tests that need them are skipped`);
}

async function step(name, work) {
  const code = await work();
  totals[code === 0 ? "passed" : "failed"]++;
  console.log(`${code === 0 ? "ok    " : "FAILED"} ${name}`);
}

/** Runs one vitest project and adds its numbers. A run that ends without numbers is one failure. */
async function suite(project, unable) {
  if (unable !== undefined) {
    totals.skipped++;
    console.log(`skipped ${project} tests: ${unable}`);
    return;
  }
  const report = `node_modules/.cache/report-${project}.json`;
  await rm(report, { force: true });
  const code = await run("npx", [
    "vitest",
    "run",
    "--project",
    project,
    "--reporter=default",
    "--reporter=json",
    `--outputFile.json=${report}`,
    "--passWithNoTests",
  ]);
  if (!existsSync(report)) {
    totals.failed++;
    console.log(`FAILED ${project}: vitest ended with code ${code} and left no report`);
    return;
  }
  const { numPassedTests, numFailedTests, numPendingTests, numTodoTests } = JSON.parse(await readFile(report, "utf8"));
  totals.passed += numPassedTests;
  totals.failed += numFailedTests + (code !== 0 && numFailedTests === 0 ? 1 : 0);
  totals.skipped += numPendingTests + numTodoTests;
}

function has(program) {
  return spawnSync("sh", ["-c", `PATH=$PATH:/usr/sbin:/sbin command -v ${program}`], { stdio: "ignore" }).status === 0;
}

function run(program, args, env = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ["ignore", "inherit", "inherit"], env: { ...process.env, ...env } });
    child.on("error", reject);
    child.on("close", (code) => resolve(code ?? 1));
  });
}
