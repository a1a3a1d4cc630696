import { access, mkdir, readFile, stat } from "node:fs/promises";
import { createServer } from "node:net";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Clock } from "#base/clock.ts";
import { hasCode } from "#base/node/files.ts";
import { mergeKubeconfig, readKubeconfig } from "#client/kubeconfig.ts";
import type { PackedArchive } from "#cri/containerd/import-image.ts";
import { probeSnapshotter } from "#cri/containerd/probe.ts";
import { prepareSeed } from "#cri/containerd/seed.ts";
import { builtinImages, requiredPackages } from "#oci/images/registry.ts";
import { packImageCached } from "#oci/cache.ts";
import type { ProxyMode } from "#proxy/modes.ts";
import {
  CLUSTER_DEFAULTS,
  type ClusterConfig,
  type ClusterPlace,
  CommandError,
  type Roots,
  nameFlag,
  placeOf,
  readClusterConfig,
  writeClusterConfig,
} from "./cluster.ts";
import { ensureClusterCa, ensureJoinToken } from "./identity.ts";
import { nodeClient, waitForNodes, waitForServer } from "./wait.ts";
import { absentPackages, installPackages, missingPackages } from "./nodes/install.ts";
import { clusterNames } from "./nodes/names.ts";
import { createNodeNetwork } from "./nodes/network.ts";
import { checkMachine } from "./nodes/preflight.ts";
import { clientPrograms, nodePrograms } from "./nodes/programs.ts";
import type { Progress } from "./progress.ts";
import { startSupervised } from "./supervise.ts";

export interface UpOptions {
  readonly name: string;
  readonly nodes: number | undefined;
  readonly egress: boolean | undefined;
  readonly proxyMode: ProxyMode | undefined;
  readonly simulate: boolean;
  /** Install missing Debian packages instead of naming them. */
  readonly install: boolean;
  /** File that gets the context; "" leaves kubeconfigs alone. */
  readonly kubeconfig: string;
}

export interface UpDeps {
  readonly roots: Roots;
  readonly progress: Progress;
  readonly clock: Clock;
}

const READY_WITHIN_MS = 90_000;
const DEFAULT_NODES = 2;
const API_PORT = 6443;

/** Makes a cluster, or continues one that is there: what runs stays, what does not is started. Resolves when all nodes are Ready. */
export async function up(options: UpOptions, { roots, progress, clock }: UpDeps, signal: AbortSignal): Promise<ClusterConfig> {
  const place = placeOf(roots, options.name);
  const known = await readClusterConfig(place);
  const config = await decideConfig(options, known);
  const before = clock.now();

  if (!config.simulate) await progress.step("Check this machine", () => prepareMachine(options, roots, progress, signal));
  await mkdir(place.state, { recursive: true, mode: 0o700 });
  await mkdir(place.run, { recursive: true, mode: 0o700 });
  await writeClusterConfig(place, config);
  await Promise.all([ensureClusterCa(place.server, clock), ensureJoinToken(place.joinToken)]);

  const started = config.simulate
    ? await startSimulated(config, place, progress)
    : await startReal(config, place, { roots, progress, clock }, signal);

  const access = await progress.step("Wait for the API server", () => waitForServer(place, { clock, withinMs: READY_WITHIN_MS }, signal));
  if (options.kubeconfig !== "") await mergeContext(place, options.kubeconfig, { clock, signal });
  await using client = nodeClient(access, clock);
  await progress.step(`Wait for ${config.nodes} node${config.nodes === 1 ? "" : "s"} to be Ready`, () =>
    waitForNodes(client, { count: config.nodes, started, since: before }, place, { clock, withinMs: READY_WITHIN_MS }, signal),
  );
  progress.note(
    `Cluster "${config.name}" is up after ${((clock.now() - before) / 1000).toFixed(1)} s. kubectl context: navarch-${config.name}`,
  );
  return config;
}

