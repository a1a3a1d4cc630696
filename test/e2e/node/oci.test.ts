import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pack } from "tar-stream";
import { afterAll, beforeAll, expect, test } from "vitest";
import { silentLog } from "#base/log.ts";
import { systemClock as clock } from "#base/node/system-clock.ts";
import { clusterNames } from "#cmd/nodes/names.ts";
import { createNodeNetwork } from "#cmd/nodes/network.ts";
import { removeRemains } from "#cmd/nodes/remains.ts";
import { connectCri } from "#cri/client.ts";
import { ensureImages, importImage } from "#cri/containerd/import-image.ts";
import { type ContainerdLayout, containerdLayout } from "#cri/containerd/layout.ts";
import { mountsBelow } from "#cri/containerd/mounts.ts";
import { probeRestrictOomScoreAdj, probeSnapshotter } from "#cri/containerd/probe.ts";
import { renderContainerdConfig, type Snapshotter } from "#cri/containerd/render.ts";
import { plantSeed, prepareSeed } from "#cri/containerd/seed.ts";
import { startContainerd } from "#cri/containerd/start.ts";
import { stopContainerd } from "#cri/containerd/stop.ts";
import type { CriRuntime } from "#cri/contract.ts";
import { renderCniConfig } from "#network/cni-config.ts";
import { inspectArchive } from "#oci/archive.ts";
import { type CachedImage, packImageCached } from "#oci/cache.ts";
import { pauseImage } from "#oci/images/pause.ts";
import { builtinImages } from "#oci/images/registry.ts";
import { packImage } from "#oci/pack.ts";
import type { ImageSpec } from "#oci/spec.ts";

const { signal } = new AbortController();
const cluster = `oci-test-${process.pid}`;
const names = clusterNames(cluster);

let directory = "";
let images: readonly CachedImage[] = [];
let snapshotter: Snapshotter = "native";
let layout: ContainerdLayout;
let cri: CriRuntime & AsyncDisposable;
let planted = false;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "nv-oci-"));
  snapshotter = await probeSnapshotter(directory, signal);
  const appSource = await readFile("examples/images/kubia/app.js", "utf8");
  const cache = join(tmpdir(), "navarch-test-images");
  const packed: CachedImage[] = [];
  for (const spec of builtinImages({ appSource, nodePath: process.execPath }))
    packed.push(await packImageCached(spec, { directory: cache, signal }));
  images = packed;

  const { nodes } = await createNodeNetwork({ cluster, nodes: 1, egress: false }, signal);
  const [node] = nodes;
  if (node === undefined) throw new Error("test needs a node");
  layout = containerdLayout({ dataDir: join(directory, "data"), runDir: join(directory, "run") });
  const cniConfDir = join(directory, "run", "cni");
  await mkdir(cniConfDir, { recursive: true });
  await writeFile(
    join(cniConfDir, "10-navarch.conflist"),
    renderCniConfig({ podCidrs: ["10.42.1.0/24"], leaseDir: join(directory, "leases") }),
  );
  const seed = await prepareSeed(
    { clock },
    { directory: join(directory, "seeds"), archives: images, snapshotter, env: names.environment },
    signal,
  );
  planted = await plantSeed(seed, layout, signal);
  const config = renderContainerdConfig({
    layout,
    sandboxImage: pauseImage.name,
    snapshotter,
    cniBinDir: "/usr/lib/cni",
    cniConfDir,
    restrictOomScoreAdj: await probeRestrictOomScoreAdj(signal),
    registryConfigDir: join(directory, "registries"),
  });
  const { socket } = await startContainerd({ clock }, { layout, config, netns: node.netnsPath, env: names.environment }, signal);
  cri = connectCri({ socketPath: socket, log: silentLog });
});

afterAll(async () => {
  await cri?.[Symbol.asyncDispose]();
  if (layout !== undefined) await stopContainerd({ clock }, layout, signal);
  const left = await removeRemains({ clock }, { cluster, directories: [directory] }, signal);
  await rm(directory, { recursive: true, force: true });
  expect(left).toEqual([]);
});

