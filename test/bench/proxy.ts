import { execResult } from "#base/node/exec.ts";
import { BUDGETS } from "./budgets.ts";
import type { Part } from "./part.ts";
import { runJob } from "./processes.ts";
import type { ProxyLoad, ProxyLoadResult } from "./programs/proxy-rules.ts";
import { spread } from "./report.ts";

const SIZES = [100, 1000, 10_000] as const;
const CHANGES_MS = 4000;

export const proxy: Part = {
  name: "proxy",
  about: "endpoint change to rules in the kernel, in a network namespace of its own",
  limitMs: 60_000,
  async missing() {
    if (process.getuid?.() !== 0) return "it needs root for a network namespace";
    for (const program of ["nft", "unshare"] as const) {
      const found = await execResult(["which", program], { signal: AbortSignal.timeout(5000) });
      if (found.code !== 0) return `${program} is not installed`;
    }
    return undefined;
  },
  async run({ row, progress, program, signal }) {
    for (const services of SIZES) {
      progress(`${services} Services of 3 endpoints`);
      const load: ProxyLoad = { services, ms: CHANGES_MS };
      // The namespace has no name: it goes with its only process, whatever becomes of that.
      const { full, changes } = await runJob<ProxyLoadResult>(program("proxy-rules"), load, signal, ["unshare", "--net"]);
      const size = services.toLocaleString("en-US");
      row({ name: `first sync, ${size} Services`, value: full.ms, unit: "ms", note: `${kilobytes(full.bytes)} in one transaction` });
      const { p50Ms, p99Ms } = spread(changes.map(({ ms }) => ms));
      row({
        name: `endpoint change, ${size} Services`,
        value: p50Ms,
        unit: "ms",
        p50Ms,
        p99Ms,
        ...(services === 10_000 ? { budget: BUDGETS.endpointChangeMs } : {}),
        note: `${changes.length} changes, ${kilobytes(spread(changes.map(({ bytes }) => bytes)).p50Ms)} each`,
      });
    }
  },
};

function kilobytes(bytes: number): string {
  return bytes < 10_000 ? `${Math.round(bytes)} bytes` : `${Math.round(bytes / 1000).toLocaleString("en-US")} kB`;
}
