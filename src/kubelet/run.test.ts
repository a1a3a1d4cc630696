import { afterEach, describe, expect, test } from "vitest";
import { CriError } from "#cri/error.ts";
import { LeaseKind } from "#kinds/coordination/lease.ts";
import { ConfigMapKind } from "#kinds/core/config-map.ts";
import { NodeKind } from "#kinds/core/node.ts";
import { PodKind } from "#kinds/core/pod.ts";
import type { PodStatus } from "#machinery/api/core-v1.ts";
import type { ProbeAnswer } from "./contract.ts";
import { container, startTestNode, type TestNode, type TestNodeOptions } from "./testing/node.ts";

const signal = new AbortController().signal;
let node: TestNode;

function start(options?: TestNodeOptions): TestNode {
  node = startTestNode(options);
  return node;
}
afterEach(() => node.stop());

const conditions = (status: PodStatus | undefined) =>
  Object.fromEntries(
    (status?.conditions ?? []).map(({ type, status, reason }) => [type, reason === undefined ? status : `${status} ${reason}`]),
  );
const running = async () =>
  (await node.cri.listContainers({ state: { state: "CONTAINER_RUNNING" } }, { signal })).map((each) => each.metadata.name);

describe("runKubelet(): pods", () => {
  test("makes a pod Running and Ready without letting time pass", async () => {
    start();
    node.create("web", {});
    await node.clock.advance(0);
    const pod = node.pod("web");
    expect(pod?.status).toMatchObject({
      phase: "Running",
      hostIP: "192.168.0.11",
      podIP: "10.0.1.2",
      podIPs: [{ ip: "10.0.1.2" }],
      startTime: "2030-01-01T00:00:00Z",
      qosClass: "BestEffort",
      observedGeneration: 1,
      containerStatuses: [
        {
          name: "main",
          state: { running: { startedAt: "2030-01-01T00:00:00Z" } },
          lastState: {},
          ready: true,
          started: true,
          restartCount: 0,
          image: "docker.io/library/web:1",
          imageID: expect.stringMatching(/^docker.io\/library\/web@sha256:/),
          containerID: expect.stringMatching(/^navarch-simulated:\/\/[0-9a-f]{64}$/),
        },
      ],
    });
    expect(conditions(pod?.status)).toEqual({
      PodReadyToStartContainers: "True",
      Initialized: "True",
      Ready: "True",
      ContainersReady: "True",
      PodScheduled: "True",
    });
    expect(node.api.events("web")).toEqual([
      'Pulled: Container image "web:1" already present on machine',
      "Created: Created container: main",
      "Started: Started container main",
    ]);
  });

  test("writes nothing more while nothing changes", async () => {
    start();
    node.create("web", {});
    await node.clock.advance(2_000);
    const before = node.api.writes.filter((each) => each.startsWith("patch pods")).length;
    await node.clock.advance(120_000);
    expect(node.api.writes.filter((each) => each.startsWith("patch pods")).length).toBe(before);
  });

  test("restarts a failing container at once, then after 10 s, 20 s, 40 s, and says CrashLoopBackOff", async () => {
    start();
    node.create("web", { containers: [container("main", { command: ["sh", "-c", "sleep 1; exit 3"] })] });
    const starts: number[] = [];
    const zero = node.clock.now();
    const look = () => node.pod("web")?.status?.containerStatuses?.[0]?.restartCount ?? -1;
    let seen = -1;
    const watch = async (seconds: number) => {
      for (let second = 0; second < seconds; second++) {
        await node.clock.advance(1_000);
        if (look() > seen) starts.push(Math.floor((node.clock.now() - zero) / 1_000));
        seen = look();
      }
    };
    await watch(6);
    expect(node.pod("web")?.status).toMatchObject({
      phase: "Running",
      containerStatuses: [
        {
          ready: false,
          started: false,
          restartCount: 1,
          state: {
            waiting: { reason: "CrashLoopBackOff", message: "back-off 10s restarting failed container=main pod=web_default(uid-of-web)" },
          },
          lastState: { terminated: { exitCode: 3, reason: "Error" } },
        },
      ],
    });
    expect(conditions(node.pod("web")?.status)["Ready"]).toBe("False ContainersNotReady");
    await watch(84);
    const gaps = starts.slice(1).map((at, index) => at - (starts[index] ?? 0));
    expect(gaps).toEqual([11, 21, 41]); // each time it runs for a second; the first restart came at once
    expect(node.api.events("web")).toContain("BackOff: Back-off restarting failed container main in pod web_default(uid-of-web)");
  });

  test("a pod whose containers succeed ends Succeeded and its sandbox goes down", async () => {
    start();
    node.create("job", { restartPolicy: "OnFailure", containers: [container("main", { command: ["sleep", "2"] })] });
    await node.clock.advance(5_000);
    expect(node.pod("job")?.status).toMatchObject({
      phase: "Succeeded",
      containerStatuses: [{ ready: false, state: { terminated: { exitCode: 0, reason: "Completed" } } }],
    });
    expect(conditions(node.pod("job")?.status)).toMatchObject({
      Ready: "False PodCompleted",
      ContainersReady: "False PodCompleted",
      Initialized: "True PodCompleted",
    });
    expect(await node.cri.listPodSandbox({ state: { state: "SANDBOX_READY" } }, { signal })).toEqual([]);
  });

  test("restartPolicy Never makes a failure final", async () => {
    start();
    node.create("job", { restartPolicy: "Never", containers: [container("main", { command: ["false"] })] });
    await node.clock.advance(3_000);
    expect(node.pod("job")?.status).toMatchObject({
      phase: "Failed",
      containerStatuses: [{ restartCount: 0, state: { terminated: { exitCode: 1 } } }],
    });
  });

  test("runs init containers one after the other, sidecars before main containers", async () => {
    start();
    node.create("web", {
      initContainers: [
        container("first", { command: ["sleep", "2"] }),
        container("proxy", { restartPolicy: "Always" }),
        container("second", { command: ["sleep", "2"] }),
      ],
    });
    await node.clock.advance(500);
    expect(await running()).toEqual(["first"]);
    expect(node.pod("web")?.status).toMatchObject({
      phase: "Pending",
      containerStatuses: [{ state: { waiting: { reason: "PodInitializing" } } }],
    });
    expect(conditions(node.pod("web")?.status)["Initialized"]).toBe("False ContainersNotInitialized");
    await node.clock.advance(2_600);
    expect((await running()).toSorted()).toEqual(["proxy", "second"]);
    await node.clock.advance(3_000);
    expect((await running()).toSorted()).toEqual(["main", "proxy"]);
    expect(node.pod("web")?.status).toMatchObject({
      phase: "Running",
      initContainerStatuses: [{ ready: true }, { ready: true, started: true }, { ready: true }],
    });
  });

  test("a deleted pod gets its grace period, its final status, and then its object goes", async () => {
    start();
    node.create("web", { containers: [container("main", { command: ["sh", "-c", "trap '' TERM; sleep 1000"] })] });
    await node.clock.advance(1_000);
    node.api.deleteGracefully(PodKind, { name: "web", namespace: "default" }, 5, "2030-01-01T00:00:06Z");
    await node.clock.advance(4_000);
    expect(await running()).toEqual(["main"]);
    expect(node.pod("web")).toBeDefined();
    await node.clock.advance(2_000);
    expect(node.pod("web")).toBeUndefined();
    expect(node.api.writes.slice(-2)).toEqual(["patch pods/web status", "delete pods/web"]);
    expect(node.api.events("web").at(-1)).toBe("Killing: Stopping container main");
    expect(await node.cri.listPodSandbox({}, { signal })).toEqual([]);
    expect(await node.cri.listContainers({}, { signal })).toEqual([]);
  });

  test("a shorter grace period cuts a longer one short", async () => {
    start();
    node.create("web", { containers: [container("main", { command: ["sh", "-c", "trap '' TERM; sleep 1000"] })] });
    await node.clock.advance(1_000);
    node.api.deleteGracefully(PodKind, { name: "web", namespace: "default" }, 300, "2030-01-01T00:05:01Z");
    await node.clock.advance(2_000);
    node.api.remove(PodKind, { name: "web", namespace: "default" });
    node.create("other", {});
    await node.clock.advance(301_000);
    expect((await node.cri.listContainers({}, { signal })).map((each) => each.metadata.name)).toEqual(["main"]);
    expect(node.api.events("web").filter((each) => each.startsWith("Killing"))).toHaveLength(1);
  });

  test("an agent that was killed takes its containers over and restarts nothing", async () => {
    start();
    node.create("web", {});
    await node.clock.advance(1_000);
    const before = node.pod("web")?.status?.containerStatuses?.[0]?.containerID;
    await node.stop();
    const writes = node.api.writes.length;
    await node.clock.advance(10_000);
    node.start();
    await node.clock.advance(5_000);
    expect(node.pod("web")?.status?.containerStatuses?.[0]).toMatchObject({ containerID: before, restartCount: 0, ready: true });
    expect(node.api.writes.slice(writes).filter((each) => each.includes("pods/"))).toEqual([]);
  });

  test("what was deleted while the agent was away ends when it is back", async () => {
    start();
    node.create("web", {});
    await node.clock.advance(1_000);
    await node.stop();
    node.api.remove(PodKind, { name: "web", namespace: "default" });
    node.start();
    await node.clock.advance(5_000);
    expect(await node.cri.listPodSandbox({}, { signal })).toEqual([]);
  });

  test("an image that cannot be pulled shows ErrImagePull, then ImagePullBackOff", async () => {
    start({ runtime: { pull: () => "not found" } });
    node.create("web", { containers: [container("main", { image: "nope:1" })] });
    await node.clock.advance(1_000);
    const refusal = 'rpc error: code = NotFound desc = failed to pull and unpack image "docker.io/library/nope:1": not found';
    expect(node.pod("web")?.status).toMatchObject({
      phase: "Pending",
      containerStatuses: [{ state: { waiting: { reason: "ErrImagePull", message: refusal } } }],
    });
    await node.clock.advance(5_000);
    expect(node.api.events("web")).toEqual([
      'Pulling: Pulling image "nope:1"',
      `Failed: Failed to pull image "nope:1": ${refusal}`,
      "Failed: Error: ErrImagePull",
      'BackOff: Back-off pulling image "nope:1"',
      "Failed: Error: ImagePullBackOff",
    ]);
    expect(node.pod("web")?.status).toMatchObject({
      containerStatuses: [
        { state: { waiting: { reason: "ImagePullBackOff", message: `Back-off pulling image "nope:1": ErrImagePull: ${refusal}` } } },
      ],
    });
  });

  test("pull policy Never with an image that is missing says so", async () => {
    start();
    node.create("web", { containers: [container("main", { image: "nope:1", imagePullPolicy: "Never" })] });
    await node.clock.advance(1_000);
    expect(node.pod("web")?.status?.containerStatuses?.[0]?.state).toEqual({
      waiting: { reason: "ErrImageNeverPull", message: 'Container image "nope:1" is not present with pull policy of Never' },
    });
  });

  test("a volume whose ConfigMap comes later is mounted soon after it has come", async () => {
    start();
    node.create("web", { volumes: [{ name: "conf", configMap: { name: "late" } }] });
    await node.clock.advance(1_000);
    expect(node.api.events("web")).toEqual(['FailedMount: MountVolume.SetUp failed for volume "conf" : configmap "late" not found']);
    expect(node.pod("web")?.status).toMatchObject({
      phase: "Pending",
      containerStatuses: [{ state: { waiting: { reason: "ContainerCreating" } } }],
    });
    node.api.put(ConfigMapKind, { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "late", namespace: "default" }, data: {} });
    await node.clock.advance(2_000);
    expect(node.pod("web")?.status?.phase).toBe("Running");
  });

  test("an environment that cannot be made is CreateContainerConfigError", async () => {
    start();
    node.create("web", { containers: [container("main", { env: [{ name: "A", valueFrom: { secretKeyRef: { name: "s", key: "k" } } }] })] });
    await node.clock.advance(1_000);
    expect(node.pod("web")?.status?.containerStatuses?.[0]?.state).toEqual({
      waiting: { reason: "CreateContainerConfigError", message: 'secret "s" not found' },
    });
    expect(node.api.events("web")).toContain('Failed: Error: secret "s" not found');
  });

  test("a container whose resources change is resized where it runs", async () => {
    const resized: object[] = [];
    start({ wrap: (cri) => ({ ...cri, updateContainerResources: async ({ linux }) => void resized.push(linux) }) });
    const sized = (memory: string) => container("main", { resources: { limits: { memory } } });
    const pod = node.create("web", { containers: [sized("64Mi")] });
    await node.clock.advance(2_000);
    expect(resized).toEqual([]);
    node.api.put(PodKind, {
      ...pod,
      metadata: { ...pod.metadata, generation: 2 },
      spec: { ...pod.spec, containers: [sized("128Mi")] },
      status: node.pod("web")?.status ?? {},
    });
    await node.clock.advance(2_000);
    expect(resized).toEqual([{ cpuShares: 2, memoryLimitInBytes: 128 * 2 ** 20 }]);
    expect(node.pod("web")?.status).toMatchObject({
      observedGeneration: 2,
      containerStatuses: [{ restartCount: 0, resources: { limits: { memory: "128Mi" } } }],
    });
    expect(node.api.events("web").at(-1)).toBe(
      'ResizeCompleted: Pod resize completed: {"containers":[{"name":"main","resources":{"limits":{"memory":"128Mi"}}}],"generation":2}',
    );
  });

  test("a pod deleted while its image is pulled ends at once", async () => {
    start({
      wrap: (cri) => ({
        ...cri,
        pullImage: (_request, { signal }) =>
          new Promise((_, reject) =>
            signal.addEventListener("abort", () => reject(new CriError({ code: "Cancelled", call: "PullImage", details: "" }))),
          ),
      }),
    });
    node.create("web", { containers: [container("main", { image: "slow:1" })] });
    await node.clock.advance(2_000);
    expect(node.pod("web")?.status).toMatchObject({
      phase: "Pending",
      containerStatuses: [{ state: { waiting: { reason: "ContainerCreating" } } }],
    });
    node.api.deleteGracefully(PodKind, { name: "web", namespace: "default" }, 30, "2030-01-01T00:00:32Z");
    await node.clock.advance(100);
    expect(node.pod("web")).toBeUndefined();
  });

  test("a pod that outlives its deadline fails", async () => {
    start();
    node.create("web", { activeDeadlineSeconds: 5 });
    await node.clock.advance(4_000);
    expect(node.pod("web")?.status?.phase).toBe("Running");
    await node.clock.advance(2_000);
    expect(node.pod("web")?.status).toMatchObject({
      phase: "Failed",
      reason: "DeadlineExceeded",
      message: "Pod was active on the node longer than the specified deadline",
    });
    expect(await running()).toEqual([]);
  });

  test("a pod that loses its sandbox gets another", async () => {
    start();
    node.create("web", {});
    await node.clock.advance(1_000);
    const [sandbox] = await node.cri.listPodSandbox({}, { signal });
    await node.cri.stopPodSandbox(sandbox?.id ?? "", { signal });
    await node.clock.advance(2_000);
    expect(node.pod("web")?.status).toMatchObject({ phase: "Running", containerStatuses: [{ ready: true, restartCount: 1 }] });
    expect(node.api.events("web")).toContain("SandboxChanged: Pod sandbox changed, it will be killed and re-created.");
  });

  test("volume types beyond us are refused by name", async () => {
    start();
    node.create("web", { volumes: [{ name: "v", nfs: { server: "s", path: "/" } }] });
    await node.clock.advance(100);
    expect(node.api.events("web")).toEqual(['FailedMount: MountVolume.SetUp failed for volume "v" : volume type nfs is not supported']);
  });
});

