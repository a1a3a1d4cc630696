import { networkInterfaces } from "node:os";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { createApiServer, type Listening, type TlsFiles } from "#apiserver/server.ts";
import type { Log } from "#base/log.ts";
import { hasCode, writeFileAtomic } from "#base/node/files.ts";
import { createPinoLog } from "#base/node/pino-log.ts";
import { systemClock } from "#base/node/system-clock.ts";
import { systemEntropy } from "#base/node/system-entropy.ts";
import { openScope } from "#base/scope.ts";
import { renderKubeconfig } from "#client/kubeconfig.ts";
import { createRestClient } from "#client/rest.ts";
import { KINDS } from "#kinds/registry.ts";
import { type Ca, issueCertificate } from "#pki/certificate.ts";
import type { Store } from "#store/contract.ts";
import { openLmdbStore } from "#store/lmdb.ts";
import { createMemoryStore } from "#store/memory.ts";
import { runCompaction } from "#store/run-compaction.ts";
import { createWatchHub } from "#store/watch-hub.ts";
import { CommandError } from "./cluster.ts";
import { ensureClusterCa, ensureJoinToken, ensureServiceAccountKey } from "./identity.ts";
import { refuseSimulated, runSimulatedNode } from "./simulated-node.ts";
import { caHashOf } from "./node-identity.ts";
import { ensureServerObjects } from "./server-objects.ts";

export interface ServerFlags {
  readonly dataDir: string;
  readonly bindAddress: string;
  readonly advertiseAddress?: string;
  readonly port: number;
  readonly joinTokenFile?: string;
  readonly kubeconfig?: string;
  readonly store: "lmdb" | "memory";
  readonly simulateNodes: number;
  readonly logLevel: string;
  readonly clusterCidr: string;
  readonly serviceCidr: string;
  readonly clusterDns: string;
  readonly clusterDomain: string;
}

/** From TEST-NET-1 (RFC 5737), on machines without any link: pods could not reach the server in any case. */
const UNREACHABLE = "192.0.2.254";
const CERTIFICATE_DAYS = 365;
/** Serving certificates are made anew this often, long before they end; clients notice nothing. */
const RENEW_EVERY_MS = 24 * 3600 * 1000;

export async function runServer(flags: ServerFlags, signal: AbortSignal): Promise<void> {
  const clock = systemClock;
  const log = createPinoLog({ component: "server", level: flags.logLevel });
  const bind = flags.bindAddress.split(",").map((address) => address.trim());
  const advertise = flags.advertiseAddress ?? firstAddress(bind);
  const kubeconfig = flags.kubeconfig ?? join(flags.dataDir, "kubeconfig");
  const joinTokenFile = flags.joinTokenFile ?? join(flags.dataDir, "join-token");

  await using scope = openScope(signal, log);
  const [ca, joinToken] = await Promise.all([ensureClusterCa(flags.dataDir, clock), ensureJoinToken(joinTokenFile)]);
  const clientCertificate = (cn: string) =>
    issueCertificate({ ca, cn, orgs: ["system:masters"], usages: ["client"], days: CERTIFICATE_DAYS, now: clock.now() });
  const [admin, kubelet, serviceAccountKey] = await Promise.all([
    clientCertificate("kubernetes-admin"),
    clientCertificate("kube-apiserver-kubelet-client"),
    ensureServiceAccountKey(flags.dataDir),
  ]);
  const store = scope.own(await openStore(flags, log));
  const hub = scope.own(createWatchHub({ store, clock, log }));
  const api = createApiServer(
    { store, hub, kinds: KINDS, clock, entropy: systemEntropy, log, dialKubelet: refuseSimulated },
    {
      advertise: `${advertise}:${flags.port}`,
      serviceCidrs: [flags.serviceCidr],
      issuer: `https://kubernetes.default.svc.${flags.clusterDomain}`,
      serviceAccountKey,
      kubelet: { caPem: ca.certPem, certPem: kubelet.certPem, keyPem: kubelet.keyPem },
      clientCaPem: ca.certPem,
    },
  );
  await api.bootstrap(scope.signal);

  const listeners = await listenAll();
  scope.spawn("certificate renewal", async (until) => {
    for (;;) {
      await clock.sleep(RENEW_EVERY_MS, until);
      if (until.aborted) return;
      const tls = await servingCertificate();
      for (const listener of listeners) listener.renew(tls);
    }
  });
  const own = urlOf(ownAddress(bind), flags.port);
  const server = bind.some((address) => address !== "127.0.0.1") ? urlOf(advertise, flags.port) : own;
  await writeFileAtomic(
    kubeconfig,
    renderKubeconfig({ name: "navarch", server, ca: ca.certPem, user: { cert: admin.certPem, key: admin.keyPem } }),
  );
  const client = scope.own(
    createRestClient({
      server: own,
      credentials: () => ({ ca: ca.certPem, cert: admin.certPem, key: admin.keyPem }),
      clock,
      log,
      userAgent: "navarch-server",
    }),
  );
  await ensureServerObjects(client, { server, caPem: ca.certPem, joinToken, clusterDns: flags.clusterDns }, scope.signal);
  scope.spawn("server objects", (until) => api.maintain(until));
  scope.spawn("compaction", (until) => runCompaction({ store, clock, log }, until));
  scope.spawn("controllers", (until) => runControlWorker(workerInput(), log, until));
  for (let n = 1; n <= flags.simulateNodes; n++) {
    const name = `node-${n}`;
    const node = { server: own, name, address: `192.0.2.${n}` };
    scope.spawn(name, (until) => runSimulatedNode({ ca, clock, entropy: systemEntropy, log: log.with({ node: name }) }, node, until));
  }
  log.info("Serving", { bind, port: flags.port, server });
  log.info("Nodes join with", {
    command: `navarch agent --server ${server} --ca-hash ${caHashOf(ca.certPem)} --token TOKEN`,
    token: `in ${joinTokenFile}`,
  });
  await scope.finished();

  async function listenAll(): Promise<Listening[]> {
    const tls = await servingCertificate();
    const opened: Listening[] = [];
    for (const host of bind) {
      try {
        opened.push(scope.own(await api.listen({ host, port: flags.port, tls })));
      } catch (cause) {
        if (hasCode(cause, "EADDRINUSE"))
          throw new CommandError(`Cannot listen on ${host}:${flags.port}: another program does, stop it or choose --port`, { cause });
        if (hasCode(cause, "EADDRNOTAVAIL"))
          throw new CommandError(`Cannot listen on ${host}:${flags.port}: this machine has no such address, choose --bind-address`, {
            cause,
          });
        throw cause;
      }
    }
    return opened;
  }

  async function servingCertificate(): Promise<TlsFiles> {
    const sans = new Set(["localhost", "127.0.0.1", "::1", "kubernetes", "kubernetes.default", "kubernetes.default.svc"]);
    sans.add(`kubernetes.default.svc.${flags.clusterDomain}`).add(advertise).add(firstServiceAddress(flags.serviceCidr));
    for (const address of bind) if (!isWildcard(address)) sans.add(address);
    for (const { address } of Object.values(networkInterfaces()).flatMap((all) => all ?? [])) sans.add(address.replace(/%.*$/, ""));
    const made = await issueCertificate({
      ca,
      cn: "kube-apiserver",
      sans: [...sans],
      usages: ["server"],
      days: CERTIFICATE_DAYS,
      now: clock.now(),
    });
    return { certPem: made.certPem, keyPem: made.keyPem, clientCaPem: ca.certPem };
  }

  function workerInput(): ControlWorkerInput {
    const { certPem, keyPem } = admin;
    return { server: own, ca: caParts(ca), cert: certPem, key: keyPem, clusterCidr: flags.clusterCidr, logLevel: flags.logLevel };
  }
}

