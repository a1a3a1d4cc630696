import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { silentLog } from "#base/log.ts";
import { exec, execResult } from "#base/node/exec.ts";
import { systemClock as clock } from "#base/node/system-clock.ts";
import { clusterNames } from "#cmd/nodes/names.ts";
import { createNodeNetwork, findNodeNetwork, listClusters, removeNodeNetwork } from "#cmd/nodes/network.ts";
import type { NodeNetwork, NodePlace } from "#cmd/nodes/plan.ts";
import { removeRemains, verifyRemoved } from "#cmd/nodes/remains.ts";
import { connectCri } from "#cri/client.ts";
import { ensureImages } from "#cri/containerd/import-image.ts";
import { type ContainerdLayout, containerdLayout } from "#cri/containerd/layout.ts";
import { probeRestrictOomScoreAdj, probeSnapshotter } from "#cri/containerd/probe.ts";
import { renderContainerdConfig } from "#cri/containerd/render.ts";
import { findContainerd, startContainerd } from "#cri/containerd/start.ts";
import { stopContainerd } from "#cri/containerd/stop.ts";
import type { CriRuntime } from "#cri/contract.ts";
import { applyEgress, applyRoutes, readRoutes } from "#network/apply.ts";
import { renderCniConfig } from "#network/cni-config.ts";
import { type NodeRoutes, planRoutes } from "#network/plan.ts";
import { packImageCached } from "#oci/cache.ts";
import { kubiaImage } from "#oci/images/kubia.ts";
import { pauseImage } from "#oci/images/pause.ts";

const { signal } = new AbortController();
const cluster = `net-test-${process.pid}`;
const names = clusterNames(cluster);
const KUBIA = "docker.io/library/kubia:latest";
const CLUSTER_CIDR = "10.42.0.0/16";

interface Node extends NodePlace {
  readonly layout: ContainerdLayout;
  readonly cri: CriRuntime & AsyncDisposable;
  readonly podCidr: string;
  readonly logDir: string;
}

interface Pod {
  readonly name: string;
  readonly ip: string;
  readonly node: Node;
  readonly container: string;
}

let directory = "";
let network: NodeNetwork;
let nodes: readonly Node[] = [];
const pods = new Map<string, Pod>();

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "nv-net-"));
  network = await createNodeNetwork({ cluster, nodes: 2, egress: false, avoid: [CLUSTER_CIDR] }, signal);
  const appSource = await readFile("examples/images/kubia/app.js", "utf8");
  const cache = join(tmpdir(), "navarch-test-images");
  const archives = [
    await packImageCached(pauseImage, { directory: cache, signal }),
    await packImageCached(kubiaImage({ appSource, nodePath: process.execPath }), { directory: cache, signal }),
  ];
  const restrictOomScoreAdj = await probeRestrictOomScoreAdj(signal);
  const snapshotter = await probeSnapshotter(directory, signal);
  nodes = await Promise.all(
    network.nodes.map(async (place): Promise<Node> => {
      const dataDir = join(directory, "data", place.name);
      const runDir = join(directory, "run", place.name);
      const layout = containerdLayout({ dataDir, runDir });
      const podCidr = `10.42.${place.number}.0/24`;
      const cniConfDir = join(runDir, "cni");
      await mkdir(cniConfDir, { recursive: true });
      await writeFile(join(cniConfDir, "10-navarch.conflist"), renderCniConfig({ podCidrs: [podCidr], leaseDir: join(dataDir, "cni") }));
      const config = renderContainerdConfig({
        layout,
        sandboxImage: pauseImage.name,
        snapshotter,
        cniBinDir: "/usr/lib/cni",
        cniConfDir,
        restrictOomScoreAdj,
        registryConfigDir: join(dataDir, "registries"),
      });
      const { socket } = await startContainerd({ clock }, { layout, config, netns: place.netnsPath, env: names.environment }, signal);
      await ensureImages({ clock }, { socket, snapshotter, archives }, signal);
      return { ...place, layout, podCidr, cri: connectCri({ socketPath: socket, log: silentLog }), logDir: join(dataDir, "logs") };
    }),
  );
  const table: readonly NodeRoutes[] = nodes.map(({ name, address, podCidr }) => ({ name, addresses: [address], podCidrs: [podCidr] }));
  for (const node of nodes) await applyRoutes(planRoutes(table, node.name, [CLUSTER_CIDR]), { netns: node.netns, signal });
  const [one, two] = nodes;
  if (one === undefined || two === undefined) throw new Error("test needs two nodes");
  const made = await Promise.all([startPod("a", one), startPod("b", one), startPod("c", two)]);
  for (const pod of made) pods.set(pod.name, pod);
});

