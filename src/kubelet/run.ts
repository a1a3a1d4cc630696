import { backoffDelayMs } from "#base/backoff.ts";
import { deferred } from "#base/deferred.ts";
import { openScope } from "#base/scope.ts";
import type { RuntimeVersion } from "#cri/contract.ts";
import { PodKind } from "#kinds/core/pod.ts";
import { SecretKind } from "#kinds/core/secret.ts";
import { ServiceKind } from "#kinds/core/service.ts";
import type { Node, Pod, Secret } from "#machinery/api/core-v1.ts";
import type { Stored } from "#machinery/object.ts";
import { hasReason } from "#machinery/status.ts";
import type { KubeletDeps, KubeletOptions, KubeletView } from "./contract.ts";
import { createImagePuller } from "./images/image-puller.ts";
import { runLogRotation } from "./log-rotation.ts";
import { containerLogPath, namespaceOf, podLogDirectory } from "./names.ts";
import { runNodeLease, runNodeStatus } from "./node-agent.ts";
import { createObjectReader } from "./object-reader.ts";
import type { NodeContext } from "./pod-context.ts";
import { createPodEvents } from "./pod-events.ts";
import { createPodWorker, type PodWorker } from "./pod-worker.ts";
import { createProbeWorkers } from "./probes/probe-workers.ts";
import { createRuntimeLister } from "./runtime-lister.ts";
import { createStatusWriter } from "./status-writer.ts";

const MAX_HOSTS_FILE_BYTES = 1024 * 1024;
const RETRY = { baseMs: 100, maxMs: 5_000 };
const BEST_EFFORT_SHARES = 2;

/**
 * The node agent: registers its Node, runs the pods bound to it, and reports, until `signal` aborts. Containers survive its end;
 * the next run on the same runtime takes them over by their labels. It resolves when all of it has stopped.
 *
 * The API server and the runtime need not be there yet, and may go away and come back.
 */