function urlOf(address: string, port: number): string {
  return `https://${address.includes(":") ? `[${address}]` : address}:${port}`;
}

/** What the controllers' thread is started with. */
export interface ControlWorkerInput {
  readonly server: string;
  readonly ca: { readonly certPem: string; readonly keyPem: string };
  readonly cert: string;
  readonly key: string;
  readonly clusterCidr: string;
  readonly logLevel: string;
}

function caParts({ certPem, keyPem }: Ca) {
  return { certPem, keyPem };
}

/** Controllers and scheduler in a thread of their own, so that their work never delays an answer. Starts it again when it dies. */
async function runControlWorker(input: ControlWorkerInput, log: Log, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const worker = new Worker(new URL("./control-worker.js", import.meta.url), { workerData: input });
    const stop = () => worker.postMessage("stop");
    signal.addEventListener("abort", stop, { once: true });
    const code = await new Promise<number>((resolve) => {
      worker.on("error", (cause) => log.error("Controllers failed", { cause }));
      worker.on("exit", resolve);
    });
    signal.removeEventListener("abort", stop);
    if (signal.aborted) return;
    log.error("Controllers ended and are started again", { code });
    await systemClock.sleep(1000, signal);
  }
}

async function openStore({ store, dataDir }: ServerFlags, log: Log): Promise<Store> {
  if (store === "memory") return createMemoryStore({ clock: systemClock });
  return openLmdbStore({ path: join(dataDir, "store"), clock: systemClock, log });
}

/** The address that others reach us at, where none was given: never a loopback one, which endpoints may not have. */
function firstAddress(bind: readonly string[]): string {
  const given = bind.find((address) => !isWildcard(address) && address !== "127.0.0.1");
  if (given !== undefined) return given;
  const outside = Object.values(networkInterfaces())
    .flatMap((all) => all ?? [])
    .find(({ internal, family }) => !internal && family === "IPv4");
  return outside?.address ?? UNREACHABLE;
}

/** The address that we reach ourselves at, whatever becomes of the others. */
function ownAddress(bind: readonly string[]): string {
  return bind.some((address) => isWildcard(address) || address === "127.0.0.1") ? "127.0.0.1" : (bind[0] ?? "127.0.0.1");
}

function isWildcard(address: string): boolean {
  return address === "0.0.0.0" || address === "::";
}

/** The `kubernetes` Service always has the first address of the range. */
function firstServiceAddress(cidr: string): string {
  const parts = (cidr.split("/")[0] ?? "").split(".");
  return [...parts.slice(0, 3), String(Number(parts[3]) + 1)].join(".");
}
