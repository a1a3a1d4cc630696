#!/usr/bin/env node
import { Command, InvalidArgumentError, Option } from "commander";
import { systemClock } from "#base/node/system-clock.ts";
import type { ProxyMode } from "#proxy/modes.ts";
import type { AgentFlags } from "./agent.ts";
import { CommandError, DEFAULT_NAME, placeOf, rootsOf } from "./cluster.ts";
import { createProgress } from "./progress.ts";
import type { ServerFlags } from "./server.ts";
import { EXIT_CONFIG } from "./supervise.ts";

const isRoot = process.getuid?.() === 0;
const roots = rootsOf(process.env, isRoot);
const clock = systemClock;
const stop = new AbortController();
for (const name of ["SIGTERM", "SIGINT", "SIGHUP"] as const) process.on(name, () => stop.abort());
const { signal } = stop;

const nameOption = () => new Option("--name <name>", "name of the cluster").default(DEFAULT_NAME).argParser(clusterName);
const kubeconfigOption = () =>
  new Option("--kubeconfig <file>", 'kubeconfig that gets the context ("" for none)').default(undefined, "$KUBECONFIG or ~/.kube/config");

const cli = new Command("navarch")
  .enablePositionalOptions()
  .description("Kubernetes in TypeScript: a real multi-node cluster with one command")
  .version(process.env["NAVARCH_VERSION"] ?? "0.0.0")
  .showHelpAfterError("(run with --help for all flags)")
  .addHelpText(
    "after",
    "\nExamples:\n  navarch up --nodes 3        make a cluster of three nodes, each in its own network namespace\n  kubectl get nodes -o wide   use it with your own kubectl\n  navarch down                remove it, and check that nothing is left\n",
  );

cli
  .command("up")
  .description("make a cluster on this machine, or continue one; returns when its nodes are Ready")
  .addOption(nameOption())
  .addOption(new Option("--nodes <count>", "number of nodes (default: 2)").argParser(nodeCount))
  .addOption(new Option("--egress <on|off>", "whether nodes and pods can leave this machine (default: off)").choices(["on", "off"]))
  .addOption(
    new Option("--proxy-mode <mode>", "how Services are routed: nftables, iptables or userspace (default: the best that works)").argParser(
      proxyMode,
    ),
  )
  .addOption(kubeconfigOption())
  .option("--simulate", "nodes without containers: needs neither root nor containerd", false)
  .option("--install", "install missing Debian packages with apt-get", false)
  .action(
    async (flags: {
      name: string;
      nodes?: number;
      egress?: "on" | "off";
      proxyMode?: ProxyMode;
      kubeconfig?: string;
      simulate: boolean;
      install: boolean;
    }) => {
      const { up } = await import("./up.ts");
      const { name, nodes, egress, proxyMode: mode, simulate, install } = flags;
      const options = {
        name,
        nodes,
        egress: egress === undefined ? undefined : egress === "on",
        proxyMode: mode,
        simulate,
        install,
        kubeconfig: await kubeconfigFile(flags.kubeconfig),
      };
      await up(options, { roots, progress: progress(), clock }, signal);
    },
  );

cli
  .command("down")
  .description("remove a cluster with everything it made, and verify it")
  .addOption(nameOption())
  .addOption(kubeconfigOption())
  .option("--keep", "keep the state directory, so that a later `up` continues the cluster", false)
  .action(async (flags: { name: string; keep: boolean; kubeconfig?: string }) => {
    const { down } = await import("./down.ts");
    await down({ ...flags, kubeconfig: await kubeconfigFile(flags.kubeconfig) }, { roots, progress: progress(), clock, isRoot }, signal);
  });

cli
  .command("status")
  .description("show what runs; exits 1 when something does not")
  .addOption(nameOption())
  .option("--all", "one line for each cluster of this machine", false)
  .action(async (flags: { name: string; all: boolean }) => {
    const { clusterStatus, formatStatus, isHealthy, listStatus } = await import("./status.ts");
    if (flags.all) return void process.stdout.write(`${(await listStatus(roots)).join("\n") || "no clusters"}\n`);
    const status = await clusterStatus(placeOf(roots, flags.name), clock, signal);
    process.stdout.write(`${formatStatus(status)}\n`);
    if (!isHealthy(status)) process.exitCode = 1;
  });

