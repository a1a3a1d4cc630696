import { readdir, readFile, stat } from "node:fs/promises";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { seededEntropy } from "#base/entropy.ts";
import { silentLog } from "#base/log.ts";
import { hasCode } from "#base/node/files.ts";
import { systemClock } from "#base/node/system-clock.ts";
import { ConfigMapKind } from "#kinds/core/config-map.ts";
import { PodKind } from "#kinds/core/pod.ts";
import { SecretKind } from "#kinds/core/secret.ts";
import { ServiceKind } from "#kinds/core/service.ts";
import { createLinuxHost } from "#kubelet/host/linux-host.ts";
import { mountPoints } from "#kubelet/host/mounts.ts";
import { networkProber } from "#kubelet/probes/network-prober.ts";
import { runKubelet } from "#kubelet/run.ts";
import { createFakeApi, type FakeApi } from "#kubelet/testing/fake-api.ts";
import type { Container, Pod, PodSpec } from "#machinery/api/core-v1.ts";
import type { Stored } from "#machinery/object.ts";
import { BUSYBOX, type ContainerNode, openContainerNode } from "./support/container-node.ts";

const signal = new AbortController().signal;
let node: ContainerNode;
let api: FakeApi;
let kubelet: { readonly abort: AbortController; readonly done: Promise<void> };

beforeAll(async () => {
  node = await openContainerNode("kubelet", signal);
});
afterAll(async () => {
  await node[Symbol.asyncDispose]();
});
beforeEach(() => {
  api = createFakeApi();
  kubelet = start();
});
afterEach(async () => {
  for (const pod of pods()) api.deleteGracefully(PodKind, { name: pod.metadata.name, namespace: "default" }, 1, new Date().toISOString());
  await until(() => pods().length === 0);
  await stop();
});

function start() {
  const abort = new AbortController();
  const rootDirectory = `${node.directory}/kubelet`;
  const done = runKubelet(
    {
      client: api.client,
      informers: api.informers,
      cri: node.runtime,
      events: { record: (note) => void api.notes.push(note) },
      host: createLinuxHost({ clock: systemClock }, { rootDirectory }),
      prober: networkProber,
      clock: systemClock,
      entropy: seededEntropy(1),
      log: silentLog,
    },
    { nodeName: "n1", nodeAddresses: ["192.168.0.11"], rootDirectory, logDirectory: `${node.directory}/logs`, cgroupRoot: node.cgroupRoot },
    abort.signal,
  );
  return { abort, done };
}

async function stop() {
  kubelet.abort.abort();
  await kubelet.done;
}

let made = 0;
function create(spec: Partial<PodSpec> & Pick<PodSpec, "containers">, name = "web"): Stored<Pod> {
  return api.put(PodKind, {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { namespace: "default", name, uid: `${process.pid}-${++made}`, generation: 1, labels: { app: "web" } },
    spec: { nodeName: "n1", restartPolicy: "Always", terminationGracePeriodSeconds: 30, ...spec },
    status: { phase: "Pending" },
  });
}

const shell = (script: string, rest: Partial<Container> = {}): Container => ({
  name: "main",
  image: BUSYBOX,
  imagePullPolicy: "IfNotPresent",
  command: ["sh", "-c", script],
  ...rest,
});
const FOREVER = "trap 'exit 0' TERM; while true; do sleep 0.1; done";

const pod = (name = "web") => api.find(PodKind, { name, namespace: "default" });
const pods = () => api.informers.informer(PodKind).lister.list();
const status = (name?: string) => pod(name)?.status;
const isReady = () => status()?.conditions?.some(({ type, status }) => type === "Ready" && status === "True") === true;

/** The test's own time limit ends a wait that is never satisfied. */
async function until(met: () => boolean): Promise<void> {
  while (!met()) await systemClock.sleep(10, signal);
}

async function run(command: string): Promise<string> {
  const id = status()?.containerStatuses?.[0]?.containerID?.replace("containerd://", "") ?? "";
  const { stdout, stderr } = await node.runtime.execSync({ containerId: id, cmd: ["sh", "-c", command], timeoutSeconds: 10 }, { signal });
  return Buffer.from(stdout).toString() + Buffer.from(stderr).toString();
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (cause) {
    if (hasCode(cause, "ENOENT")) return false;
    throw cause;
  }
}

