import { beforeEach, expect, test } from "vitest";
import { createFakeClock } from "#base/clock.ts";
import { type Deferred, deferred } from "#base/deferred.ts";
import { seededEntropy } from "#base/entropy.ts";
import type { CriRuntime } from "#cri/contract.ts";
import { createSimulatedRuntime } from "#cri/simulated/simulated-runtime.ts";
import { LABEL } from "./names.ts";
import { createRuntimeLister } from "./runtime-lister.ts";

const signal = new AbortController().signal;
const o = { signal };
let cri: CriRuntime;
let calls: string[];
/** When set, the next listing of all containers answers with what it saw only after this. */
let gate: Deferred<void> | undefined;

beforeEach(() => {
  calls = [];
  gate = undefined;
  const inner = createSimulatedRuntime(
    { clock: createFakeClock(), entropy: seededEntropy(1) },
    { podCidr: "10.0.1.0/24", images: ["web"] },
  );
  cri = {
    ...inner,
    async listContainers(filter, options) {
      calls.push("list");
      const mine = gate;
      if (filter.labelSelector === undefined) gate = undefined;
      const answer = await inner.listContainers(filter, options);
      if (filter.labelSelector === undefined) await mine?.promise;
      return answer;
    },
    containerStatus: (id, options) => (calls.push("status"), inner.containerStatus(id, options)),
    podSandboxStatus: (id, options) => (calls.push("status"), inner.podSandboxStatus(id, options)),
  };
});

async function run(uid: string) {
  const labels = { [LABEL.podUid]: uid, [LABEL.podName]: `pod-${uid}`, [LABEL.podNamespace]: "default" };
  const config = { metadata: { name: `pod-${uid}`, uid, namespace: "default", attempt: 0 }, labels };
  const podSandboxId = await cri.runPodSandbox({ config }, o);
  const container = { metadata: { name: "main", attempt: 0 }, image: { image: "web" }, labels };
  const id = await cri.createContainer({ podSandboxId, config: container, sandboxConfig: config }, o);
  await cri.startContainer(id, o);
  return { podSandboxId, id };
}

test("L2, L3: relist() names what changed and asks for no status twice", async () => {
  const lister = createRuntimeLister({ cri });
  await run("a");
  const { id } = await run("b");
  expect(await lister.relist(signal)).toEqual(["a", "b"]);
  expect(calls.filter((call) => call === "status")).toHaveLength(4);
  calls.length = 0;
  expect(await lister.relist(signal)).toEqual([]);
  expect(calls).toEqual(["list"]);
  await cri.stopContainer({ containerId: id, timeoutSeconds: 1 }, o);
  expect(await lister.relist(signal)).toEqual(["b"]);
  expect(calls.filter((call) => call === "status")).toHaveLength(1);
  expect(lister.get("b")).toMatchObject({
    name: "pod-b",
    namespace: "default",
    sandboxes: [{ ready: true }],
    containers: [{ state: "exited" }],
  });
});

test("L2: relist() names what is gone", async () => {
  const lister = createRuntimeLister({ cri });
  const { podSandboxId } = await run("a");
  await lister.relist(signal);
  await cri.removePodSandbox(podSandboxId, o);
  expect(await lister.relist(signal)).toEqual(["a"]);
  expect(lister.get("a")).toBeUndefined();
});

test("L1: a slow listing does not undo what was learnt since it began", async () => {
  const lister = createRuntimeLister({ cri });
  const { id } = await run("a");
  gate = deferred();
  const held = gate;
  const slow = lister.relist(signal); // sees the container running
  await cri.stopContainer({ containerId: id, timeoutSeconds: 1 }, o);
  expect((await lister.relistPod("a", signal))?.containers[0]?.state).toBe("exited");
  held.resolve();
  expect(await slow).toEqual([]);
  expect(lister.get("a")?.containers[0]?.state).toBe("exited");
});

test("L1: nor does it forget a pod that began since", async () => {
  const lister = createRuntimeLister({ cri });
  gate = deferred();
  const held = gate;
  const slow = lister.relist(signal);
  await run("new");
  await lister.relistPod("new", signal);
  held.resolve();
  await slow;
  expect(lister.get("new")).toBeDefined();
});