cli
  .command("kubeconfig")
  .description("print the admin's kubeconfig, or merge it into a file")
  .addOption(nameOption())
  .option("--merge <file>", "merge as context navarch-<name> instead of printing")
  .action(async (flags: { name: string; merge?: string }) => {
    const place = placeOf(roots, flags.name);
    const [{ requireCluster }, { readFile }] = await Promise.all([import("./cluster.ts"), import("node:fs/promises")]);
    await requireCluster(place);
    if (flags.merge === undefined) return void process.stdout.write(await readFile(place.kubeconfig, "utf8"));
    await (await import("./up.ts")).mergeContext(place, flags.merge, { clock, signal });
  });

cli
  .command("load")
  .description("bring an image archive (docker save, OCI layout) into every node")
  .argument("<archive>", "image archive, plain or gzip")
  .addOption(nameOption())
  .action(async (archive: string, flags: { name: string }) => {
    const { loadImage } = await import("./load.ts");
    const { resolve } = await import("node:path");
    const names = await loadImage(placeOf(roots, flags.name), resolve(archive), { progress: progress(), clock }, signal);
    process.stdout.write(`${names.join("\n")}\n`);
  });

cli
  .command("node")
  .description("run a program in a node's network, as a process of that node would")
  .argument("<node>", "node name, such as node-1")
  .argument("<program...>", "the program and its arguments, after --")
  .addOption(nameOption())
  .passThroughOptions()
  .action(async (node: string, argv: string[], flags: { name: string }) => {
    process.exitCode = await (await import("./node-exec.ts")).runOnNode(
      placeOf(roots, flags.name),
      node,
      argv[0] === "--" ? argv.slice(1) : argv,
      signal,
    );
  });

cli
  .command("image")
  .description("pack the built-in images, or print where they are")
  .action(async () => {
    const { packBuiltinImages } = await import("./up.ts");
    for (const { name, archivePath } of await packBuiltinImages(roots, signal)) process.stdout.write(`${name} ${archivePath}\n`);
  });

const networkOptions = (command: Command) =>
  command
    .option("--cluster-cidr <cidr>", "range of pod addresses", "10.42.0.0/16")
    .option("--service-cidr <cidr>", "range of Service addresses", "10.43.0.0/16")
    .option("--cluster-dns <ip>", "address of the cluster's DNS", "10.43.0.10")
    .option("--cluster-domain <domain>", "domain of the cluster", "cluster.local");

networkOptions(
  cli
    .command("server")
    .description("run the control plane: API server, controllers, scheduler")
    .option("--data-dir <dir>", "certificates and store", `${roots.state}/server`)
    .option("--bind-address <ip,...>", "addresses to listen on", "0.0.0.0")
    .option("--advertise-address <ip>", "address that nodes and pods reach the server by (default: this machine's first)")
    .addOption(new Option("--port <port>", "port of the API server").default(6443).argParser(portNumber))
    .option("--join-token-file <file>", "token by which agents join, made when missing (default: <data-dir>/join-token)")
    .option("--kubeconfig <file>", "write the admin's kubeconfig here (default: <data-dir>/kubeconfig)")
    .addOption(new Option("--store <store>", "where state is kept").choices(["lmdb", "memory"]).default("lmdb"))
    .addOption(new Option("--simulate-nodes <count>", "also run this many simulated nodes").default(0).argParser(nodeCountOrNone))
    .addOption(new Option("--log-level <level>").choices(["debug", "info", "warn", "error"]).default("info")),
).action(async (flags: ServerFlags) => (await import("./server.ts")).runServer(flags, signal));