describe("runKubelet(): probes", () => {
  function proberThat(answer: () => ProbeAnswer) {
    return { http: async () => answer(), tcp: async () => answer(), grpc: async () => answer() };
  }

  test("readiness decides over Ready", async () => {
    let up = false;
    const answer = () =>
      up ? { outcome: "success" as const, output: "" } : { outcome: "failure" as const, output: "HTTP probe failed with statuscode: 500" };
    start({ prober: proberThat(answer) });
    node.create("web", { containers: [container("main", { readinessProbe: { httpGet: { port: 8080 }, periodSeconds: 2 } })] });
    await node.clock.advance(1_000);
    expect(node.pod("web")?.status?.containerStatuses?.[0]).toMatchObject({ ready: false, started: true });
    expect(node.pod("web")?.status?.conditions?.find(({ type }) => type === "Ready")).toMatchObject({
      status: "False",
      reason: "ContainersNotReady",
      message: "containers with unready status: [main]",
    });
    expect(node.api.events("web")).toContain("Unhealthy: Readiness probe failed: HTTP probe failed with statuscode: 500");
    up = true;
    await node.clock.advance(2_000);
    expect(conditions(node.pod("web")?.status)["Ready"]).toBe("True");
  });

  test("a container that needs a moment to listen need not wait for the next period", async () => {
    let up = false;
    const refused = { outcome: "failure" as const, output: "connection refused" };
    start({ prober: proberThat(() => (up ? { outcome: "success", output: "" } : refused)) });
    node.create("web", { containers: [container("main", { readinessProbe: { httpGet: { port: 80 }, periodSeconds: 10 } })] });
    await node.clock.advance(300);
    up = true;
    await node.clock.advance(500);
    expect(node.pod("web")?.status?.containerStatuses?.[0]?.ready).toBe(true);
    up = false;
    await node.clock.advance(29_000);
    expect(node.pod("web")?.status?.containerStatuses?.[0]?.ready).toBe(true); // once ready, three failures at the period's pace
    await node.clock.advance(3_000);
    expect(node.pod("web")?.status?.containerStatuses?.[0]?.ready).toBe(false);
  });

  test("a failed liveness probe restarts the container", async () => {
    let failing = false;
    const answer = () => (failing ? { outcome: "failure" as const, output: "no" } : { outcome: "success" as const, output: "" });
    start({ prober: proberThat(answer) });
    node.create("web", {
      containers: [container("main", { livenessProbe: { tcpSocket: { port: 8080 }, periodSeconds: 1, failureThreshold: 3 } })],
    });
    await node.clock.advance(5_000);
    expect(node.pod("web")?.status?.containerStatuses?.[0]?.restartCount).toBe(0);
    failing = true;
    await node.clock.advance(2_500);
    failing = false;
    await node.clock.advance(3_000);
    expect(node.pod("web")?.status?.containerStatuses?.[0]?.restartCount).toBe(0); // two failures are not three
    failing = true;
    await node.clock.advance(3_100);
    failing = false;
    await node.clock.advance(2_000);
    expect(node.pod("web")?.status?.containerStatuses?.[0]?.restartCount).toBe(1);
    expect(node.api.events("web")).toContain("Killing: Container main failed liveness probe, will be restarted");
  });

  test("a startup probe holds readiness back", async () => {
    let up = false;
    const answer = () => (up ? { outcome: "success" as const, output: "" } : { outcome: "failure" as const, output: "starting" });
    start({ prober: proberThat(answer) });
    node.create("web", {
      containers: [
        container("main", {
          startupProbe: { httpGet: { port: 80 }, periodSeconds: 1, failureThreshold: 30 },
          readinessProbe: { httpGet: { port: 80 } },
        }),
      ],
    });
    await node.clock.advance(5_000);
    expect(node.pod("web")?.status?.containerStatuses?.[0]).toMatchObject({ started: false, ready: false });
    expect(node.api.events("web").some((each) => each.includes("Readiness"))).toBe(false);
    up = true;
    await node.clock.advance(1_000);
    expect(node.pod("web")?.status?.containerStatuses?.[0]).toMatchObject({ started: true, ready: true, restartCount: 0 });
  });
});

