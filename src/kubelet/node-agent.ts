import { isDeepStrictEqual } from "node:util";
import { backoffDelayMs } from "#base/backoff.ts";
import { type Clock, formatMicroTime, type Instant } from "#base/clock.ts";
import type { Log } from "#base/log.ts";
import type { Client, EventRecorder } from "#client/contract.ts";
import type { CriRuntime, RuntimeVersion } from "#cri/contract.ts";
import { CriError } from "#cri/error.ts";
import { LeaseKind } from "#kinds/coordination/lease.ts";
import { NodeKind } from "#kinds/core/node.ts";
import type { Lease } from "#machinery/api/coordination-v1.ts";
import type { Node, NodeStatus } from "#machinery/api/core-v1.ts";
import type { Stored } from "#machinery/object.ts";
import { hasReason } from "#machinery/status.ts";
import type { NodeFacts, NodeHost } from "./contract.ts";
import {
  computeNodeStatus,
  newNode,
  type NodeIdentity,
  nodeLabels,
  type NodeObserved,
  turnedConditions,
  withoutHeartbeat,
} from "./node-status.ts";

export interface NodeAgentDeps {
  readonly client: Client;
  readonly cri: CriRuntime;
  readonly events: EventRecorder;
  readonly host: NodeHost;
  readonly clock: Clock;
  readonly log: Log;
}

const LEASE_NAMESPACE = "kube-node-lease";
const LEASE_SECONDS = 40;
const LEASE_RENEW_MS = 10_000;
const STATUS_CHECK_MS = 10_000;
/** A node that is not ready looks again soon: pods wait for it. */
const UNREADY_CHECK_MS = 500;
/** An unchanged status is sent this often. */
const STATUS_REPORT_MS = 300_000;
const RETRY = { baseMs: 100, maxMs: 7_000 };

/** Registers the node, and keeps its status until `signal` aborts. `registered` is called once the Node object exists. */
export async function runNodeStatus(
  deps: NodeAgentDeps,
  {
    identity,
    facts,
    version,
    registered,
  }: {
    readonly identity: NodeIdentity;
    readonly facts: NodeFacts;
    readonly version: RuntimeVersion;
    readonly registered: (node: Stored<Node>) => void;
  },
  signal: AbortSignal,
): Promise<void> {
  const { client, cri, events, host, clock, log } = deps;
  let node = await untilDone("Node not registered", register);
  if (node === undefined) return;
  registered(node);
  events.record({ about: node, type: "Normal", reason: "Starting", message: "Starting kubelet." });
  let sent: NodeStatus | undefined = node.status;
  let sentAt: Instant = clock.now();
  for (const reason of turnedConditions(undefined, node.status ?? {})) tell(reason);

  while (!signal.aborted) {
    const ready = sent?.conditions?.some(({ type, status }) => type === "Ready" && status === "True") === true;
    await clock.sleep(ready ? STATUS_CHECK_MS : UNREADY_CHECK_MS, signal);
    if (signal.aborted) return;
    try {
      const next = computeNodeStatus(await observe(), node.status);
      const unchanged = sent !== undefined && isDeepStrictEqual(withoutHeartbeat(next), withoutHeartbeat(sent));
      if (unchanged && clock.now() - sentAt < STATUS_REPORT_MS) continue;
      node = await client.patch(
        NodeKind,
        { name: identity.nodeName, namespace: undefined },
        { type: "strategic", body: { status: next } },
        { subresource: "status" },
        signal,
      );
      for (const reason of turnedConditions(sent, next)) tell(reason);
      sent = next;
      sentAt = clock.now();
    } catch (cause) {
      if (signal.aborted) return;
      if (hasReason(cause, "NotFound")) {
        log.warn("Node object is gone, registering anew", { node: identity.nodeName });
        const anew = await untilDone("Node not registered", register);
        if (anew === undefined) return;
        node = anew;
        sent = anew.status;
      } else log.warn("Node status not written", { node: identity.nodeName, cause });
    }
  }

  function tell(reason: string) {
    if (node === undefined) return;
    events.record({ about: node, type: "Normal", reason, message: `Node ${identity.nodeName} status is now: ${reason}` });
  }

  async function register(): Promise<Stored<Node>> {
    const observed = await observe();
    const wanted = newNode(observed);
    try {
      return await client.create(NodeKind, wanted, signal);
    } catch (cause) {
      if (!hasReason(cause, "AlreadyExists")) throw cause;
    }
    const ref = { name: identity.nodeName, namespace: undefined };
    const present = await client.get(NodeKind, ref, signal);
    const labels = nodeLabels(identity, facts);
    const stale = Object.entries(labels).filter(([key, value]) => present.metadata.labels?.[key] !== value);
    if (stale.length > 0) {
      const body = { metadata: { labels: Object.fromEntries(stale) } };
      await client.patch(NodeKind, ref, { type: "strategic", body }, {}, signal);
    }
    const status = computeNodeStatus(observed, present.status);
    return client.patch(NodeKind, ref, { type: "strategic", body: { status } }, { subresource: "status" }, signal);
  }

  async function observe(): Promise<NodeObserved> {
    const [pressure, health] = await Promise.all([host.pressure(signal), runtimeHealth()]);
    return { identity, facts, pressure, now: clock.now(), ...health };
  }

  async function runtimeHealth(): Promise<Pick<NodeObserved, "runtime" | "images">> {
    const runtime = { name: version.runtimeName, version: version.runtimeVersion.replace(/^v/, "").replace(/~.*$/, "") };
    try {
      const [{ status }, images] = await Promise.all([cri.status({}, { signal, timeoutMs: 10_000 }), cri.listImages({}, { signal })]);
      const complaints = status.conditions
        .filter((each) => (each.type === "RuntimeReady" || each.type === "NetworkReady") && !each.status)
        .map(
          ({ type, reason, message }) =>
            `container runtime ${type === "NetworkReady" ? "network " : ""}not ready: ${type}=false reason:${reason} message:${message}`,
        );
      return { runtime: { ...runtime, complaint: complaints.length === 0 ? undefined : complaints.join(", ") }, images };
    } catch (cause) {
      if (signal.aborted || !(cause instanceof CriError)) throw cause;
      return { runtime: { ...runtime, complaint: "container runtime is down" }, images: [] };
    }
  }

  async function untilDone<T>(sentence: string, attempt: () => Promise<T>): Promise<T | undefined> {
    for (let tried = 0; !signal.aborted; tried++) {
      try {
        return await attempt();
      } catch (cause) {
        if (signal.aborted) return undefined;
        log.warn(sentence, { node: identity.nodeName, attempt: tried, cause });
        await clock.sleep(backoffDelayMs(RETRY, tried), signal);
      }
    }
    return undefined;
  }
}

