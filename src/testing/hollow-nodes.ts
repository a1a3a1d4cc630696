import { type Clock, formatMicroTime, formatTime } from "#base/clock.ts";
import type { Entropy } from "#base/entropy.ts";
import type { Log } from "#base/log.ts";
import { openScope } from "#base/scope.ts";
import type { Client } from "#client/contract.ts";
import { createInformerFactory } from "#client/informer-factory.ts";
import { createWorkQueue } from "#client/work-queue.ts";
import { LeaseKind } from "#kinds/coordination/lease.ts";
import { NodeKind } from "#kinds/core/node.ts";
import { PodKind } from "#kinds/core/pod.ts";
import type { Lease } from "#machinery/api/coordination-v1.ts";
import type { Node, Pod } from "#machinery/api/core-v1.ts";
import { keyOf, refOf, type Stored } from "#machinery/object.ts";
import { hasReason } from "#machinery/status.ts";

export interface HollowNodesDeps {
  readonly client: Client;
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly log: Log;
}

/** Nodes without containers: bound pods run and are ready at once, deleted pods end at once. Leases are renewed every 10 s. */
export async function runHollowNodes(
  deps: HollowNodesDeps,
  { names }: { readonly names: readonly string[] },
  signal: AbortSignal,
): Promise<void> {
  const { client, clock, log } = deps;
  await using scope = openScope(signal, log);
  const informers = createInformerFactory(deps);
  const pods = informers.informer(PodKind);
  const queue = createWorkQueue({ clock });
  const mine = new Set(names);
  let address = 2;
  for (const name of names) await register(name);
  pods.onEvent(({ type, object }) => {
    if (type !== "deleted" && mine.has(object.spec.nodeName ?? "")) queue.add(keyOf(object));
  });
  scope.spawn("informers", (signal) => informers.run(signal));
  scope.spawn("leases", async (signal) => {
    while (!signal.aborted) {
      try {
        for (const name of names) await renew(name, signal);
        await clock.sleep(10_000, signal);
      } catch (cause) {
        if (signal.aborted) return;
        log.debug("Hollow leases are tried again", { cause });
        await clock.sleep(1000, signal);
      }
    }
  });
  for (let worker = 0; worker < 8; worker++) scope.spawn(`worker ${worker}`, work);
  await scope.finished();

  async function register(name: string): Promise<void> {
    while (!signal.aborted) {
      try {
        await ignoring("AlreadyExists", client.create(NodeKind, hollowNode(name, formatTime(clock.now())), signal));
        return;
      } catch (cause) {
        if (signal.aborted) return;
        log.debug("Hollow node is registered again", { name, cause });
        await clock.sleep(1000, signal);
      }
    }
  }

  async function work(signal: AbortSignal): Promise<void> {
    for (let key = await queue.take(signal); key !== undefined; key = await queue.take(signal)) {
      const [namespace, name = ""] = key.split("/");
      const pod = pods.lister.get({ name, namespace });
      try {
        if (pod !== undefined) await ignoring("NotFound", act(pod, signal));
        queue.forget(key);
      } catch (cause) {
        if (signal.aborted) return;
        log.debug("Hollow pod is tried again", { key, cause });
        queue.retryLater(key);
      }
      queue.done(key);
    }
  }

  async function act(pod: Stored<Pod>, signal: AbortSignal): Promise<void> {
    if (pod.metadata.deletionTimestamp !== undefined) {
      await client.delete(PodKind, refOf(pod), { gracePeriodSeconds: 0 }, signal);
      return;
    }
    if (pod.status?.phase === "Running") return;
    const time = formatTime(clock.now());
    const podIP = `10.42.${Math.floor(address / 250) % 250}.${(address++ % 250) + 2}`;
    const conditions = ["PodScheduled", "Initialized", "ContainersReady", "Ready"].map((type) => ({
      type,
      status: "True",
      lastTransitionTime: time,
    }));
    const state = { running: { startedAt: time } };
    const containerStatuses = pod.spec.containers.map(({ name, image = "" }) => ({
      name,
      image,
      imageID: image,
      ready: true,
      started: true,
      restartCount: 0,
      state,
    }));
    const status = {
      phase: "Running",
      conditions,
      containerStatuses,
      podIP,
      podIPs: [{ ip: podIP }],
      hostIP: "192.168.0.11",
      startTime: time,
    };
    await client.patch(PodKind, refOf(pod), { type: "strategic", body: { status } }, { subresource: "status" }, signal);
  }

  async function renew(name: string, signal: AbortSignal): Promise<void> {
    const spec = { holderIdentity: name, leaseDurationSeconds: 40, renewTime: formatMicroTime(clock.now()) };
    const ref = { name, namespace: "kube-node-lease" };
    try {
      await client.patch(LeaseKind, ref, { type: "merge", body: { spec } }, {}, signal);
    } catch (cause) {
      if (!hasReason(cause, "NotFound")) throw cause;
      const lease: Lease = { apiVersion: "coordination.k8s.io/v1", kind: "Lease", metadata: ref, spec };
      await ignoring("AlreadyExists", client.create(LeaseKind, lease, signal));
    }
  }
}

async function ignoring(reason: "AlreadyExists" | "NotFound", work: Promise<unknown>): Promise<void> {
  try {
    await work;
  } catch (cause) {
    if (!hasReason(cause, reason, "Conflict")) throw cause;
  }
}

export function hollowNode(name: string, time: string): Node {
  const allocatable = { cpu: "8", memory: "32Gi", pods: "110", "ephemeral-storage": "100Gi" };
  const conditions = ["MemoryPressure", "DiskPressure", "PIDPressure"].map((type) => ({ type, status: "False", lastTransitionTime: time }));
  return {
    apiVersion: "v1",
    kind: "Node",
    metadata: { name, labels: { "kubernetes.io/hostname": name } },
    spec: {},
    status: {
      capacity: allocatable,
      allocatable,
      conditions: [...conditions, { type: "Ready", status: "True", lastTransitionTime: time }],
      addresses: [{ type: "InternalIP", address: "192.168.0.11" }],
    },
  };
}