describe("runKubelet(): the node", () => {
  test("registers itself with upstream's labels, conditions and facts", async () => {
    start();
    await node.clock.advance(1_000);
    const registered = node.api.find(NodeKind, { name: "n1", namespace: undefined });
    expect(registered?.metadata.labels).toEqual({
      "beta.kubernetes.io/arch": "amd64",
      "beta.kubernetes.io/os": "linux",
      "kubernetes.io/arch": "amd64",
      "kubernetes.io/hostname": "n1",
      "kubernetes.io/os": "linux",
    });
    expect(registered?.status).toMatchObject({
      addresses: [
        { type: "InternalIP", address: "192.168.0.11" },
        { type: "Hostname", address: "n1" },
      ],
      capacity: { cpu: "32", memory: "268435456Ki", pods: "110" },
      daemonEndpoints: { kubeletEndpoint: { Port: 10250 } },
      nodeInfo: { kubeletVersion: "v1.36.0+navarch", containerRuntimeVersion: "navarch-simulated://1.0.0", operatingSystem: "linux" },
    });
    expect(registered?.status?.conditions?.map(({ type, status, reason, message }) => [type, status, reason, message])).toEqual([
      ["MemoryPressure", "False", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"],
      ["DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"],
      ["PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"],
      ["Ready", "True", "KubeletReady", "kubelet is posting ready status"],
    ]);
  });

  test("renews its lease every ten seconds, and an unchanged status only every five minutes", async () => {
    start();
    await node.clock.advance(35_000);
    expect(node.api.find(LeaseKind, { name: "n1", namespace: "kube-node-lease" })?.spec).toEqual({
      holderIdentity: "n1",
      leaseDurationSeconds: 40,
      renewTime: "2030-01-01T00:00:30.000000Z",
    });
    expect(node.api.writes.filter((each) => each === "patch nodes/n1 status")).toHaveLength(0);
    await node.clock.advance(300_000);
    expect(node.api.writes.filter((each) => each === "patch nodes/n1 status")).toHaveLength(1);
  });
});
