import type { Clock } from "#base/clock.ts";
import { aborted } from "#base/deferred.ts";
import type { Entropy } from "#base/entropy.ts";
import type { Log } from "#base/log.ts";
import { openScope } from "#base/scope.ts";
import { createEventRecorder } from "#client/events.ts";
import { createInformerFactory } from "#client/informer-factory.ts";
import { createRestClient } from "#client/rest.ts";
import { createSimulatedRuntime, SIMULATED_RUNTIME_NAME } from "#cri/simulated/simulated-runtime.ts";
import type { Node } from "#machinery/api/core-v1.ts";
import { badRequest } from "#machinery/status.ts";
import { NodeKind } from "#kinds/core/node.ts";
import { createSimulatedHost, simulatedProber } from "#kubelet/host/simulated-host.ts";
import { runKubelet } from "#kubelet/run.ts";
import { type Ca, issueCertificate } from "#pki/certificate.ts";

export interface SimulatedNodeDeps {
  readonly ca: Ca;
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly log: Log;
}

/** For the API server: logs, exec and port-forward of a simulated node are refused at once; other nodes are dialled as usual. */
export function refuseSimulated(node: Node): Promise<undefined> {
  const { nodeInfo } = node.status ?? {};
  if (nodeInfo?.containerRuntimeVersion.startsWith(`${SIMULATED_RUNTIME_NAME}://`) !== true) return Promise.resolve(undefined);
  throw badRequest(
    `Cannot reach the agent of node "${node.metadata.name}": the node is simulated and runs no containers, wanted a real one`,
  );
}

/**
 * A node whose pods run no containers: the real kubelet over the simulated runtime. It says so: its runtime is called
 * navarch-simulated, and exec, logs and port-forward are refused.
 */
export async function runSimulatedNode(
  { ca, clock, entropy, log }: SimulatedNodeDeps,
  { server, name, address }: { readonly server: string; readonly name: string; readonly address: string },
  signal: AbortSignal,
): Promise<void> {
  await using scope = openScope(signal, log);
  const pair = await issueCertificate({
    ca,
    cn: `system:node:${name}`,
    orgs: ["system:nodes"],
    usages: ["client"],
    days: 365,
    now: Date.now(),
  });
  const client = scope.own(
    createRestClient({
      server,
      credentials: () => ({ ca: ca.certPem, cert: pair.certPem, key: pair.keyPem }),
      clock,
      log,
      userAgent: "navarch-simulated-node",
    }),
  );
  const informers = createInformerFactory({ client, clock, entropy, log });
  const events = createEventRecorder({ client, component: "kubelet", host: name, clock, entropy, log });
  const self = informers.informer(NodeKind, { fieldSelector: `metadata.name=${name}` });
  const cri = createSimulatedRuntime({ clock, entropy }, { podCidr: () => self.lister.get({ name })?.spec.podCIDR });
  scope.spawn("informers", (until) => informers.run(until));
  scope.spawn("events", (until) => events.run(until));
  scope.spawn("kubelet", async (until) => {
    await Promise.race([self.synced, aborted(until)]); // a node made earlier has its range at once, and stays Ready over a restart
    await runKubelet(
      { client, informers, cri, events, host: createSimulatedHost(), prober: simulatedProber, clock, entropy, log },
      { nodeName: name, nodeAddresses: [address], rootDirectory: `/${name}/kubelet`, logDirectory: `/${name}/pod-logs`, cgroupRoot: "" },
      until,
    );
  });
  await scope.finished();
}