test("a pod whose image is present is Ready within a second", async () => {
  await systemClock.sleep(100, signal);
  const began = performance.now();
  create({ containers: [shell(FOREVER)] });
  await until(isReady);
  const took = performance.now() - began;
  expect(took).toBeLessThan(1_000);
  expect(status()).toMatchObject({ phase: "Running", podIP: expect.stringMatching(/^10\.0\.1\./), qosClass: "BestEffort" });
});

test("a container sees its environment, names, volumes, limits and user", async () => {
  api.put(ConfigMapKind, {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name: "conf", namespace: "default" },
    data: { "a.txt": "alpha", KEY: "value" },
  });
  api.put(SecretKind, {
    apiVersion: "v1",
    kind: "Secret",
    metadata: { name: "secret", namespace: "default" },
    data: { pass: Buffer.from("hush").toString("base64") },
  });
  api.put(ServiceKind, {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: "kubia", namespace: "default" },
    spec: { clusterIP: "10.43.0.7", ports: [{ port: 80, protocol: "TCP" }] },
  });
  create({
    hostname: "box",
    subdomain: "sub",
    securityContext: { runAsUser: 1000, fsGroup: 2000 },
    volumes: [
      { name: "conf", configMap: { name: "conf" } },
      { name: "memory", emptyDir: { medium: "Memory", sizeLimit: "1Mi" } },
      { name: "disk", emptyDir: {} },
      {
        name: "token",
        projected: {
          sources: [
            { serviceAccountToken: { path: "token" } },
            { downwardAPI: { items: [{ path: "labels", fieldRef: { fieldPath: "metadata.labels" } }] } },
            { secret: { name: "secret" } },
          ],
        },
      },
    ],
    containers: [
      shell(FOREVER, {
        env: [
          { name: "FROM_MAP", valueFrom: { configMapKeyRef: { name: "conf", key: "KEY" } } },
          { name: "POD_IP", valueFrom: { fieldRef: { fieldPath: "status.podIP" } } },
          { name: "LIMIT", valueFrom: { resourceFieldRef: { resource: "limits.memory", divisor: "1Mi" } } },
          { name: "URL", value: "http://$(KUBIA_SERVICE_HOST)" },
        ],
        resources: { limits: { memory: "64Mi", cpu: "500m" } },
        volumeMounts: [
          { name: "conf", mountPath: "/conf" },
          { name: "conf", mountPath: "/one/a.txt", subPath: "a.txt" },
          { name: "memory", mountPath: "/memory" },
          { name: "disk", mountPath: "/disk", subPath: "in/side" },
          { name: "token", mountPath: "/token", readOnly: true },
        ],
      }),
    ],
  });
  await until(isReady);
  const env = await run("env");
  expect(env.split("\n")).toEqual(
    expect.arrayContaining([
      "FROM_MAP=value",
      `POD_IP=${status()?.podIP}`,
      "LIMIT=64",
      "URL=http://10.43.0.7",
      "KUBIA_PORT_80_TCP=tcp://10.43.0.7:80",
      "HOSTNAME=box",
    ]),
  );
  expect(await run("hostname; id -u; id -G")).toBe("box\n1000\n0 2000\n");
  expect(await run("cat /etc/resolv.conf")).toMatch(
    /^search default\.svc\.cluster\.local svc\.cluster\.local cluster\.local.*\nnameserver 10\.43\.0\.10\noptions ndots:5\n$/,
  );
  expect(await run("cat /etc/hosts")).toContain(`${status()?.podIP}\tbox.sub.default.svc.cluster.local\tbox\n`);
  expect(await run("cat /conf/a.txt /one/a.txt /token/token /token/labels /token/pass")).toBe('alphaalphaa-tokenapp="web"hush');
  expect(await run("grep -c ' /memory tmpfs' /proc/mounts")).toBe("1\n");
  expect(await run("touch /disk/file && stat -c %g /disk/file; touch /conf/x")).toMatch(/^2000\ntouch: .*Read-only file system\n$/);
  expect((await run("cat /sys/fs/cgroup/memory/memory.limit_in_bytes")).trim()).toBe(String(64 * 2 ** 20));

  api.put(ConfigMapKind, {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name: "conf", namespace: "default" },
    data: { "b.txt": "beta", KEY: "value" },
  });
  const present = pod();
  if (present !== undefined) api.put(PodKind, { ...present, metadata: { ...present.metadata, annotations: { touched: "yes" } } });
  for (let files = ""; files !== "KEY\nb.txt\n"; files = await run("ls /conf")) await systemClock.sleep(20, signal);
  expect(await run("cat /conf/b.txt")).toBe("beta");
});