/** Starts a container from the image in a pod of its own; ends it with `exec` when the test is done. */
async function run(image: string, overrides: { command?: readonly string[]; args?: readonly string[] } = {}) {
  const name = `p-${createHash("sha256")
    .update(image + JSON.stringify(overrides))
    .digest("hex")
    .slice(0, 8)}`;
  const sandboxConfig = {
    metadata: { name, uid: name, namespace: "default", attempt: 0 },
    hostname: name,
    logDirectory: join(directory, "logs", name),
    linux: { cgroupParent: `${names.cgroup}/${name}` },
  };
  const podSandboxId = await cri.runPodSandbox({ config: sandboxConfig }, { signal });
  const config = { metadata: { name: "main", attempt: 0 }, image: { image }, logPath: "main.log", ...overrides };
  const id = await cri.createContainer({ podSandboxId, sandboxConfig, config }, { signal });
  await cri.startContainer(id, { signal });
  return {
    id,
    name,
    log: join(sandboxConfig.logDirectory, "main.log"),
    async exec(...cmd: string[]) {
      const { stdout, stderr, exitCode } = await cri.execSync({ containerId: id, cmd, timeoutSeconds: 20 }, { signal });
      return { code: exitCode, out: Buffer.from(stdout).toString(), err: Buffer.from(stderr).toString() };
    },
    async [Symbol.asyncDispose]() {
      await cri.stopPodSandbox(podSandboxId, { signal });
      await cri.removePodSandbox(podSandboxId, { signal });
    },
  };
}

test("a planted node lists every built-in image by its name and id, and imports none", async () => {
  expect(planted).toBe(true);
  for (const { name, configDigest } of images) {
    expect(await cri.imageStatus({ image: name }, { signal })).toMatchObject({ id: configDigest, repoTags: [name] });
  }
  expect(await ensureImages({ clock }, { socket: layout.socket, snapshotter, archives: images }, signal)).toEqual([]);
});

test("kubia answers, has its tools, and ends on SIGTERM by itself", async () => {
  await using kubia = await run("kubia");
  const { out } = await kubia.exec("sh", "-c", "until wget -q -O - http://127.0.0.1:8080/; do usleep 20000; done 2>/dev/null");
  expect(out).toBe(`You've hit ${kubia.name}\n`);
  expect(await kubia.exec("curl", "-sS", "http://localhost:8080/")).toEqual({ code: 0, out: `You've hit ${kubia.name}\n`, err: "" });
  expect((await kubia.exec("ip", "-4", "addr", "show", "dev", "eth0")).out).toContain("inet 10.42.1.");
  expect((await kubia.exec("ps")).out).toContain("node /app.js");
  expect((await kubia.exec("id")).out).toBe("uid=0(root) gid=0(root) groups=0(root)\n");
  await cri.stopContainer({ containerId: kubia.id, timeoutSeconds: 20 }, { signal });
  expect(await cri.containerStatus(kubia.id, { signal })).toMatchObject({ state: "CONTAINER_EXITED", exitCode: 0 });
  expect(await readFile(kubia.log, "utf8")).toContain("stdout F Received SIGTERM, closing\n");
});

test.each(["busybox", "toolbox"])("%s keeps a shell for what is given to it", async (image) => {
  await using box = await run(image, { command: ["sleep"], args: ["1000"] });
  expect(await box.exec("sh", "-c", "echo a b | awk '{print $2}' && ls -d /tmp /root")).toEqual({
    code: 0,
    out: "b\n/root\n/tmp\n",
    err: "",
  });
  expect((await box.exec("nslookup", "-timeout=1", "x.test", "127.0.0.1")).code).toBe(1);
});

