import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { beforeAll, expect, test } from "vitest";
import { silentLog } from "#base/log.ts";
import { systemClock } from "#base/node/system-clock.ts";
import { systemEntropy } from "#base/node/system-entropy.ts";
import { openScope } from "#base/scope.ts";
import type { Client } from "#client/contract.ts";
import { createInformerFactory } from "#client/informer-factory.ts";
import { readKubeconfig } from "#client/kubeconfig.ts";
import { createRestClient } from "#client/rest.ts";
import { ConfigMapKind } from "#kinds/core/config-map.ts";
import { type Kubectl, type Result, ROOT, build, eventually, kubectlFor } from "./harness.ts";

/** No other cluster of this machine has this name. */
const NAME = `restart-${process.pid}`;
const WRITERS = 8;

let home: string;
let kubectl: Kubectl;

beforeAll(async () => {
  await build();
  home = await mkdtemp(join(tmpdir(), "navarch-restart-"));
  try {
    expect(await up()).toMatchObject({ code: 0 });
  } catch (cause) {
    await down();
    throw cause;
  }
  kubectl = kubectlFor("kubectl", home, join(home, "kubeconfig"));
  return down;
});

test("kill -9 of the server loses no acknowledged write, and informers see every object once", async () => {
  const { server, credentials } = await readKubeconfig(join(home, "kubeconfig"));
  await using scope = openScope(new AbortController().signal, silentLog);
  const client = scope.own(
    createRestClient({ server, credentials: () => credentials, clock: systemClock, log: silentLog, userAgent: "restart-test" }),
  );
  const informers = createInformerFactory({ client, clock: systemClock, entropy: systemEntropy, log: silentLog });
  const informer = informers.informer(ConfigMapKind, { namespace: "default" });
  scope.spawn("informers", (until) => informers.run(until));
  const added: string[] = [];
  informer.onEvent(({ type, object }) => void (type === "added" && added.push(object.metadata.name)));
  const { resourceVersion } = await client.list(ConfigMapKind, { namespace: "default" }, scope.signal);
  const acknowledged: string[] = [];
  const stopWriting = new AbortController();
  for (let i = 0; i < WRITERS; i++)
    scope.spawn(`writer ${i}`, (until) => write(client, `w${i}`, acknowledged, AbortSignal.any([until, stopWriting.signal])));

  for (let kills = 0; kills < 2; kills++) {
    const before = acknowledged.length;
    await eventually(
      async () => acknowledged.length,
      (count) => count >= before + 100,
    );
    const pid = await serverPid();
    process.kill(pid, "SIGKILL");
    await eventually(serverPidOrNone, (now) => now !== undefined && now !== pid);
  }
  const beforeLast = acknowledged.length;
  await eventually(
    async () => acknowledged.length,
    (count) => count >= beforeLast + 50,
  );
  stopWriting.abort();

  await kubectl.ok("create configmap last");
  await eventually(
    async () => added,
    (names) => names.includes("last"),
  );
  const { items } = await client.list(ConfigMapKind, { namespace: "default" }, scope.signal);
  const stored = items.map(({ metadata }) => metadata.name).toSorted();
  expect(acknowledged.filter((name) => !stored.includes(name))).toEqual([]);
  expect(added.toSorted()).toEqual(stored);
  expect(
    informer.lister
      .list()
      .map(({ metadata }) => metadata.name)
      .toSorted(),
  ).toEqual(stored);

  const old = client.watch(ConfigMapKind, { namespace: "default", resourceVersion }, scope.signal)[Symbol.asyncIterator]();
  await expect(old.next()).rejects.toThrow(/^too old resource version: \d+ \(\d+\)$/);
});

test("after it the cluster works as before: nodes are Ready, pods start", async () => {
  await kubectl.eventually("get nodes --no-headers", (text) => / Ready /.test(text));
  await kubectl.ok("create deployment again --image=kubia --replicas=2");
  expect(await kubectl.ok("rollout status deployment/again --timeout=60s")).toMatch(/successfully rolled out\n$/);
});