test("a container that ends is started again; its last words and log stay", async () => {
  create({ containers: [shell("echo out; echo farewell > /dev/termination-log; sleep 0.3; exit 4")] });
  await until(
    () => (status()?.containerStatuses?.[0]?.restartCount ?? 0) >= 1 && status()?.containerStatuses?.[0]?.state?.waiting !== undefined,
  );
  expect(status()?.containerStatuses?.[0]).toMatchObject({
    restartCount: 1,
    state: { waiting: { reason: "CrashLoopBackOff", message: expect.stringContaining("back-off 10s restarting failed container=main") } },
    lastState: { terminated: { exitCode: 4, reason: "Error", message: "farewell\n" } },
  });
  const logs = `${node.directory}/logs/default_web_${pod()?.metadata.uid}/main`;
  expect(await readdir(logs)).toContain("1.log"); // of older ones only the newest is kept
  expect(await readFile(`${logs}/1.log`, "utf8")).toMatch(/ stdout F out\n$/);
});

test("exec probes decide over readiness", async () => {
  create({ containers: [shell(FOREVER, { readinessProbe: { exec: { command: ["test", "-e", "/tmp/ready"] }, periodSeconds: 1 } })] });
  await until(() => api.events("web").some((text) => text.startsWith("Unhealthy: Readiness probe failed")));
  expect(isReady()).toBe(false);
  await run("mkdir -p /tmp && touch /tmp/ready");
  await until(isReady);
});

test("a new agent takes over what the old one left running", async () => {
  create({ containers: [shell(FOREVER)] });
  await until(isReady);
  const before = status()?.containerStatuses?.[0];
  await stop();
  const written = api.writes.length;
  kubelet = start();
  await systemClock.sleep(1_500, signal);
  expect(status()?.containerStatuses?.[0]).toEqual(before);
  expect(api.writes.slice(written).filter((text) => text.startsWith("patch pods"))).toEqual([]);
  expect(await node.runtime.listContainers({}, { signal })).toHaveLength(1);
});

test("the end of a pod: preStop, SIGTERM, no trace left", async () => {
  const { uid } = create({
    volumes: [
      { name: "memory", emptyDir: { medium: "Memory" } },
      { name: "token", projected: { sources: [{ serviceAccountToken: { path: "token" } }] } },
      { name: "host", hostPath: { path: `${node.directory}/said`, type: "DirectoryOrCreate" } },
    ],
    containers: [
      shell("trap 'echo term >> /said/words; exit 0' TERM; while true; do sleep 0.05; done", {
        volumeMounts: [
          { name: "memory", mountPath: "/memory" },
          { name: "token", mountPath: "/token" },
          { name: "host", mountPath: "/said" },
        ],
        lifecycle: { preStop: { exec: { command: ["sh", "-c", "echo stop >> /said/words"] } } },
      }),
    ],
  }).metadata;
  await until(isReady);
  expect((await mountPoints()).filter((path) => path.includes(uid))).toHaveLength(2);
  expect(await exists(`/sys/fs/cgroup/cpu${node.cgroupRoot}/kubepods/besteffort/pod${uid}`)).toBe(true);
  const asked = performance.now();
  api.deleteGracefully(PodKind, { name: "web", namespace: "default" }, 30, new Date().toISOString());
  await until(() => pod() === undefined);
  expect(performance.now() - asked).toBeLessThan(5_000);
  expect(await readFile(`${node.directory}/said/words`, "utf8")).toBe("stop\nterm\n");
  expect((await mountPoints()).filter((path) => path.includes(uid) && path.includes("/kubelet/"))).toEqual([]);
  expect(await exists(`/sys/fs/cgroup/cpu${node.cgroupRoot}/kubepods/besteffort/pod${uid}`)).toBe(false);
  for (let left = -1; left !== 0; left = (await node.runtime.listPodSandbox({}, { signal })).length) await systemClock.sleep(20, signal);
  while (await exists(`${node.directory}/logs/default_web_${uid}`)) await systemClock.sleep(20, signal);
  expect(await exists(`${node.directory}/kubelet/pods/${uid}`)).toBe(false);
});