afterAll(async () => {
  for (const node of nodes) await node.cri[Symbol.asyncDispose]();
  for (const node of nodes) await stopContainerd({ clock }, node.layout, signal);
  await removeRemains({ clock }, { cluster, directories: [directory] }, signal);
  await rm(directory, { recursive: true, force: true });
});

async function startPod(name: string, node: Node): Promise<Pod> {
  const config = {
    metadata: { name, uid: `uid-${name}`, namespace: "default", attempt: 0 },
    hostname: name,
    logDirectory: join(node.logDir, name),
    dnsConfig: { servers: ["10.43.0.10"], searches: [], options: [] },
    linux: { cgroupParent: `${names.cgroup}/${node.name}/${name}` },
  };
  const sandbox = await node.cri.runPodSandbox({ config }, { signal });
  const container = await node.cri.createContainer(
    {
      podSandboxId: sandbox,
      sandboxConfig: config,
      config: { metadata: { name: "kubia", attempt: 0 }, image: { image: KUBIA }, logPath: "kubia.log" },
    },
    { signal },
  );
  await node.cri.startContainer(container, { signal });
  const { network } = await node.cri.podSandboxStatus(sandbox, { signal });
  return { name, node, container, ip: network?.ip ?? "" };
}

function pod(name: string): Pod {
  const found = pods.get(name);
  if (found === undefined) throw new Error(`no pod ${name}`);
  return found;
}

async function inPod({ node, container }: Pod, ...cmd: string[]): Promise<string> {
  const { stdout, stderr, exitCode } = await node.cri.execSync({ containerId: container, cmd, timeoutSeconds: 20 }, { signal });
  return exitCode === 0 ? Buffer.from(stdout).toString() : `exit ${exitCode}: ${Buffer.from(stderr).toString()}`;
}

const CURL = ["curl", "-sS", "--max-time", "5", "--retry", "20", "--retry-delay", "0", "--retry-connrefused"];

describe("createNodeNetwork()", () => {
  test("is found again by name and may run again", async () => {
    expect(await findNodeNetwork(cluster, signal)).toEqual(network);
    expect(await listClusters(signal)).toContain(cluster);
    expect(await createNodeNetwork({ cluster, nodes: 2, egress: false }, signal)).toEqual(network);
  });

  test("gives the nodes no way out without egress, and one with it", async () => {
    const [node] = network.nodes;
    const routeOut = async () => (await execResult(["ip", "-netns", node?.netns ?? "", "route", "get", "203.0.113.1"], { signal })).code;
    expect(await routeOut()).toBe(2);
    const other = `${cluster}-e`;
    const forwarding = await readFile("/proc/sys/net/ipv4/ip_forward", "utf8");
    try {
      const { nodes, subnet, hostAddress } = await createNodeNetwork({ cluster: other, nodes: 1, egress: true }, signal);
      expect(subnet).not.toBe(network.subnet);
      const route = await exec(["ip", "-netns", nodes[0]?.netns ?? "", "route", "get", "203.0.113.1"], { signal });
      expect(route).toContain(`via ${hostAddress}`);
    } finally {
      await removeNodeNetwork(other, signal);
    }
    expect(await verifyRemoved({ cluster: other, directories: [] }, signal)).toEqual([]);
    expect(await readFile("/proc/sys/net/ipv4/ip_forward", "utf8")).toBe(forwarding);
  });

  test("never gives two clusters made at once the same subnet", async () => {
    const clusters = [1, 2, 3].map((number) => `${cluster}-${number}`);
    try {
      const made = await Promise.all(clusters.map((cluster) => createNodeNetwork({ cluster, nodes: 1, egress: false }, signal)));
      expect(new Set([network, ...made].map(({ subnet }) => subnet)).size).toBe(4);
    } finally {
      for (const cluster of clusters) await removeNodeNetwork(cluster, signal);
    }
    const left = await Promise.all(clusters.map((cluster) => verifyRemoved({ cluster, directories: [] }, signal)));
    expect(left.flat()).toEqual([]);
  });

  test("gets its packets through a host whose iptables drop what they forward, and takes its rules back", async () => {
    // In namespaces of its own, as the rules of this host are nobody's to change.
    const script = join(directory, "dropping-host.mts");
    const source = (path: string) => JSON.stringify(new URL(`../../../src/${path}`, import.meta.url).href);
    await writeFile(
      script,
      `import { createNodeNetwork, removeNodeNetwork } from ${source("cmd/nodes/network.ts")};
      import { verifyRemoved } from ${source("cmd/nodes/remains.ts")};
      import { exec, execResult } from ${source("base/node/exec.ts")};
      const { signal } = new AbortController();
      await exec(["iptables", "-P", "FORWARD", "DROP"], { signal });
      const network = await createNodeNetwork({ cluster: "dropped", nodes: 2, egress: false }, signal);
      const [one, two] = network.nodes;
      const reaches = async () => (await execResult(["nsenter", "--net=" + one.netnsPath, "busybox", "ping", "-c", "1", "-W", "1", two.address], { signal })).code === 0;
      const withRules = await reaches();
      await exec(["iptables", "-F", "FORWARD"], { signal });
      const withoutRules = await reaches();
      await createNodeNetwork({ cluster: "dropped", nodes: 2, egress: false }, signal);
      const again = await reaches();
      const remains = await verifyRemoved({ cluster: "dropped", directories: [] }, signal);
      await removeNodeNetwork("dropped", signal);
      const left = await verifyRemoved({ cluster: "dropped", directories: [] }, signal);
      const bridged = (await execResult(["cat", "/proc/sys/net/bridge/bridge-nf-call-iptables"], { signal })).stdout.trim() === "1";
      console.log(JSON.stringify({ withRules, again, dropsWithoutRules: withoutRules === !bridged, rules: remains.filter(({ kind }) => kind === "iptables rule").length, left }));`,
    );
    const shell = 'mount -t tmpfs tmpfs /run/netns && mount --make-shared /run/netns && ip link set lo up && exec node --import tsx "$1"';
    const output = await exec(["unshare", "--net", "--mount", "sh", "-c", shell, "sh", script], { signal });
    expect(JSON.parse(output)).toEqual({ withRules: true, again: true, dropsWithoutRules: true, rules: 2, left: [] });
  });

  test("keeps the host out of the way: nodes and host reach each other", async () => {
    for (const { address } of network.nodes)
      await exec(["ping", "-c", "1", "-W", "2", address], { signal }).catch(async () => {
        await exec(["busybox", "ping", "-c", "1", "-W", "2", address], { signal });
      });
  });
});