async function decideConfig(options: UpOptions, known: ClusterConfig | undefined): Promise<ClusterConfig> {
  const { name, nodes, egress, proxyMode, simulate } = options;
  if (known !== undefined) {
    const remake = `run "navarch down${nameFlag(name)}" first to make it anew`;
    if (simulate !== known.simulate && simulate)
      throw new CommandError(`Cannot simulate cluster "${name}": its nodes run containers, ${remake}`);
    if (nodes !== undefined && nodes < known.nodes)
      throw new CommandError(
        `Cannot shrink cluster "${name}" to ${nodes} nodes: it has ${known.nodes}, drain and delete nodes with kubectl, or ${remake}`,
      );
    return { ...known, nodes: nodes ?? known.nodes, egress: egress ?? known.egress, proxyMode: proxyMode ?? known.proxyMode };
  }
  return {
    name,
    nodes: nodes ?? DEFAULT_NODES,
    egress: egress ?? false,
    proxyMode,
    simulate,
    port: simulate ? await freePort() : API_PORT,
    ...CLUSTER_DEFAULTS,
  };
}

/** Installs what is missing when asked to; otherwise the first problem is the command's error. */
async function prepareMachine({ install }: UpOptions, roots: Roots, progress: Progress, signal: AbortSignal): Promise<void> {
  if (install) {
    const images = requiredPackages(await demoImages());
    const packages = [
      ...new Set([...(await missingPackages([...nodePrograms, ...clientPrograms])), ...(await absentPackages(images, signal))]),
    ];
    await installPackages(packages, { report: (line) => progress.note(`   ${line}`), signal });
  }
  const [problem] = await checkMachine({ programs: nodePrograms, stateDir: roots.state }, signal);
  if (problem === undefined) return;
  const hint = problem.kind === "missing programs" && !install ? '; or run "navarch up --install"' : "";
  throw new CommandError(`${problem.message}${hint}`);
}

async function demoImages() {
  return builtinImages({ appSource: await readFile(await kubiaSource(), "utf8"), nodePath: process.execPath });
}

/** Packed images for all nodes; found again unchanged on the next start. */
export async function packBuiltinImages(roots: Roots, signal: AbortSignal): Promise<readonly PackedArchive[]> {
  const directory = join(roots.cache, "images");
  return Promise.all((await demoImages()).map((image) => packImageCached(image, { directory, signal })));
}

/** A ready-made containerd root; undefined where nodes' state lies on another file system and each must import by itself. */
async function seedFor(
  archives: readonly PackedArchive[],
  {
    place,
    roots,
    clock,
    env,
  }: { readonly place: ClusterPlace; readonly roots: Roots; readonly clock: Clock; readonly env: Readonly<Record<string, string>> },
  signal: AbortSignal,
): Promise<string | undefined> {
  const directory = join(roots.cache, "seeds");
  await mkdir(directory, { recursive: true });
  const [cache, state] = await Promise.all([stat(directory), stat(place.state)]);
  if (cache.dev !== state.dev) return undefined;
  const snapshotter = await probeSnapshotter(place.state, signal);
  return prepareSeed({ clock }, { directory, archives, snapshotter, env }, signal);
}

async function startReal(
  config: ClusterConfig,
  place: ClusterPlace,
  { roots, progress, clock }: UpDeps,
  signal: AbortSignal,
): Promise<ReadonlySet<string>> {
  const network = await progress.step(`Lay the network of ${config.nodes} node${config.nodes === 1 ? "" : "s"}`, () =>
    createNodeNetwork(
      { cluster: config.name, nodes: config.nodes, egress: config.egress, avoid: [config.clusterCidr, config.serviceCidr] },
      signal,
    ),
  );
  const env = clusterNames(config.name).environment;
  await startSupervised({
    record: join(place.run, "server.pid"),
    log: join(place.logs, "server.log"),
    env,
    argv: [process.execPath, program(), "server", ...serverFlags(config, place, [network.hostAddress], network.hostAddress)],
  });
  const archives = await progress.step("Pack images from programs of this machine", () => packBuiltinImages(roots, signal));
  const seed = await progress.step("Unpack them once for all nodes", () => seedFor(archives, { place, roots, clock, env }, signal));
  const started = new Set<string>();
  for (const node of network.nodes) {
    const isNew = await startSupervised({
      record: join(place.run, `agent-${node.name}.pid`),
      log: join(place.logs, `agent-${node.name}.log`),
      env,
      argv: [
        "nsenter",
        `--net=${node.netnsPath}`,
        process.execPath,
        program(),
        "agent",
        ...flagList({
          server: `https://${network.hostAddress}:${config.port}`,
          "ca-file": join(place.server, "pki", "ca.crt"),
          "token-file": place.joinToken,
          "node-name": node.name,
          "node-ip": node.address,
          "data-dir": place.nodeState(node.name),
          "run-dir": place.nodeRun(node.name),
          "cgroup-root": `/${clusterNames(config.name).cgroup}/${node.name}`,
          netns: node.netnsPath,
          "proxy-mode": config.proxyMode,
          "image-seed": seed,
          ...networkFlags(config),
        }),
        ...archives.flatMap(({ name, archivePath, manifestDigest }) => ["--image", `${name}=${manifestDigest}=${archivePath}`]),
      ],
    });
    if (isNew) started.add(node.name);
  }
  return started;
}

