import { join } from "node:path";
import type { Clock, Instant } from "#base/clock.ts";
import { silentLog } from "#base/log.ts";
import { hasCode, readIfThere } from "#base/node/files.ts";
import type { Client } from "#client/contract.ts";
import { type KubeconfigAccess, readKubeconfig } from "#client/kubeconfig.ts";
import { createRestClient } from "#client/rest.ts";
import { LeaseKind } from "#kinds/coordination/lease.ts";
import { NamespaceKind } from "#kinds/core/namespace.ts";
import { NodeKind } from "#kinds/core/node.ts";
import type { Node } from "#machinery/api/core-v1.ts";
import { type ClusterPlace, CommandError } from "./cluster.ts";
import { findSupervised } from "./supervise.ts";

export interface Patience {
  readonly clock: Clock;
  readonly withinMs: number;
}

/** A client for one command. */
export function nodeClient({ server, credentials }: KubeconfigAccess, clock: Clock): Client & AsyncDisposable {
  return createRestClient({ server, credentials: () => credentials, clock, log: silentLog, userAgent: "navarch", timeoutMs: 5000 });
}

/** Resolves with the admin's access once the server answers; rejects with the server's own last words when it gave up. */
export async function waitForServer(place: ClusterPlace, { clock, withinMs }: Patience, signal: AbortSignal): Promise<KubeconfigAccess> {
  const deadline = clock.now() + withinMs;
  for (;;) {
    signal.throwIfAborted();
    const access = await readAccess(place);
    if (access !== undefined && (await answers(access, clock, signal))) return access;
    if ((await findSupervised(join(place.run, "server.pid"))) === undefined)
      throw new CommandError(await lastWords("the API server", join(place.logs, "server.log")));
    if (clock.now() > deadline)
      throw new CommandError(`Cannot reach the API server: no answer within ${withinMs / 1000} s, see ${join(place.logs, "server.log")}`);
    await clock.sleep(50, signal);
  }
}

export function isReady(node: Node): boolean {
  return node.status?.conditions?.some((condition) => condition.type === "Ready" && condition.status === "True") === true;
}

export interface AwaitedNodes {
  readonly count: number;
  /** Nodes whose agents were started just now: what the API server remembers of them is from before. */
  readonly started: ReadonlySet<string>;
  readonly since: Instant;
}

/** Resolves when `count` nodes are Ready, those just started by a sign of life since then. */
export async function waitForNodes(
  client: Client,
  { count, started, since }: AwaitedNodes,
  place: ClusterPlace,
  { clock, withinMs }: Patience,
  signal: AbortSignal,
): Promise<void> {
  const deadline = clock.now() + withinMs;
  for (;;) {
    signal.throwIfAborted();
    const [nodes, leases] = await Promise.all([
      client.list(NodeKind, {}, signal),
      client.list(LeaseKind, { namespace: "kube-node-lease" }, signal),
    ]);
    const alive = new Set(
      leases.items.filter(({ spec }) => Date.parse(spec?.renewTime ?? "") >= since).map(({ metadata }) => metadata.name),
    );
    const ready = nodes.items.filter((node) => isReady(node) && (!started.has(node.metadata.name) || alive.has(node.metadata.name))).length;
    if (ready >= count) return;
    for (let n = 1; n <= count; n++) {
      const record = join(place.run, `agent-node-${n}.pid`);
      if ((await readIfThere(record)) !== undefined && (await findSupervised(record)) === undefined)
        throw new CommandError(await lastWords(`the agent of node-${n}`, join(place.logs, `agent-node-${n}.log`)));
    }
    if (clock.now() > deadline)
      throw new CommandError(`Cannot bring up the nodes: ${ready} of ${count} are Ready after ${withinMs / 1000} s, see ${place.logs}`);
    await clock.sleep(50, signal);
  }
}

async function readAccess(place: ClusterPlace): Promise<KubeconfigAccess | undefined> {
  if ((await readIfThere(place.kubeconfig)) === undefined) return undefined;
  return readKubeconfig(place.kubeconfig);
}

async function answers(access: KubeconfigAccess, clock: Clock, signal: AbortSignal): Promise<boolean> {
  await using client = nodeClient(access, clock);
  try {
    await client.get(NamespaceKind, { name: "kube-system", namespace: undefined }, signal);
    return true;
  } catch (cause) {
    if (signal.aborted || hasCode(cause, "EACCES")) throw cause;
    return false; // not listening yet, or still making its first objects
  }
}

/** Why a program gave up: the last line of its log that says "Cannot ...". */
async function lastWords(who: string, log: string): Promise<string> {
  const lines = ((await readIfThere(log)) ?? "").split("\n").filter((line) => line.includes("Cannot "));
  const words = lines.at(-1);
  return words === undefined ? `Cannot start ${who}: it ended at once, see ${log}` : words.slice(words.indexOf("Cannot "));
}