describe("pods", () => {
  test.each([
    ["itself", "a", "a"],
    ["its neighbour on the node", "a", "b"],
    ["a pod of the other node", "a", "c"],
    ["a pod of the first node", "c", "b"],
  ])("reach %s", async (_, from, to) => {
    expect(await inPod(pod(from), ...CURL, `http://${pod(to).ip}:8080/`)).toBe(`You've hit ${to}\n`);
  });

  test("are seen by their own address on the other node", async () => {
    await inPod(pod("a"), ...CURL, `http://${pod("c").ip}:8080/`);
    expect(await readFile(join(pod("c").node.logDir, "c", "kubia.log"), "utf8")).toContain(`Received request from ::ffff:${pod("a").ip}`);
  });

  test("are reached by their nodes, from either", async () => {
    for (const { netnsPath } of nodes) {
      const answer = await exec(["nsenter", `--net=${netnsPath}`, "curl", "-sS", "--max-time", "5", `http://${pod("b").ip}:8080/`], {
        signal,
      });
      expect(answer).toBe("You've hit b\n");
    }
  });

  test("get translated answers from a neighbour behind a service address (docs/adr/0001)", async () => {
    const { node, ip } = pod("b");
    const rules = `table ip service-test {
      chain pre { type nat hook prerouting priority dstnat; ip daddr 10.43.0.77 tcp dport 80 dnat to ${ip}:8080; }
      chain post { type nat hook postrouting priority srcnat; ip saddr ${ip} ip daddr ${ip} masquerade; }
    }`;
    await exec(["nsenter", `--net=${node.netnsPath}`, "nft", "-f", "-"], { signal, input: rules });
    expect(await inPod(pod("a"), ...CURL, "http://10.43.0.77/")).toBe("You've hit b\n");
    expect(await inPod(pod("b"), ...CURL, "http://10.43.0.77/")).toBe("You've hit b\n"); // hairpin
    await exec(["nsenter", `--net=${node.netnsPath}`, "nft", "delete", "table", "ip", "service-test"], { signal });
  });

  test("are refused at once what does not exist in the cluster's range", async () => {
    expect(await inPod(pod("a"), "curl", "-sS", "--max-time", "5", "http://10.42.200.1:8080/")).toMatch(
      /exit 7: .*(?:No route to host|unreachable|Couldn't connect)/,
    );
  });

  test("resolve names by their resolv.conf and hosts file", async () => {
    expect(await inPod(pod("a"), "cat", "/etc/resolv.conf")).toBe("nameserver 10.43.0.10\n");
    expect(await inPod(pod("a"), "sh", "-c", "echo '127.0.0.1 me.test' >> /etc/hosts; curl -sS --max-time 5 http://me.test:8080/")).toBe(
      "You've hit a\n",
    );
    const lookup = "require('dns').lookup('me.test',(e,a)=>console.log(e?e.code:a))";
    expect(await inPod(pod("a"), "node", "-e", lookup)).toBe("127.0.0.1\n");
  });
});

describe("applyRoutes()", () => {
  test("changes nothing twice, removes what went, leaves others' routes alone and reports refusals", async () => {
    const [one] = nodes;
    const options = { netns: one?.netns ?? "", signal };
    const before = await readRoutes(options);
    expect(before).toHaveLength(2);
    expect(await applyRoutes(before, options)).toEqual({ changed: 0, refused: [] });
    await exec(["ip", "-netns", options.netns, "route", "add", "10.99.0.0/24", "via", network.hostAddress], { signal });
    const bad = { family: 4, destination: "10.42.9.0/24", gateway: "203.0.113.9" } as const;
    expect(await applyRoutes([bad], options)).toEqual({
      changed: 2,
      refused: [{ change: { do: "replace", route: bad }, because: "gateway is not on a connected network" }],
    });
    expect(await readRoutes(options)).toEqual([]);
    expect(await exec(["ip", "-netns", options.netns, "route", "show", "10.99.0.0/24"], { signal })).toContain("10.99.0.0/24 via");
    await exec(["ip", "-netns", options.netns, "route", "delete", "10.99.0.0/24"], { signal });
    expect(await applyRoutes(before, options)).toEqual({ changed: 2, refused: [] });
  });

  test("applyEgress() makes its table, replaces it and takes it away", async () => {
    const [one] = nodes;
    const options = { netns: one?.netns ?? "", signal };
    const tables = () => exec(["nsenter", `--net=${one?.netnsPath ?? ""}`, "nft", "list", "ruleset"], { signal });
    const egress = { podCidrs: [one?.podCidr ?? ""], withoutNat: [CLUSTER_CIDR, network.subnet] };
    await applyEgress(egress, options);
    const once = await tables();
    await applyEgress(egress, options);
    expect(await tables()).toBe(once);
    expect(once).toContain("masquerade");
    await applyEgress(undefined, options);
    expect(await tables()).not.toContain("masquerade");
  });
});

describe("a running node", () => {
  test("C2: is adopted, and its containers survive a restart of the daemon", async () => {
    const { node, container } = pod("a");
    const first = await findContainerd(node.layout);
    const config = await readFile(node.layout.config, "utf8");
    const options = { layout: node.layout, netns: node.netnsPath, env: names.environment };
    expect(await startContainerd({ clock }, { ...options, config }, signal)).toMatchObject({ pid: first?.pid, adopted: true });
    const restarted = await startContainerd({ clock }, { ...options, config: `${config}\n` }, signal);
    expect(restarted).toMatchObject({ adopted: false });
    expect(restarted.pid).not.toBe(first?.pid);
    expect(await inPod(pod("c"), ...CURL, `http://${pod("a").ip}:8080/`)).toBe("You've hit a\n");
    await expect
      .poll(async () => (await node.cri.containerStatus(container, { signal })).state, { timeout: 10_000 })
      .toBe("CONTAINER_RUNNING");
  });
});

describe("teardown", () => {
  test("verifyRemoved() lists what is there; after stop and removal nothing is", async () => {
    const directories = [directory];
    const kinds = new Set((await verifyRemoved({ cluster, directories }, signal)).map(({ kind }) => kind));
    expect([...kinds].sort()).toEqual(["cgroup", "link", "mount", "namespace", "nftables table", "process"]);
    const [one, two] = nodes;
    if (one === undefined || two === undefined) throw new Error("test needs two nodes");
    await stopContainerd({ clock }, one.layout, signal);
    expect(await findContainerd(one.layout)).toBeUndefined();
    // Node two is not stopped: removeRemains must cope with a cluster as a crash leaves it.
    expect(await removeRemains({ clock }, { cluster, directories }, signal)).toEqual([]);
    expect((await readdir("/run/netns")).filter((name) => name.startsWith(`navarch-${cluster}`))).toEqual([]);
    await stopContainerd({ clock }, two.layout, signal); // its files, though its processes are gone
    expect(await readdir(join(directory, "run", "node-2"))).toEqual(["cni", "containerd.toml"]);
    expect(await removeRemains({ clock }, { cluster, directories }, signal)).toEqual([]);
  });
});
