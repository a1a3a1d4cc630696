import { createInterface } from "node:readline";
import { silentLog } from "#base/log.ts";
import { systemClock as clock } from "#base/node/system-clock.ts";
import { withConntrack } from "#proxy/conntrack/apply.ts";
import { chooseMode, cleanupMode, createBackend, PROXY_MODES, type ProxyMode } from "#proxy/modes.ts";
import type { Frame } from "#proxy/nftables/render.ts";
import type { ProxyBackend } from "#proxy/run.ts";
import type { ServicePort } from "#proxy/service-map.ts";

/** One request, a JSON line; the answer is a JSON line too. The program runs inside the namespace whose rules it makes. */
export type Request =
  | { readonly do: "start"; readonly mode: ProxyMode; readonly frame: Frame; readonly address: string }
  | { readonly do: "apply"; readonly ports: readonly (readonly [string, ServicePort | null])[] }
  | { readonly do: "cleanup"; readonly mode: ProxyMode; readonly family: Frame["family"] };

const { signal } = new AbortController();
let applied: ProxyBackend | undefined;
let backend: ReturnType<typeof createBackend> | undefined;

for await (const line of createInterface({ input: process.stdin })) {
  try {
    process.stdout.write(`${JSON.stringify({ result: (await perform(JSON.parse(line) as Request)) ?? null })}\n`);
  } catch (cause) {
    process.stdout.write(`${JSON.stringify({ error: cause instanceof Error ? (cause.stack ?? cause.message) : String(cause) })}\n`);
  }
}
await backend?.[Symbol.asyncDispose]?.();
process.exit();

async function perform(request: Request): Promise<unknown> {
  switch (request.do) {
    case "start": {
      const choice = await chooseMode(request.mode, request.frame, signal);
      await backend?.[Symbol.asyncDispose]?.();
      for (const mode of PROXY_MODES) if (mode !== choice.mode) await cleanupMode(mode, request.frame.family, signal);
      backend = createBackend(choice.mode, { clock, log: silentLog }, request.frame, request.address);
      const answeredBy = choice.mode === "userspace" ? { answeredBy: request.address } : {};
      applied = withConntrack(backend, { log: silentLog }, { family: request.frame.family === "ip" ? "IPv4" : "IPv6", ...answeredBy });
      return choice;
    }
    case "apply":
      return applied?.apply(new Map(request.ports.map(([key, port]) => [key, port ?? undefined])), signal);
    case "cleanup":
      return cleanupMode(request.mode, request.family, signal);
  }
}
