import { type Clock, formatMicroTime, type Instant } from "#base/clock.ts";
import type { Entropy } from "#base/entropy.ts";
import type { Log } from "#base/log.ts";
import { LeaseKind } from "#kinds/coordination/lease.ts";
import type { Lease } from "#machinery/api/coordination-v1.ts";
import type { Stored } from "#machinery/object.ts";
import { hasReason } from "#machinery/status.ts";
import type { Client } from "./contract.ts";

export interface LeaderElectionDeps {
  readonly client: Client;
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly log: Log;
}

export interface LeaderElectionOptions {
  readonly namespace: string;
  readonly name: string;
  /** Unique among candidates: `<host>_<uuid>`. */
  readonly identity: string;
  /** @default 15_000 */
  readonly leaseMs?: number;
  /** A leader that could not renew for this long stops leading. @default 10_000 */
  readonly renewDeadlineMs?: number;
  /** @default 2_000 */
  readonly retryMs?: number;
}

/**
 * Runs `lead` while this process holds the Lease, and campaigns again when it was lost.
 *
 * L1. Two candidates whose clocks run at the same speed never lead at once: a leader stops before its lease can be taken.
 * L2. A Lease is judged by how long it has not changed on our own clock, never by the times written in it.
 * L3. When `signal` aborts, `lead` is awaited and then the Lease is released, so that another may lead at once.
 */
export async function runLeaderElection(
  deps: LeaderElectionDeps,
  options: LeaderElectionOptions,
  lead: (signal: AbortSignal) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  const { client, clock, entropy, log } = deps;
  const { namespace, name, identity, leaseMs = 15_000, renewDeadlineMs = 10_000, retryMs = 2_000 } = options;
  const ref = { name, namespace };
  let seen: { readonly version: string; readonly at: Instant } | undefined;

  while (!signal.aborted) {
    if (!(await tryAcquire())) {
      await clock.sleep(retryMs * (1 + 0.2 * entropy.fraction()), signal);
      continue;
    }
    log.info("Leading", { lease: name, identity });
    await leadOnce();
    if (!signal.aborted) log.warn("Leadership lost", { lease: name, identity });
  }

  async function leadOnce(): Promise<void> {
    const term = new AbortController();
    const end = () => term.abort();
    signal.addEventListener("abort", end, { once: true });
    const renewing = renew(term);
    try {
      await lead(term.signal);
    } finally {
      term.abort();
      signal.removeEventListener("abort", end);
      await renewing;
    }
    await release();
  }

  /** Renews until the term ends; ends the term when renewing failed for too long (L1). */
  async function renew(term: AbortController): Promise<void> {
    let renewedAt = clock.now();
    while (!term.signal.aborted) {
      await clock.sleep(retryMs, term.signal);
      if (term.signal.aborted) return;
      const askedAt = clock.now();
      if (await Promise.race([tryAcquire(), clock.sleep(renewDeadlineMs - (askedAt - renewedAt), term.signal).then(() => false)]))
        renewedAt = askedAt;
      else if (clock.now() - renewedAt >= renewDeadlineMs) term.abort();
    }
  }

  async function tryAcquire(): Promise<boolean> {
    try {
      const lease = await readLease();
      if (lease === undefined) {
        await client.create(LeaseKind, draft(undefined), signal);
        return true;
      }
      if (seen?.version !== lease.metadata.resourceVersion) seen = { version: lease.metadata.resourceVersion, at: clock.now() };
      const holder = lease.spec.holderIdentity ?? "";
      const heldMs = (lease.spec.leaseDurationSeconds ?? leaseMs / 1000) * 1000;
      if (holder !== "" && holder !== identity && clock.now() < seen.at + heldMs) return false; // L2
      await client.update(LeaseKind, { ...lease, spec: draft(lease).spec }, signal);
      return true;
    } catch (cause) {
      if (!signal.aborted && !hasReason(cause, "Conflict", "AlreadyExists")) log.warn("Cannot renew lease", { lease: name, cause });
      return false;
    }
  }

  async function readLease(): Promise<Stored<Lease> | undefined> {
    try {
      return await client.get(LeaseKind, ref, signal);
    } catch (cause) {
      if (hasReason(cause, "NotFound")) return undefined;
      throw cause;
    }
  }

  function draft(present: Stored<Lease> | undefined): Lease {
    const now = formatMicroTime(clock.now());
    const kept = present?.spec.holderIdentity === identity;
    return {
      apiVersion: "coordination.k8s.io/v1",
      kind: "Lease",
      metadata: { name, namespace },
      spec: {
        holderIdentity: identity,
        leaseDurationSeconds: Math.ceil(leaseMs / 1000),
        acquireTime: kept ? (present.spec.acquireTime ?? now) : now,
        renewTime: now,
        leaseTransitions: (present?.spec.leaseTransitions ?? 0) + (kept || present === undefined ? 0 : 1),
      },
    };
  }

  /** L3. Failure is harmless: the lease runs out by itself. */
  async function release(): Promise<void> {
    const brief = AbortSignal.timeout(2_000);
    try {
      const lease = await client.get(LeaseKind, ref, brief);
      if (lease.spec.holderIdentity !== identity) return;
      await client.update(LeaseKind, { ...lease, spec: { ...draft(lease).spec, holderIdentity: "", leaseDurationSeconds: 1 } }, brief);
    } catch (cause) {
      log.debug("Cannot release lease", { lease: name, cause });
    }
  }
}