test("programs of installed Debian packages run with their libraries", async () => {
  const spec: ImageSpec = {
    name: "docker.io/library/packages:v1",
    requires: ["grep"],
    packages: ["grep"],
    trees: [{ from: "/usr/share/base-files", path: "/srv/files", exclude: ["motd"] }],
    busybox: ["sh", "ls", "sleep"],
    files: [{ kind: "content", path: "/greeting", content: "hello\nworld\n" }],
    config: { cmd: ["sleep", "1000"], user: "1000:1000", env: { PLACE: "here" }, workingDir: "/srv" },
  };
  const { archivePath, configDigest } = await packImage(spec, { archivePath: join(directory, "packages.tar"), signal });
  await importImage({ clock }, { socket: layout.socket, snapshotter, archivePath }, signal);
  expect(await cri.imageStatus({ image: "packages:v1" }, { signal })).toMatchObject({ id: configDigest, uid: 1000 });
  await using box = await run("packages:v1");
  expect(await box.exec("/bin/grep", "-P", "w.rld", "/greeting")).toEqual({ code: 0, out: "world\n", err: "" });
  const { out } = await box.exec("sh", "-c", "echo $PLACE $PWD; ls /srv/files");
  expect(out).toContain("here /srv\n");
  expect(out).toContain("profile\n");
  expect(out).not.toContain("motd\n");
});

test("a docker archive is imported under its tags", async () => {
  const archivePath = join(directory, "docker.tar");
  const layer = pack();
  layer.entry({ name: "x" }, "x");
  layer.finalize();
  const layerBytes = await bytesOf(layer);
  const config = JSON.stringify({
    os: "linux",
    architecture: process.arch === "x64" ? "amd64" : process.arch,
    config: {},
    rootfs: { type: "layers", diff_ids: [`sha256:${createHash("sha256").update(layerBytes).digest("hex")}`] },
  });
  const configName = `${createHash("sha256").update(config).digest("hex")}.json`;
  const archive = pack();
  archive.entry({ name: configName }, config);
  archive.entry({ name: "1/layer.tar" }, layerBytes);
  archive.entry({ name: "manifest.json" }, JSON.stringify([{ Config: configName, RepoTags: ["saved:v1"], Layers: ["1/layer.tar"] }]));
  archive.finalize();
  await writeFile(archivePath, await bytesOf(archive));

  const { images } = await inspectArchive(archivePath, { signal });
  expect(images.flatMap(({ references }) => references)).toEqual(["docker.io/library/saved:v1"]);
  expect(await importImage({ clock }, { socket: layout.socket, snapshotter, archivePath }, signal)).toEqual(["docker.io/library/saved:v1"]);
  expect(await cri.imageStatus({ image: "saved:v1" }, { signal })).toMatchObject({ repoTags: ["docker.io/library/saved:v1"] });
});

test("C3: a containerd that cannot start says why and leaves nothing running", async () => {
  const broken = containerdLayout({ dataDir: join(directory, "broken"), runDir: join(directory, "broken") });
  // Never a configuration that containerd could read without a root of ours: it would then use the machine's own.
  await expect(startContainerd({ clock }, { layout: broken, config: "root = [\n" }, signal)).rejects.toThrow(
    /^Cannot start containerd: containerd: failed to load TOML/,
  );
  await expect(startContainerd({ clock }, { layout: broken, config: "root = [\n", program: "/no/containerd" }, signal)).rejects.toThrow(
    /^Cannot start containerd: spawn \/no\/containerd ENOENT/,
  );
  await expect(startContainerd({ clock }, { layout: broken, config: "root = [\n", netns: "/run/netns/no-such" }, signal)).rejects.toThrow(
    /^Cannot start containerd: nsenter: .*no-such/,
  );
});

test("stopContainerd() leaves no process, mount or socket, and another start finds the images", async () => {
  const box = await run("busybox", { command: ["sleep", "999"] });
  expect((await mountsBelow([directory])).length).toBeGreaterThan(0);
  const config = await readFile(layout.config, "utf8");
  await stopContainerd({ clock }, layout, signal);
  expect(await mountsBelow([directory])).toEqual([]);
  await expect(stat(layout.socket)).rejects.toThrow("ENOENT");
  await startContainerd({ clock }, { layout, config, netns: `/run/netns/${names.netns("node-1")}`, env: names.environment }, signal);
  await expect.poll(async () => (await cri.listImages({}, { signal })).length, { timeout: 10_000 }).toBeGreaterThanOrEqual(4);
  expect((await cri.containerStatus(box.id, { signal })).state).toBe("CONTAINER_EXITED");
});

async function bytesOf(stream: AsyncIterable<unknown>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
