import { expect, test } from "vitest";
import { createFakeClock } from "#base/clock.ts";
import { seededEntropy } from "#base/entropy.ts";
import { describeCri } from "../conformance.ts";
import { createSimulatedRuntime, SIMULATED_RUNTIME_NAME } from "./simulated-runtime.ts";

const o = { signal: new AbortController().signal };

describeCri(
  "simulated",
  async () => {
    const clock = createFakeClock("2030-01-01T00:00:00Z");
    return {
      runtime: createSimulatedRuntime({ clock, entropy: seededEntropy(1) }, { podCidr: "10.0.1.0/24", images: ["busybox"] }),
      image: "busybox",
      missingImage: "missing.invalid/none:1",
      logDirectory: "/logs",
      cgroupRoot: "",
      pass: (ms) => clock.advance(ms),
      close: async () => undefined,
    };
  },
  { printsNothing: true },
);

test("createSimulatedRuntime() says that it is a simulation", async () => {
  const runtime = createSimulatedRuntime({ clock: createFakeClock(), entropy: seededEntropy(1) }, { podCidr: "10.0.1.0/24" });
  expect(await runtime.version(o)).toMatchObject({ runtimeName: SIMULATED_RUNTIME_NAME });
});

test("createSimulatedRuntime() refuses a sandbox when its addresses are used up, and reuses released ones", async () => {
  const runtime = createSimulatedRuntime({ clock: createFakeClock(), entropy: seededEntropy(1) }, { podCidr: "10.0.1.0/30" });
  const sandbox = (uid: string) => runtime.runPodSandbox({ config: { metadata: { name: uid, uid, namespace: "d", attempt: 0 } } }, o);
  const first = await sandbox("a");
  expect((await runtime.podSandboxStatus(first, o)).network?.ip).toBe("10.0.1.2");
  await expect(sandbox("b")).rejects.toThrow("no IP addresses available in range set: 10.0.1.0/30");
  await runtime.removePodSandbox(first, o);
  const second = await sandbox("b");
  expect((await runtime.podSandboxStatus(second, o)).network?.ip).toBe("10.0.1.2");
});

test("createSimulatedRuntime() tells a refused pull in the registry's words", async () => {
  const runtime = createSimulatedRuntime(
    { clock: createFakeClock(), entropy: seededEntropy(1) },
    { podCidr: "10.0.1.0/24", pull: (image) => (image === "nope" ? "not found" : undefined) },
  );
  await expect(runtime.pullImage({ image: { image: "nope" } }, o)).rejects.toThrow(
    'failed to pull and unpack image "docker.io/library/nope:latest": not found',
  );
  const ref = await runtime.pullImage({ image: { image: "nginx:1" } }, o);
  expect(await runtime.imageStatus({ image: ref }, o)).toMatchObject({ repoTags: ["docker.io/library/nginx:1"] });
});

test("createSimulatedRuntime() has no network until it knows its range", async () => {
  const node: { range?: string } = {};
  const runtime = createSimulatedRuntime({ clock: createFakeClock(), entropy: seededEntropy(1) }, { podCidr: () => node.range });
  const config = { metadata: { name: "a", uid: "a", namespace: "d", attempt: 0 } };
  expect((await runtime.status({}, o)).status.conditions.find(({ type }) => type === "NetworkReady")?.status).toBe(false);
  await expect(runtime.runPodSandbox({ config }, o)).rejects.toThrow("cni plugin not initialized");
  node.range = "10.0.7.0/24";
  expect((await runtime.status({}, o)).status.conditions.find(({ type }) => type === "NetworkReady")?.status).toBe(true);
  expect((await runtime.podSandboxStatus(await runtime.runPodSandbox({ config }, o), o)).network?.ip).toBe("10.0.7.2");
});