/** Renews the node's Lease every ten seconds until `signal` aborts. */
export async function runNodeLease(
  { client, clock, log }: Pick<NodeAgentDeps, "client" | "clock" | "log">,
  node: Stored<Node>,
  signal: AbortSignal,
): Promise<void> {
  const { name } = node.metadata;
  let lease: Stored<Lease> | undefined;
  for (let failures = 0; !signal.aborted; ) {
    try {
      lease = lease === undefined ? await obtain() : await client.update(LeaseKind, renewed(lease), signal);
      failures = 0;
      await clock.sleep(LEASE_RENEW_MS, signal);
    } catch (cause) {
      if (signal.aborted) return;
      lease = undefined; // read it again: another write came between, or it was deleted
      if (!hasReason(cause, "Conflict", "NotFound")) log.warn("Node lease not renewed", { node: name, cause });
      await clock.sleep(backoffDelayMs(RETRY, failures++), signal);
    }
  }

  async function obtain(): Promise<Stored<Lease>> {
    try {
      const present = await client.get(LeaseKind, { name, namespace: LEASE_NAMESPACE }, signal);
      return await client.update(LeaseKind, renewed(present), signal);
    } catch (cause) {
      if (!hasReason(cause, "NotFound")) throw cause;
    }
    return client.create(
      LeaseKind,
      {
        apiVersion: "coordination.k8s.io/v1",
        kind: "Lease",
        metadata: { name, namespace: LEASE_NAMESPACE, ownerReferences: [{ apiVersion: "v1", kind: "Node", name, uid: node.metadata.uid }] },
        spec: { holderIdentity: name, leaseDurationSeconds: LEASE_SECONDS, renewTime: formatMicroTime(clock.now()) },
      },
      signal,
    );
  }

  function renewed(present: Stored<Lease>): Stored<Lease> {
    return {
      ...present,
      spec: { ...present.spec, holderIdentity: name, leaseDurationSeconds: LEASE_SECONDS, renewTime: formatMicroTime(clock.now()) },
    };
  }
}