export async function runKubelet(deps: KubeletDeps, options: KubeletOptions, signal: AbortSignal): Promise<void> {
  const { client, informers, cri, events, host, prober, clock, log } = deps;
  const { nodeName, relistEveryMs = 1_000 } = options;
  await using scope = openScope(signal, log);
  const spawn = (name: string, task: (signal: AbortSignal) => Promise<void>) => scope.spawn(name, task);

  const pods = informers.informer(PodKind, { fieldSelector: `spec.nodeName=${nodeName}` });
  const services = informers.informer(ServiceKind);
  const version = await runtimeVersion(scope.signal);
  if (version === undefined) return;
  const facts = await host.facts(scope.signal);

  const record = createPodEvents(events);
  const lister = createRuntimeLister({ cri });
  const reader = createObjectReader({ client, clock });
  const context: NodeContext = {
    cri,
    host,
    prober,
    clock,
    log,
    record,
    reader,
    puller: createImagePuller({ cri, clock, record, pullSecrets }),
    services: () => services.lister.list(),
    facts,
    hostResolvConf: await host.resolvConf(scope.signal),
    hostsFile: (await host.readTail("/etc/hosts", MAX_HOSTS_FILE_BYTES, scope.signal)) ?? "",
    runtimeName: version.runtimeName,
    options: {
      nodeName,
      nodeAddresses: options.nodeAddresses,
      clusterDns: options.clusterDns ?? "10.43.0.10",
      clusterDomain: options.clusterDomain ?? "cluster.local",
      rootDirectory: options.rootDirectory,
      logDirectory: options.logDirectory,
      cgroupRoot: options.cgroupRoot,
    },
  };
  await host.cgroups.apply(`${options.cgroupRoot}/kubepods/besteffort`, { cpuShares: BEST_EFFORT_SHARES });

  const status = createStatusWriter({ client, clock, log, spawn });
  const workers = new Map<string, PodWorker>();
  const probes = createProbeWorkers({ cri, prober, clock, record, log, spawn, onChange: (uid) => workers.get(uid)?.wake() });

  const registered = deferred<Stored<Node>>();
  const identity = {
    nodeName,
    hostname: options.hostname ?? nodeName,
    addresses: options.nodeAddresses,
    labels: options.nodeLabels ?? {},
    taints: options.nodeTaints ?? [],
    maxPods: options.maxPods ?? 110,
    port: deps.serve === undefined ? undefined : (options.port ?? 10_250),
    kubeletVersion: options.kubeletVersion ?? "v1.36.0+navarch",
  };
  const agent = { client, cri, events, host, clock, log };
  spawn("node status", (own) => runNodeStatus(agent, { identity, facts, version, registered: registered.resolve }, own));
  spawn("node lease", async (own) => {
    const node = await Promise.race([registered.promise, untilAborted(own)]);
    if (node !== undefined) await runNodeLease(agent, node, own);
  });
  spawn("pods", runPods);
  spawn("log rotation", (own) =>
    runLogRotation(
      { cri, host, lister, clock, log },
      { maxBytes: options.containerLogMaxBytes ?? 10 * 2 ** 20, maxFiles: options.containerLogMaxFiles ?? 5 },
      own,
    ),
  );
  const { serve } = deps;
  if (serve !== undefined) spawn("server", (own) => serve(createView(), own));
  await scope.finished();

  async function runPods(own: AbortSignal) {
    await Promise.race([Promise.all([pods.synced, services.synced]), untilAborted(own)]);
    await relist(own); // what already runs is taken over, not made again
    if (own.aborted) return;
    await adoptDirectories();
    pods.onEvent((event) => {
      if (own.aborted) return;
      if (event.type === "updated" && event.previous.metadata.uid !== event.object.metadata.uid)
        workerOf(event.previous.metadata.uid).update(event.previous, "gone");
      workerOf(event.object.metadata.uid).update(event.object, event.type === "deleted" ? "gone" : "present");
    });
    let failures = 0;
    while (!own.aborted) {
      const known = await relist(own);
      failures = known ? 0 : failures + 1;
      await clock.sleep(known ? relistEveryMs : backoffDelayMs(RETRY, failures), own);
    }
  }

  /** Wakes the workers of pods whose containers changed; gives one to pods that only the runtime knows, to end them. */
  async function relist(own: AbortSignal): Promise<boolean> {
    try {
      const changed = await lister.relist(own);
      const present = new Set(pods.lister.list().map((pod) => pod.metadata.uid));
      for (const uid of changed) workers.get(uid)?.wake();
      for (const { uid } of lister.all()) if (!workers.has(uid) && !present.has(uid)) workerOf(uid);
      return true;
    } catch (cause) {
      if (!own.aborted) log.warn("Containers not listed", { cause });
      return false;
    }
  }

  /** Pods that ended while no agent looked may have left volumes: a worker removes them. */
  async function adoptDirectories() {
    const present = new Set(pods.lister.list().map((pod) => pod.metadata.uid));
    for (const uid of await host.list(`${options.rootDirectory}/pods`)) if (!present.has(uid)) workerOf(uid);
  }

  function workerOf(uid: string): PodWorker {
    const known = workers.get(uid);
    if (known !== undefined) return known;
    const worker = createPodWorker({ client, context, lister, probes, status }, uid);
    workers.set(uid, worker);
    spawn(`pod ${uid}`, async (own) => {
      await worker.run(own);
      workers.delete(uid);
    });
    return worker;
  }

  async function pullSecrets(pod: Stored<Pod>, own: AbortSignal): Promise<readonly Secret[]> {
    const found = await Promise.all(
      (pod.spec.imagePullSecrets ?? []).map(async ({ name = "" }) => {
        try {
          return await client.get(SecretKind, { name, namespace: namespaceOf(pod) }, own);
        } catch (cause) {
          if (hasReason(cause, "NotFound", "Forbidden")) return undefined; // upstream pulls without it
          throw cause;
        }
      }),
    );
    return found.filter((secret) => secret !== undefined);
  }

  async function runtimeVersion(own: AbortSignal): Promise<RuntimeVersion | undefined> {
    for (let tried = 0; !own.aborted; tried++) {
      try {
        return await cri.version({ signal: own });
      } catch (cause) {
        if (own.aborted) return undefined;
        if (tried > 0) log.warn("Container runtime does not answer", { attempt: tried, cause });
        await clock.sleep(backoffDelayMs(RETRY, tried), own);
      }
    }
    return undefined;
  }

  function createView(): KubeletView {
    const views = () => Array.from(workers.values(), (worker) => worker.view()).filter((pod) => pod !== undefined);
    return {
      pods: views,
      pod: (namespace, name) => views().find(({ metadata }) => metadata.namespace === namespace && metadata.name === name),
      runtime: (uid) => lister.get(uid),
      logPath: ({ metadata }, container, restartCount) => {
        const directory = podLogDirectory(options.logDirectory, {
          namespace: namespaceOf({ metadata }),
          name: metadata.name,
          uid: metadata.uid,
        });
        return `${directory}/${containerLogPath(container, restartCount)}`;
      },
      cri,
      nodeName,
    };
  }
}

function untilAborted(signal: AbortSignal): Promise<undefined> {
  if (signal.aborted) return Promise.resolve(undefined);
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(undefined), { once: true }));
}
