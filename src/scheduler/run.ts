import { isDeepStrictEqual } from "node:util";
import { setImmediate as nextTurn } from "node:timers/promises";
import { type Clock, formatTime } from "#base/clock.ts";
import { aborted } from "#base/deferred.ts";
import type { Entropy } from "#base/entropy.ts";
import type { Log } from "#base/log.ts";
import type { Client, EventRecorder, InformerEvent, InformerFactory } from "#client/contract.ts";
import { NamespaceKind } from "#kinds/core/namespace.ts";
import { NodeKind } from "#kinds/core/node.ts";
import { PodKind } from "#kinds/core/pod.ts";
import type { Binding, Node, Pod, PodCondition } from "#machinery/api/core-v1.ts";
import { refOf, type Stored } from "#machinery/object.ts";
import { hasReason } from "#machinery/status.ts";
import { followFacts } from "./cluster-facts.ts";
import { schedulePod } from "./cycle.ts";
import { failureMessage } from "./failure-message.ts";
import { FILTERS, SCORERS } from "./plugins/registry.ts";
import { type PodFacts, podFacts } from "./pod-facts.ts";
import { createSchedulingQueue, type QueuedPod } from "./queue.ts";
import { createSnapshot } from "./snapshot.ts";

export interface SchedulerDeps {
  readonly client: Client;
  readonly informers: InformerFactory;
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly log: Log;
  /** Speaks as `default-scheduler`; run by its maker. */
  readonly events: EventRecorder;
  /** Pods that name another scheduler are left alone. @default "default-scheduler" */
  readonly schedulerName?: string;
}

/** Writes under way at the same time. */
const MAX_WRITES = 128;
/** Cycles run on one turn of the loop for this long, then I/O gets its turn. */
const TURN_MS = 8;