async function startSimulated(config: ClusterConfig, place: ClusterPlace, progress: Progress): Promise<ReadonlySet<string>> {
  progress.note("Nodes are simulated: pods run no containers, and their addresses carry no packets");
  const isNew = await startSupervised({
    record: join(place.run, "server.pid"),
    log: join(place.logs, "server.log"),
    env: {},
    argv: [process.execPath, program(), "server", ...serverFlags(config, place, ["127.0.0.1"]), "--simulate-nodes", String(config.nodes)],
  });
  return new Set(isNew ? Array.from({ length: config.nodes }, (_, i) => `node-${i + 1}`) : []);
}

function serverFlags(config: ClusterConfig, place: ClusterPlace, bind: readonly string[], advertise?: string): string[] {
  return flagList({
    "data-dir": place.server,
    "bind-address": bind.join(","),
    "advertise-address": advertise,
    port: String(config.port),
    "join-token-file": place.joinToken,
    kubeconfig: place.kubeconfig,
    ...networkFlags(config),
  });
}

function networkFlags({ clusterCidr, serviceCidr, clusterDns, domain }: ClusterConfig) {
  return { "cluster-cidr": clusterCidr, "service-cidr": serviceCidr, "cluster-dns": clusterDns, "cluster-domain": domain };
}

/** `{ port: "1" }` -> `--port 1`; what is undefined is left out. */
function flagList(flags: Readonly<Record<string, string | undefined>>): string[] {
  return Object.entries(flags).flatMap(([name, value]) => (value === undefined ? [] : [`--${name}`, value]));
}

/** Writes the admin's access into the user's kubeconfig as context `navarch-<name>`. */
export async function mergeContext(
  place: ClusterPlace,
  file: string,
  deps: { readonly clock: Clock; readonly signal: AbortSignal },
): Promise<void> {
  const { server, credentials } = await readKubeconfig(place.kubeconfig);
  const { ca, cert, key } = credentials;
  if (ca === undefined || cert === undefined || key === undefined)
    throw new CommandError(
      `Cannot read ${place.kubeconfig}: it has no client certificate, run "navarch down${nameFlag(place.name)}" and make the cluster anew`,
    );
  await mergeKubeconfig(file, { name: `navarch-${place.name}`, server, ca, user: { cert, key } }, deps);
}

/** The program that this code belongs to: every module of it is bundled into the same folder. */
export function program(): string {
  return join(dirname(fileURLToPath(import.meta.url)), "navarch.js");
}

/** The demo's server, beside the bundle in a package and two folders up in the sources. */
async function kubiaSource(): Promise<string> {
  const here = dirname(fileURLToPath(import.meta.url));
  for (const candidate of [join(here, "../examples/images/kubia/app.js"), join(here, "../../examples/images/kubia/app.js")]) {
    try {
      await access(candidate);
      return candidate;
    } catch (cause) {
      if (!hasCode(cause, "ENOENT")) throw cause;
    }
  }
  throw new CommandError("Cannot pack the kubia image: examples/images/kubia/app.js is missing, reinstall navarch");
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => server.once("error", reject).listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === "string")
    throw new CommandError("Cannot choose a port for the API server: the system gave none");
  return address.port;
}
