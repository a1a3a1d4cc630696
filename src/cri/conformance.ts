import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { ContainerStatus, CriRuntime, PodSandboxConfig } from "./contract.ts";
import { CriError, isCriError } from "./error.ts";

export interface CriHarness {
  readonly runtime: CriRuntime;
  /** An image that is there, with a POSIX shell and `sleep`. */
  readonly image: string;
  /** An image that is not there. */
  readonly missingImage: string;
  /** An existing directory for logs, empty where the runtime writes none. */
  readonly logDirectory: string;
  /** Prefix of cgroup parents; empty: none are given. */
  readonly cgroupRoot: string;
  /** Lets time pass. */
  pass(ms: number): Promise<void>;
  close(): Promise<void>;
}

/** What the kubelet relies on, for every CriRuntime. Where `printsNothing`, commands run but say nothing: a simulation. */
export function describeCri(
  name: string,
  open: () => Promise<CriHarness>,
  { printsNothing = false }: { readonly printsNothing?: boolean } = {},
) {
  describe(`CriRuntime: ${name}`, () => {
    let harness: CriHarness;
    let runtime: CriRuntime;
    const signal = new AbortController().signal;
    const o = { signal };
    const made: string[] = [];
    const session = Date.now().toString(36);
    let count = 0;

    beforeAll(async () => {
      harness = await open();
      runtime = harness.runtime;
    });
    afterEach(async () => {
      for (const id of made.splice(0)) {
        await runtime.stopPodSandbox(id, o);
        await runtime.removePodSandbox(id, o);
      }
    });
    afterAll(() => harness.close());

    function sandboxConfig(labels: Readonly<Record<string, string>> = {}): PodSandboxConfig {
      const uid = `${session}-${++count}`;
      return {
        metadata: { name: `pod-${count}`, uid, namespace: "default", attempt: 0 },
        hostname: `pod-${count}`,
        logDirectory: harness.logDirectory,
        dnsConfig: { servers: ["10.43.0.10"], searches: ["cluster.local"], options: ["ndots:5"] },
        labels: { "io.kubernetes.pod.uid": uid, ...labels },
        annotations: { note: "kept" },
        linux: {
          ...(harness.cgroupRoot === "" ? {} : { cgroupParent: `${harness.cgroupRoot}/pod${uid}` }),
          securityContext: { namespaceOptions: { network: "POD", pid: "CONTAINER", ipc: "POD" } },
        },
      };
    }

    async function runSandbox(labels?: Readonly<Record<string, string>>) {
      const config = sandboxConfig(labels);
      const id = await runtime.runPodSandbox({ config }, o);
      made.push(id);
      return { config, id };
    }

    async function run(script: string, { attempt = 0 } = {}) {
      const sandbox = await runSandbox();
      const id = await create(sandbox, script, attempt);
      await runtime.startContainer(id, o);
      return { sandbox, id };
    }

    function create({ id, config }: { id: string; config: PodSandboxConfig }, script: string, attempt = 0) {
      return runtime.createContainer(
        {
          podSandboxId: id,
          sandboxConfig: config,
          config: {
            metadata: { name: "main", attempt },
            image: { image: harness.image },
            command: ["sh", "-c"],
            args: [script],
            envs: [{ key: "A", value: "b" }],
            labels: { "io.kubernetes.container.name": "main" },
            annotations: { "io.kubernetes.container.hash": "abc" },
            logPath: `main-${id.slice(0, 8)}-${attempt}.log`,
            linux: {
              resources: { cpuShares: 2, memoryLimitInBytes: 64 * 1024 * 1024, oomScoreAdj: 1000 },
              securityContext: { runAsUser: 0 },
            },
          },
        },
        o,
      );
    }

    /** Polls; the test's own time limit ends a wait that is never satisfied. */
    async function until(id: string, accepted: (status: ContainerStatus) => boolean): Promise<ContainerStatus> {
      for (;;) {
        const status = await runtime.containerStatus(id, o);
        if (accepted(status)) return status;
        await harness.pass(50);
      }
    }

    async function codeOf(call: Promise<unknown>): Promise<string> {
      try {
        await call;
        return "no error";
      } catch (cause) {
        return cause instanceof CriError ? cause.code : String(cause);
      }
    }

    test("says what it is and that it is ready", async () => {
      const version = await runtime.version(o);
      expect(version.runtimeName).not.toBe("");
      expect(version.runtimeApiVersion).toMatch(/^v1/);
      const { status } = await runtime.status({}, o);
      const ready = status.conditions.filter((condition) => condition.status).map((condition) => condition.type);
      expect(ready).toEqual(expect.arrayContaining(["RuntimeReady", "NetworkReady"]));
    });

    test("a sandbox has an address of its own, its labels and a time of birth", async () => {
      const one = await runSandbox({ app: "one" });
      const two = await runSandbox();
      const status = await runtime.podSandboxStatus(one.id, o);
      const other = await runtime.podSandboxStatus(two.id, o);
      expect(status).toMatchObject({
        id: one.id,
        metadata: one.config.metadata,
        state: "SANDBOX_READY",
        labels: one.config.labels,
        annotations: { note: "kept" },
      });
      expect(status.createdAt).toBeGreaterThan(Date.parse("2020-01-01"));
      expect(status.createdAt).toBeLessThan(Date.parse("2100-01-01"));
      expect(status.network?.ip).toMatch(/^\d+\.\d+\.\d+\.\d+$/);
      expect(other.network?.ip).not.toBe(status.network?.ip);
    });

    test("lists sandboxes by label, id and state", async () => {
      const { id, config } = await runSandbox({ app: "listed" });
      const ids = async (filter: Parameters<CriRuntime["listPodSandbox"]>[0]) =>
        (await runtime.listPodSandbox(filter, o)).map((item) => item.id);
      expect(await ids({ labelSelector: { app: "listed" } })).toEqual([id]);
      expect(await ids({ labelSelector: { app: "listed", "io.kubernetes.pod.uid": "another" } })).toEqual([]);
      expect(await ids({ id })).toEqual([id]);
      expect(await ids({ id, state: { state: "SANDBOX_NOTREADY" } })).toEqual([]);
      expect((await runtime.listPodSandbox({ id }, o))[0]?.metadata).toEqual(config.metadata);
      await runtime.removePodSandbox(id, o);
      expect(await ids({ id })).toEqual([]);
    });

    test("a stopped sandbox is NOTREADY and stays until removed; both calls may be repeated", async () => {
      const { id } = await runSandbox();
      await runtime.stopPodSandbox(id, o);
      await runtime.stopPodSandbox(id, o);
      expect(await runtime.podSandboxStatus(id, o)).toMatchObject({ state: "SANDBOX_NOTREADY" });
      await runtime.removePodSandbox(id, o);
      await runtime.removePodSandbox(id, o);
      await runtime.stopPodSandbox(id, o);
      expect(await codeOf(runtime.podSandboxStatus(id, o))).toBe("NotFound");
    });

    test("a container goes from created to running to exited, with times and exit code", async () => {
      const sandbox = await runSandbox();
      const id = await create(sandbox, "sleep 0.2; exit 7");
      expect(await runtime.containerStatus(id, o)).toMatchObject({
        id,
        state: "CONTAINER_CREATED",
        startedAt: 0,
        finishedAt: 0,
        metadata: { name: "main", attempt: 0 },
      });
      await runtime.startContainer(id, o);
      const ended = await until(id, (status) => status.state === "CONTAINER_EXITED");
      expect(ended).toMatchObject({ exitCode: 7, reason: "Error", annotations: { "io.kubernetes.container.hash": "abc" } });
      expect(ended.startedAt).toBeGreaterThanOrEqual(ended.createdAt);
      expect(ended.finishedAt - ended.startedAt).toBeGreaterThanOrEqual(150);
      expect(ended.imageRef).not.toBe("");
    });

    test("exit code 0 is Completed", async () => {
      const { id } = await run("exit 0");
      expect(await until(id, (status) => status.state === "CONTAINER_EXITED")).toMatchObject({ exitCode: 0, reason: "Completed" });
    });

    test("stopContainer ends what heeds SIGTERM long before the grace period", async () => {
      const { id } = await run("trap 'exit 0' TERM; while true; do sleep 0.05; done");
      const stopped = runtime.stopContainer({ containerId: id, timeoutSeconds: 60 }, o);
      await harness.pass(10);
      await stopped;
      const status = await runtime.containerStatus(id, o);
      expect(status.state).toBe("CONTAINER_EXITED");
      expect(status.finishedAt - status.startedAt).toBeLessThan(20_000);
      await runtime.stopContainer({ containerId: id, timeoutSeconds: 1 }, o);
    });

    test("stopContainer kills what ignores SIGTERM after the grace period", async () => {
      const { id } = await run("trap '' TERM; sleep 1000; sleep 1000");
      const stopped = runtime.stopContainer({ containerId: id, timeoutSeconds: 1 }, o);
      await harness.pass(1_000);
      await stopped;
      const status = await runtime.containerStatus(id, o);
      expect(status).toMatchObject({ state: "CONTAINER_EXITED", exitCode: 137 });
      expect(status.finishedAt - status.startedAt).toBeGreaterThanOrEqual(1_000);
    });

    test("a second attempt of a container lives beside the dead first one", async () => {
      const { sandbox, id } = await run("exit 1");
      await until(id, (status) => status.state === "CONTAINER_EXITED");
      const second = await create(sandbox, "sleep 1000", 1);
      await runtime.startContainer(second, o);
      const listed = await runtime.listContainers({ podSandboxId: sandbox.id }, o);
      expect(listed.map((c) => [c.id, c.metadata.attempt, c.state]).toSorted((a, b) => Number(a[1]) - Number(b[1]))).toEqual([
        [id, 0, "CONTAINER_EXITED"],
        [second, 1, "CONTAINER_RUNNING"],
      ]);
      expect(
        (await runtime.listContainers({ state: { state: "CONTAINER_RUNNING" }, podSandboxId: sandbox.id }, o)).map((c) => c.id),
      ).toEqual([second]);
      await runtime.removeContainer(id, o);
      await runtime.removeContainer(id, o);
      expect(await codeOf(runtime.containerStatus(id, o))).toBe("NotFound");
    });

    test("removing a sandbox takes its running containers along", async () => {
      const { sandbox, id } = await run("sleep 1000");
      await runtime.stopPodSandbox(sandbox.id, o);
      expect(await until(id, (status) => status.state === "CONTAINER_EXITED")).toMatchObject({ state: "CONTAINER_EXITED" });
      await runtime.removePodSandbox(sandbox.id, o);
      expect(await runtime.listContainers({ podSandboxId: sandbox.id }, o)).toEqual([]);
    });

    test("execSync answers with the command's exit code", async () => {
      const { id } = await run("sleep 1000");
      expect(await runtime.execSync({ containerId: id, cmd: ["sh", "-c", "exit 3"], timeoutSeconds: 10 }, o)).toMatchObject({
        exitCode: 3,
      });
      const silent = await runtime.execSync({ containerId: id, cmd: ["true"], timeoutSeconds: 10 }, o);
      expect([silent.exitCode, silent.stdout instanceof Uint8Array, silent.stdout.length, silent.stderr.length]).toEqual([0, true, 0, 0]);
    });

    test(`execSync gives ${printsNothing ? "no" : "the command's"} output`, async () => {
      const { id } = await run("sleep 1000");
      const result = await runtime.execSync({ containerId: id, cmd: ["sh", "-c", "echo out $A; echo err >&2"], timeoutSeconds: 10 }, o);
      expect([Buffer.from(result.stdout).toString(), Buffer.from(result.stderr).toString()]).toEqual(
        printsNothing ? ["", ""] : ["out b\n", "err\n"],
      );
    });

    test("execSync gives up on a command that runs longer than its limit", async () => {
      const { id } = await run("sleep 1000");
      const answer = codeOf(runtime.execSync({ containerId: id, cmd: ["sleep", "30"], timeoutSeconds: 1 }, o));
      await harness.pass(1_000);
      expect(await answer).toBe("DeadlineExceeded");
    });

    test("an image that is missing is undefined, and no container is made of it", async () => {
      expect(await runtime.imageStatus({ image: harness.missingImage }, o)).toBeUndefined();
      const sandbox = await runSandbox();
      const request = {
        podSandboxId: sandbox.id,
        sandboxConfig: sandbox.config,
        config: { metadata: { name: "x", attempt: 0 }, image: { image: harness.missingImage } },
      };
      expect(await codeOf(runtime.createContainer(request, o))).toBe("NotFound");
    });

    test("an image that is there has an id, names and a size", async () => {
      const image = await runtime.imageStatus({ image: harness.image }, o);
      expect(image).toMatchObject({ id: expect.stringMatching(/^sha256:/), size: expect.any(Number) });
      expect(image?.size).toBeGreaterThan(0);
      expect((await runtime.listImages({}, o)).map((each) => each.id)).toContain(image?.id);
    });

    test("counts what containers use", async () => {
      const { sandbox, id } = await run("sleep 1000");
      const stats = await runtime.containerStats(id, o);
      expect(stats.attributes).toMatchObject({ id, labels: { "io.kubernetes.container.name": "main" } });
      expect(stats.memory?.timestamp).toBeGreaterThan(Date.parse("2020-01-01"));
      expect((await runtime.listContainerStats({ podSandboxId: sandbox.id }, o)).map((each) => each.attributes.id)).toEqual([id]);
    });

    test("a call with an aborted signal is Cancelled", async () => {
      const abort = new AbortController();
      abort.abort();
      const answer = runtime.version({ signal: abort.signal });
      await expect(answer).rejects.toSatisfy((cause) => isCriError(cause, "Cancelled"));
    });

    test("a call aborted under way is Cancelled", async () => {
      const { id } = await run("sleep 1000");
      const abort = new AbortController();
      const answer = codeOf(runtime.execSync({ containerId: id, cmd: ["sleep", "30"], timeoutSeconds: 60 }, { signal: abort.signal }));
      await harness.pass(20);
      abort.abort();
      expect(await answer).toBe("Cancelled");
    });
  });
}