networkOptions(
  cli
    .command("agent")
    .description("run a node: kubelet, service proxy, pod network, DNS")
    .requiredOption("--server <url>", "the API server, such as https://192.0.2.1:6443")
    .option("--token <token>", "join token, needed for the first start")
    .option("--token-file <file>", "file that holds the join token")
    .option("--ca-file <file>", "certificate of the cluster's CA")
    .option("--ca-hash <sha256:hex>", "hash of the CA's public key, to trust a CA fetched from the server")
    .option("--node-name <name>", "name of the node (default: this machine's hostname)")
    .option("--node-ip <ip>", "address of the node (default: that of the route to the server)")
    .option("--data-dir <dir>", "images, volumes, logs, certificates", `${roots.state}/agent`)
    .option("--run-dir <dir>", "sockets and pid files", `${roots.run}/agent`)
    .option("--container-runtime-endpoint <socket>", "use this CRI socket instead of a containerd of our own")
    .option("--cgroup-root <path>", "cgroup below which pods live", "/navarch")
    .option("--netns <file>", "network namespace this node lives in")
    .addOption(
      new Option(
        "--proxy-mode <mode>",
        "how Services are routed: nftables, iptables or userspace (default: the best that works)",
      ).argParser(proxyMode),
    )
    .option(
      "--image <name=digest=archive...>",
      "packed images to bring in",
      (value: string, before: string[]) => [...before, value],
      [] as string[],
    )
    .option("--image-seed <dir>", "containerd root to begin with, as `up` prepares it")
    .addOption(new Option("--log-level <level>").choices(["debug", "info", "warn", "error"]).default("info")),
).action(async (flags: AgentFlags) => (await import("./agent.ts")).runAgent(flags, signal));

try {
  await cli.parseAsync();
} catch (cause) {
  process.exitCode = report(cause);
}
if (signal.aborted) process.exit();

/** One clear line for what the user can mend; the stack for what only we can. */
function report(cause: unknown): number {
  if (signal.aborted) return 130;
  const chain = process.env["NAVARCH_DEBUG"] === undefined ? "" : `\n${cause instanceof Error ? cause.stack : ""}`;
  if (cause instanceof CommandError || (cause instanceof Error && cause.message.startsWith("Cannot "))) {
    process.stderr.write(`navarch: ${cause.message}${chain}\n`);
    return ["server", "agent"].includes(process.argv[2] ?? "") && cause instanceof CommandError ? EXIT_CONFIG : 1;
  }
  process.stderr.write(`navarch: internal error: ${cause instanceof Error ? (cause.stack ?? cause.message) : String(cause)}\n`);
  return 70;
}

function progress() {
  return createProgress(process.stderr, () => clock.now());
}

async function kubeconfigFile(flag: string | undefined): Promise<string> {
  return flag ?? (await import("#client/kubeconfig.ts")).kubeconfigPath(process.env);
}

function clusterName(text: string): string {
  if (!/^[a-z0-9]([a-z0-9-]{0,28}[a-z0-9])?$/.test(text))
    throw new InvalidArgumentError("Wanted 1 to 30 lower-case letters, digits and hyphens.");
  return text;
}

function nodeCount(text: string): number {
  const count = Number(text);
  if (!Number.isInteger(count) || count < 1 || count > 250) throw new InvalidArgumentError("Wanted a number from 1 to 250.");
  return count;
}

function nodeCountOrNone(text: string): number {
  return text === "0" ? 0 : nodeCount(text);
}

function portNumber(text: string): number {
  const port = Number(text);
  if (!Number.isInteger(port) || port < 1 || port > 65_535) throw new InvalidArgumentError("Wanted a port from 1 to 65535.");
  return port;
}

function proxyMode(text: string): ProxyMode {
  const known = (["nftables", "iptables", "userspace"] as const).find((mode) => mode === text);
  if (known !== undefined) return known;
  if (text === "ipvs")
    throw new InvalidArgumentError("Mode ipvs needs the kernel's ip_vs and is not built yet; wanted nftables, iptables or userspace.");
  throw new InvalidArgumentError("Wanted nftables, iptables or userspace.");
}
