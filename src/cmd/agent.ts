import { readIfThere } from "#base/node/files.ts";
import { createSocket } from "node:dgram";
import { hostname, networkInterfaces } from "node:os";
import { join } from "node:path";
import type { Clock } from "#base/clock.ts";
import type { Log } from "#base/log.ts";
import { createPinoLog } from "#base/node/pino-log.ts";
import { systemClock } from "#base/node/system-clock.ts";
import { systemEntropy } from "#base/node/system-entropy.ts";
import { openScope } from "#base/scope.ts";
import { createEventRecorder } from "#client/events.ts";
import { createInformerFactory } from "#client/informer-factory.ts";
import { createRestClient } from "#client/rest.ts";
import { connectCri } from "#cri/client.ts";
import { ensureImages, type PackedArchive } from "#cri/containerd/import-image.ts";
import { containerdLayout } from "#cri/containerd/layout.ts";
import { probeRestrictOomScoreAdj, probeSnapshotter } from "#cri/containerd/probe.ts";
import { renderContainerdConfig } from "#cri/containerd/render.ts";
import { plantSeed } from "#cri/containerd/seed.ts";
import { startContainerd } from "#cri/containerd/start.ts";
import { createZoneView } from "#dns/view.ts";
import { runDns } from "#dns/run.ts";
import { createLinuxHost } from "#kubelet/host/linux-host.ts";
import { runPodNetwork } from "#kubelet/pod-network.ts";
import { networkProber } from "#kubelet/probes/network-prober.ts";
import { runKubelet } from "#kubelet/run.ts";
import { pauseImage } from "#oci/images/pause.ts";
import type { ProxyMode } from "#proxy/modes.ts";
import { runServiceProxy } from "#proxy/start.ts";
import { runDnsEndpoint } from "./dns-endpoint.ts";
import { CommandError } from "./cluster.ts";
import { ensureClientCertificate, findCa, runClientRenewal } from "./node-identity.ts";
import { serveKubelet } from "./serve-kubelet.ts";

export interface AgentFlags {
  readonly server: string;
  readonly token?: string;
  readonly tokenFile?: string;
  readonly caFile?: string;
  readonly caHash?: string;
  readonly nodeName?: string;
  readonly nodeIp?: string;
  readonly dataDir: string;
  readonly runDir: string;
  readonly containerRuntimeEndpoint?: string;
  readonly cgroupRoot: string;
  readonly netns?: string;
  /** Undefined: the best mode that this machine can run. */
  readonly proxyMode?: ProxyMode;
  readonly image: readonly string[];
  readonly imageSeed?: string;
  readonly logLevel: string;
  readonly clusterCidr: string;
  readonly serviceCidr: string;
  readonly clusterDns: string;
  readonly clusterDomain: string;
}

/** A port that nothing else on a node claims: the kube-dns Service leads port 53 here. */
const DNS_PORT = 10_053;

/** Runs a node until `signal` aborts. Containers, rules and routes stay, so that a restarted agent takes over a living node. */
export async function runAgent(flags: AgentFlags, signal: AbortSignal): Promise<void> {
  const clock = systemClock;
  const log = createPinoLog({ component: "agent", level: flags.logLevel });
  const nodeName = flags.nodeName ?? hostname().toLowerCase();
  const nodeIp = flags.nodeIp ?? (await addressTowards(flags.server));
  const pki = join(flags.dataDir, "pki");
  const cniConfDir = join(flags.runDir, "cni");

  await using scope = openScope(signal, log);
  const ca = await findCa({ server: flags.server, caFile: flags.caFile, caHash: flags.caHash });
  const runtime = startRuntime(flags, cniConfDir, { clock, log }, scope.signal);
  const joining = { server: flags.server, nodeName, dir: pki, ca, token: () => tokenOf(flags) };
  const [first, socketPath] = await Promise.all([ensureClientCertificate(joining, { clock, log }, scope.signal), runtime]);
  let identity = first;

  const client = scope.own(
    createRestClient({
      server: flags.server,
      credentials: () => ({ ca, ...identity }),
      clock,
      log,
      userAgent: "navarch-agent",
    }),
  );
  const informers = createInformerFactory({ client, clock, entropy: systemEntropy, log });
  const events = createEventRecorder({ client, component: "kubelet", host: nodeName, clock, entropy: systemEntropy, log });
  const cri = scope.own(connectCri({ socketPath, log }));
  const [podCidrs, serviceCidrs] = [flags.clusterCidr.split(","), flags.serviceCidr.split(",")];

  scope.spawn("client certificate", (until) =>
    runClientRenewal(client, { nodeName, dir: pki, current: identity, renewed: (pair) => (identity = pair) }, { clock, log }, until),
  );
  scope.spawn("informers", (until) => informers.run(until));
  scope.spawn("events", (until) => events.run(until));
  scope.spawn("pod network", (until) =>
    runPodNetwork(
      { informers, log },
      {
        nodeName,
        cniConfDir,
        leaseDir: join(flags.dataDir, "cni"),
        clusterCidrs: podCidrs,
        serviceCidrs,
        device: deviceOf(nodeIp),
      },
      until,
    ),
  );
  scope.spawn("proxy", (until) => {
    const options = { nodeName, nodeIp, mode: flags.proxyMode, podCidrs, serviceCidrs };
    return runServiceProxy({ informers, clock, log: log.with({ part: "proxy" }) }, options, until);
  });
  scope.spawn("dns", async (until) => {
    const zone = createZoneView(informers, flags.clusterDomain);
    await zone.synced;
    await runDns({ zone, log: log.with({ part: "dns" }) }, { address: nodeIp, port: DNS_PORT, forwarders: await forwarders(flags) }, until);
  });
  scope.spawn("dns endpoint", (until) => runDnsEndpoint({ client, clock, log }, { nodeName, nodeIp, port: DNS_PORT }, until));
  scope.spawn("kubelet", (until) =>
    runKubelet(
      {
        client,
        informers,
        cri,
        events,
        host: createLinuxHost({ clock }, { rootDirectory: join(flags.dataDir, "kubelet") }),
        prober: networkProber,
        clock,
        entropy: systemEntropy,
        log: log.with({ part: "kubelet" }),
        serve: (view, serving) => serveKubelet({ client, clock, log }, { view, nodeName, nodeIp, ca, dir: pki }, serving),
      },
      {
        nodeName,
        nodeAddresses: [nodeIp],
        clusterDns: flags.clusterDns,
        clusterDomain: flags.clusterDomain,
        rootDirectory: join(flags.dataDir, "kubelet"),
        logDirectory: join(flags.dataDir, "pod-logs"),
        cgroupRoot: flags.cgroupRoot,
      },
      until,
    ),
  );
  await scope.finished();
}