/** Gives every pending pod a node, until `signal` aborts. The informers are run by the caller. */
export async function runScheduler(deps: SchedulerDeps, signal: AbortSignal): Promise<void> {
  const { client, informers, clock, entropy, log, events, schedulerName = "default-scheduler" } = deps;
  const snapshot = createSnapshot();
  const interests = new Map(FILTERS.map(({ name, retryOn }) => [name, retryOn]));
  const queue = createSchedulingQueue({ clock }, { retryOn: (plugin) => interests.get(plugin) ?? [] });
  const facts = followFacts(informers, () => queue.changed("volume changed"));
  const nodes = informers.informer(NodeKind);
  const pods = informers.informer(PodKind);
  const namespaces = informers.informer(NamespaceKind);
  /** Pods that have a node in our picture while the caches still show them without one. */
  const assumed = new Set<string>();
  const writes = new Set<Promise<void>>();
  let startAt = 0;

  nodes.onEvent(onNode);
  pods.onEvent(onPod);
  namespaces.onEvent((event) => {
    const labels = event.object.metadata.labels ?? {};
    if (event.type === "updated" && isDeepStrictEqual(labels, event.previous.metadata.labels ?? {})) return;
    snapshot.setNamespace(event.object.metadata.name, event.type === "deleted" ? undefined : labels);
    queue.changed("namespace changed");
  });
  await Promise.race([Promise.all([nodes.synced, pods.synced, namespaces.synced, facts.synced]), aborted(signal)]);

  let turnEnds = clock.now() + TURN_MS;
  for (let next = await queue.take(signal); next !== undefined; next = await queue.take(signal)) {
    schedule(next);
    if (writes.size >= MAX_WRITES) await Promise.race(writes);
    if (clock.now() >= turnEnds) {
      await nextTurn();
      turnEnds = clock.now() + TURN_MS;
    }
  }
  await Promise.all(writes);

  function schedule({ pod, attempts }: QueuedPod): void {
    const decision = schedulePod({
      pod,
      snapshot,
      facts,
      filters: FILTERS,
      scorers: SCORERS,
      startAt,
      pick: (n) => (n === 1 ? 0 : Math.floor(entropy.fraction() * n)),
    });
    if (decision.ok) {
      startAt = decision.nextStart;
      snapshot.place(pod, decision.node);
      assumed.add(pod.uid);
      queue.changed("pod placed");
      background(bind(pod, decision.node));
      return;
    }
    const message = failureMessage(pod, decision.failure);
    log.debug("Pod unschedulable", { pod: pod.key, attempts, message });
    queue.failed(pod.uid, decision.failure.plugins);
    events.record({ about: pod.pod, type: "Warning", reason: "FailedScheduling", message });
    background(markUnschedulable(pod.pod, "Unschedulable", message));
  }

  async function bind(pod: PodFacts, node: string): Promise<void> {
    const { name, namespace, uid } = pod.pod.metadata;
    const body: Binding = {
      apiVersion: "v1",
      kind: "Binding",
      metadata: { name, ...(namespace === undefined ? {} : { namespace }), uid },
      target: { kind: "Node", name: node },
    };
    try {
      await client.createSubresource(PodKind, refOf(pod.pod), "binding", body, signal);
      events.record({ about: pod.pod, type: "Normal", reason: "Scheduled", message: `Successfully assigned ${pod.key} to ${node}` });
      queue.remove(uid);
    } catch (cause) {
      if (signal.aborted) return;
      assumed.delete(uid);
      if (pods.lister.get(pod.pod.metadata)?.spec.nodeName !== undefined) return; // bound after all: the caches have it placed
      snapshot.remove(uid);
      queue.changed("pod removed");
      if (hasReason(cause, "NotFound", "Conflict")) {
        queue.retry(uid); // a pod that is gone or bound is removed when the caches show it
        log.debug("Pod could not be bound", { pod: pod.key, node, cause });
        return;
      }
      log.warn("Cannot bind pod", { pod: pod.key, node, cause });
      const message = `binding rejected: ${cause instanceof Error ? cause.message : String(cause)}`;
      events.record({ about: pod.pod, type: "Warning", reason: "FailedScheduling", message });
      queue.retry(uid);
      await markUnschedulable(pod.pod, "SchedulerError", message);
    }
  }

  async function markUnschedulable(pod: Stored<Pod>, reason: string, message: string): Promise<void> {
    const known = (pods.lister.get(pod.metadata) ?? pod).status?.conditions?.find(({ type }) => type === "PodScheduled");
    if (known?.status === "False" && known.reason === reason && known.message === message) return;
    const { generation } = pod.metadata;
    const condition: PodCondition = {
      type: "PodScheduled",
      ...(generation === undefined ? {} : { observedGeneration: generation }),
      status: "False",
      lastTransitionTime: known?.status === "False" ? (known.lastTransitionTime ?? formatTime(clock.now())) : formatTime(clock.now()),
      reason,
      message,
    };
    try {
      const patch = { type: "strategic", body: { status: { conditions: [condition] } } } as const;
      await client.patch(PodKind, refOf(pod), patch, { subresource: "status" }, signal);
    } catch (cause) {
      if (!signal.aborted && !hasReason(cause, "NotFound", "Conflict"))
        log.warn("Cannot write pod condition", { pod: pod.metadata.name, cause });
    }
  }

  /** `write` handles its own failures. */
  function background(write: Promise<void>): void {
    const tracked = write.finally(() => writes.delete(tracked));
    writes.add(tracked);
  }

  function onPod(event: InformerEvent<Pod>): void {
    const { object } = event;
    const { uid } = object.metadata;
    const finished = object.status?.phase === "Succeeded" || object.status?.phase === "Failed";
    const bound = (object.spec.nodeName ?? "") !== "";
    if (event.type === "deleted" || finished) {
      const wasPlaced = bound || assumed.delete(uid);
      snapshot.remove(uid);
      queue.remove(uid);
      if (wasPlaced) queue.changed("pod removed");
      return;
    }
    const previous = event.type === "updated" ? event.previous : undefined;
    if (bound) {
      if (previous !== undefined && previous.spec.nodeName === object.spec.nodeName && sameDemands(previous, object)) return;
      assumed.delete(uid);
      queue.remove(uid);
      snapshot.place(podFacts(object), object.spec.nodeName ?? "");
      queue.changed(previous?.spec.nodeName === object.spec.nodeName ? "pod updated" : "pod placed");
      return;
    }
    if (assumed.has(uid) || (object.spec.schedulerName ?? "default-scheduler") !== schedulerName) return;
    if (object.metadata.deletionTimestamp !== undefined || (object.spec.schedulingGates ?? []).length > 0) {
      queue.remove(uid);
      return;
    }
    if (previous !== undefined && (previous.spec.schedulingGates ?? []).length === 0 && sameDemands(previous, object))
      queue.refresh(podFacts(object));
    else queue.add(podFacts(object));
  }

  function onNode(event: InformerEvent<Node>): void {
    const { object } = event;
    if (event.type === "deleted") {
      snapshot.removeNode(object.metadata.name);
      queue.changed("node removed");
      return;
    }
    if (event.type === "updated" && sameOffer(event.previous, object)) return;
    snapshot.setNode(object);
    queue.changed(event.type === "added" ? "node added" : "node updated");
  }
}

/** Status updates change nothing about where a pod can run. */
function sameDemands(a: Stored<Pod>, b: Stored<Pod>): boolean {
  return (
    a.metadata.deletionTimestamp === b.metadata.deletionTimestamp &&
    isDeepStrictEqual(a.metadata.labels, b.metadata.labels) &&
    (a.metadata.generation !== undefined && a.metadata.generation === b.metadata.generation ? true : isDeepStrictEqual(a.spec, b.spec))
  );
}

/** Heartbeats change nothing about what a node offers. */
function sameOffer(a: Stored<Node>, b: Stored<Node>): boolean {
  return (
    a.spec.unschedulable === b.spec.unschedulable &&
    isDeepStrictEqual(a.spec.taints, b.spec.taints) &&
    isDeepStrictEqual(a.metadata.labels, b.metadata.labels) &&
    isDeepStrictEqual(a.status?.allocatable, b.status?.allocatable)
  );
}
