import { systemClock } from "#base/node/system-clock.ts";
import { systemEntropy } from "#base/node/system-entropy.ts";
import type { Clock } from "#base/clock.ts";
import type { Entropy } from "#base/entropy.ts";
import { type Log, silentLog } from "#base/log.ts";
import { KINDS } from "#kinds/registry.ts";
import { type Ca, type Certificate, createCa, issueCertificate } from "#pki/certificate.ts";
import type { Store } from "#store/contract.ts";
import { createMemoryStore } from "#store/memory.ts";
import { createWatchHub } from "#store/watch-hub.ts";
import { renderKubeconfig } from "#client/kubeconfig.ts";
import type { DialKubelet } from "./proxy/target.ts";
import { type ApiServer, createApiServer } from "./server.ts";

export interface TestServerOptions {
  /** @default the machine's */
  readonly clock?: Clock;
  readonly entropy?: Entropy;
  readonly log?: Log;
  /** @default a new memory store */
  readonly store?: Store;
  /** Where node agents are reached. @default by the node's address */
  readonly dialKubelet?: DialKubelet;
}

export interface TestServer extends AsyncDisposable {
  /** `https://127.0.0.1:<port>` */
  readonly url: string;
  readonly host: string;
  readonly port: number;
  readonly ca: Ca;
  /** Client certificate of a member of system:masters. */
  readonly admin: Certificate;
  readonly kubeconfig: string;
  readonly api: ApiServer;
  readonly store: Store;
  /** A client certificate for any user. */
  certificateOf(cn: string, orgs?: readonly string[]): Promise<Certificate>;
}

/** A whole API server with TLS on a free port of the loopback, on a memory store unless another is given. */
export async function startTestServer(options: TestServerOptions = {}): Promise<TestServer> {
  const { clock = systemClock, entropy = systemEntropy, log = silentLog } = options;
  const store = options.store ?? createMemoryStore({ clock });
  const hub = createWatchHub({ store, clock, log });
  const now = Date.now(); // TLS checks certificates by the machine's time, whatever the clock says
  const ca = await createCa({ cn: "navarch-test-ca", days: 1, now });
  const [serving, admin] = await Promise.all([
    issueCertificate({ ca, cn: "kube-apiserver", sans: ["localhost", "127.0.0.1", "::1"], usages: ["server"], days: 1, now: Date.now() }),
    issueCertificate({ ca, cn: "kubernetes-admin", orgs: ["system:masters"], usages: ["client"], days: 1, now: Date.now() }),
  ]);
  const api = createApiServer(
    { store, hub, kinds: KINDS, clock, entropy, log, ...(options.dialKubelet === undefined ? {} : { dialKubelet: options.dialKubelet }) },
    { advertise: "192.0.2.1:6443", clientCaPem: ca.certPem },
  );
  await api.bootstrap(new AbortController().signal);
  const tls = { certPem: serving.certPem, keyPem: serving.keyPem, clientCaPem: ca.certPem };
  const listening = await api.listen({ host: "127.0.0.1", port: 0, tls });
  const url = `https://127.0.0.1:${listening.port}`;
  return {
    url,
    host: "127.0.0.1",
    port: listening.port,
    ca,
    admin,
    kubeconfig: renderKubeconfig({ name: "navarch-test", server: url, ca: ca.certPem, user: { cert: admin.certPem, key: admin.keyPem } }),
    api,
    store,
    certificateOf: (cn, orgs = []) => issueCertificate({ ca, cn, orgs, usages: ["client"], days: 1, now: Date.now() }),
    async [Symbol.asyncDispose]() {
      await listening[Symbol.asyncDispose]();
      await hub[Symbol.asyncDispose]();
      await store[Symbol.asyncDispose]();
    },
  };
}