/** The CRI socket to use: the given one, or that of a containerd of our own, started or adopted, with the packed images in it. */
async function startRuntime(
  flags: AgentFlags,
  cniConfDir: string,
  { clock, log }: { clock: Clock; log: Log },
  signal: AbortSignal,
): Promise<string> {
  if (flags.containerRuntimeEndpoint !== undefined) return flags.containerRuntimeEndpoint.replace(/^unix:\/\//, "");
  const layout = containerdLayout({ dataDir: flags.dataDir, runDir: flags.runDir });
  const [snapshotter, restrictOomScoreAdj] = await Promise.all([probeSnapshotter(flags.dataDir, signal), probeRestrictOomScoreAdj(signal)]);
  const config = renderContainerdConfig({
    layout,
    sandboxImage: pauseImage.name,
    snapshotter,
    cniBinDir: "/usr/lib/cni",
    cniConfDir,
    restrictOomScoreAdj,
    registryConfigDir: join(flags.dataDir, "registry"),
  });
  if (flags.imageSeed !== undefined) await plantSeed(flags.imageSeed, layout, signal);
  const { socket, adopted } = await startContainerd(
    { clock },
    { layout, config, ...(flags.netns === undefined ? {} : { netns: flags.netns }) },
    signal,
  );
  const archives = flags.image.map(parseImageFlag);
  const imported = await ensureImages({ clock }, { socket, snapshotter, archives }, signal);
  log.info("Container runtime ready", { adopted, imported });
  return socket;
}

/** `name=digest=archive`; names and digests hold no equals sign. */
function parseImageFlag(text: string): PackedArchive {
  const [name, manifestDigest, ...path] = text.split("=");
  if (name === undefined || manifestDigest === undefined || path.length === 0)
    throw new CommandError(`Cannot use --image "${text}": wanted <name>=<digest>=<archive>`);
  return { name, manifestDigest, archivePath: path.join("=") };
}

async function tokenOf({ token, tokenFile }: AgentFlags): Promise<string | undefined> {
  if (token !== undefined) return token;
  return tokenFile === undefined ? undefined : (await readIfThere(tokenFile))?.trim();
}

/** The resolvers of this machine, for names outside the cluster. Loopback ones do not answer from a node's own namespace. */
async function forwarders({ netns }: AgentFlags): Promise<string[]> {
  const text = (await readIfThere("/etc/resolv.conf")) ?? "";
  const servers = [...text.matchAll(/^nameserver\s+(\S+)/gm)].map((match) => match[1] ?? "");
  return servers.filter((server) => netns === undefined || (!server.startsWith("127.") && server !== "::1"));
}

/** Our own address on the way to the server: what the kernel chooses as the source, without sending anything. */
async function addressTowards(server: string): Promise<string> {
  const { hostname: host, port } = new URL(server);
  const socket = createSocket("udp4");
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once("error", reject);
      socket.connect(Number(port || 443), host, resolve);
    });
    return socket.address().address;
  } catch (cause) {
    throw new CommandError(`Cannot choose the node's address: there is no route to ${server}, pass --node-ip`, { cause });
  } finally {
    socket.close();
  }
}

/** The link that has the node's address. */
function deviceOf(address: string): string {
  for (const [name, addresses] of Object.entries(networkInterfaces())) {
    if (addresses?.some((a) => a.address === address) === true) return name;
  }
  throw new CommandError(`Cannot use node address ${address}: no link of this machine has it, pass --node-ip`);
}
