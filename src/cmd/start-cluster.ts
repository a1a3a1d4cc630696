import { createApiServer } from "#apiserver/server.ts";
import type { Clock } from "#base/clock.ts";
import { seededEntropy } from "#base/entropy.ts";
import { type Log, silentLog } from "#base/log.ts";
import { systemClock } from "#base/node/system-clock.ts";
import { systemEntropy } from "#base/node/system-entropy.ts";
import { openScope } from "#base/scope.ts";
import type { Client } from "#client/contract.ts";
import { renderKubeconfig } from "#client/kubeconfig.ts";
import { createRestClient } from "#client/rest.ts";
import { KINDS } from "#kinds/registry.ts";
import { createCa, issueCertificate } from "#pki/certificate.ts";
import { createMemoryStore } from "#store/memory.ts";
import { createWatchHub } from "#store/watch-hub.ts";
import { CLUSTER_DEFAULTS } from "./cluster.ts";
import { runControlPlane } from "./control-plane.ts";
import { ensureServerObjects } from "./server-objects.ts";
import { refuseSimulated, runSimulatedNode } from "./simulated-node.ts";

export interface StartClusterOptions {
  /** Simulated nodes. @default 1 */
  readonly nodes?: number;
  /** What controllers, scheduler and nodes take for the time; TLS goes by the machine's. @default the machine's */
  readonly clock?: Clock;
  /** Makes ids and names repeatable. @default random */
  readonly seed?: number;
  /** @default silent */
  readonly log?: Log;
}

/** A control plane in this process. Dispose it to stop everything. */
export interface Cluster extends AsyncDisposable {
  /** `https://127.0.0.1:<port>` */
  readonly url: string;
  /** YAML for kubectl and client libraries: an administrator of the cluster. */
  readonly kubeconfig: string;
  readonly client: Client;
}

/**
 * Starts API server, controllers, scheduler and simulated nodes in this process, on a memory store and a free loopback port.
 * Resolves when the API answers; nodes become Ready soon after. Pods on simulated nodes become Running and Ready without
 * containers.
 */
export async function startCluster(options: StartClusterOptions = {}): Promise<Cluster> {
  const { nodes = 1, clock = systemClock, seed, log = silentLog } = options;
  const entropy = seed === undefined ? systemEntropy : seededEntropy(seed);
  const scope = openScope(new AbortController().signal, log);
  try {
    const now = Date.now();
    const ca = await createCa({ cn: "navarch-test-ca", days: 1, now });
    const [serving, admin] = await Promise.all([
      issueCertificate({ ca, cn: "kube-apiserver", sans: ["localhost", "127.0.0.1"], usages: ["server"], days: 1, now }),
      issueCertificate({ ca, cn: "kubernetes-admin", orgs: ["system:masters"], usages: ["client"], days: 1, now }),
    ]);
    const store = scope.own(createMemoryStore({ clock }));
    const hub = scope.own(createWatchHub({ store, clock, log }));
    const api = createApiServer(
      { store, hub, kinds: KINDS, clock, entropy, log, dialKubelet: refuseSimulated },
      { advertise: "192.0.2.254:6443", clientCaPem: ca.certPem },
    );
    await api.bootstrap(scope.signal);
    const tls = { certPem: serving.certPem, keyPem: serving.keyPem, clientCaPem: ca.certPem };
    const { port } = scope.own(await api.listen({ host: "127.0.0.1", port: 0, tls }));
    const url = `https://127.0.0.1:${port}`;
    const credentials = { ca: ca.certPem, cert: admin.certPem, key: admin.keyPem };
    const client = scope.own(
      createRestClient({ server: url, credentials: () => credentials, clock: systemClock, log, userAgent: "navarch-test" }),
    );
    const joinToken = "testid.0123456789abcdef";
    await ensureServerObjects(client, { server: url, caPem: ca.certPem, joinToken, clusterDns: CLUSTER_DEFAULTS.clusterDns }, scope.signal);
    scope.spawn("server objects", (until) => api.maintain(until));
    scope.spawn("control plane", (until) =>
      runControlPlane({ client, ca, clock, entropy, log }, { clusterCidr: CLUSTER_DEFAULTS.clusterCidr }, until),
    );
    for (let n = 1; n <= nodes; n++) {
      const node = { server: url, name: `node-${n}`, address: `192.0.2.${n}` };
      scope.spawn(node.name, (until) => runSimulatedNode({ ca, clock, entropy, log }, node, until));
    }
    return {
      url,
      kubeconfig: renderKubeconfig({ name: "navarch-test", server: url, ca: ca.certPem, user: { cert: admin.certPem, key: admin.keyPem } }),
      client,
      [Symbol.asyncDispose]: () => scope.close(),
    };
  } catch (cause) {
    await scope.close();
    throw cause;
  }
}