test("status tells what runs; up starts what does not, with everything that was there", async () => {
  const running = await navarch("status", "--name", NAME);
  expect(running).toMatchObject({ code: 0, stderr: "" });
  expect(running.stdout).toMatch(
    new RegExp(
      `^Cluster ${NAME} at https://127\\.0\\.0\\.1:\\d+\nPrograms:\n {2}server +running \\(pid \\d+\\)\nNodes:\n {2}node-1 +Ready +192\\.0\\.2\\.1\n$`,
    ),
  );
  const before = await kubectl.ok("get deploy,rs,pods,cm -o name");
  const { pid: supervisor } = JSON.parse(await readFile(join(home, "run", NAME, "server.pid"), "utf8")) as { pid: number };
  const pid = await serverPid();
  process.kill(supervisor, "SIGKILL");
  process.kill(pid, "SIGKILL");

  const stopped = await eventually(
    () => navarch("status", "--name", NAME),
    ({ stdout }) => stdout.includes("not running"),
  );
  expect(stopped.code).toBe(1);
  expect(stopped.stdout).toMatch(/^ {2}server +not running$/m);
  expect(stopped.stdout).toMatch(/^ {2}API server does not answer: /m);
  expect(stopped.stdout).toContain(`Run "navarch up --name ${NAME}" to start what does not run\n`);

  expect(await up()).toMatchObject({ code: 0 });
  expect(await navarch("status", "--name", NAME)).toEqual({ ...running, stdout: expect.stringMatching(/^ {2}server +running/m) as string });
  expect(await kubectl.ok("get deploy,rs,pods,cm -o name")).toBe(before);
  await kubectl.ok("scale deployment again --replicas=3");
  expect(await kubectl.ok("rollout status deployment/again --timeout=60s")).toMatch(/successfully rolled out\n$/);
});

/** Writes ConfigMaps one after another, through everything that happens to the server. */
async function write(client: Client, writer: string, acknowledged: string[], signal: AbortSignal): Promise<void> {
  for (let n = 0; !signal.aborted; n++) {
    const name = `${writer}-${n}`;
    try {
      await client.create(
        ConfigMapKind,
        { apiVersion: "v1", kind: "ConfigMap", metadata: { name, namespace: "default" }, data: { name } },
        signal,
      );
      acknowledged.push(name);
    } catch {
      await sleep(20); // the server is gone, or the answer was: this name counts for nothing
    }
  }
}

async function down(): Promise<void> {
  const { code, stderr } = await navarch("down", "--name", NAME, "--kubeconfig", join(home, "kubeconfig"));
  await rm(home, { recursive: true, force: true });
  expect({ code, stderr }).toMatchObject({ code: 0 });
}

function up(): Promise<Result> {
  return navarch("up", "--simulate", "--nodes", "1", "--name", NAME, "--kubeconfig", join(home, "kubeconfig"));
}

async function serverPid(): Promise<number> {
  const pid = await serverPidOrNone();
  if (pid === undefined) throw new Error(`Cannot find the server of ${NAME}: status names no pid, it should run`);
  return pid;
}

async function serverPidOrNone(): Promise<number | undefined> {
  const { stdout } = await navarch("status", "--name", NAME);
  const [, pid] = /server +running \(pid (\d+)\)/.exec(stdout) ?? [];
  return pid === undefined ? undefined : Number(pid);
}

function navarch(...args: readonly string[]): Promise<Result> {
  return new Promise((resolve) => {
    execFile(
      join(ROOT, "navarch"),
      args,
      { env: { PATH: process.env["PATH"], HOME: home, NAVARCH_HOME: home } },
      (error, stdout, stderr) => {
        resolve({ code: error === null ? 0 : typeof error.code === "number" ? error.code : -1, stdout, stderr });
      },
    );
  });
}
