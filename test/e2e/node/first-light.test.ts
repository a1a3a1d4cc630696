import { spawn } from "node:child_process";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { exec, execResult } from "#base/node/exec.ts";
import { eventually, type RealCluster, startRealCluster } from "./support/navarch.ts";

const NAME = `t${process.pid}`;
const { signal } = new AbortController();
let cluster: RealCluster;

interface PodItem {
  readonly metadata: { readonly name: string; readonly uid: string };
  readonly spec: { readonly nodeName: string };
  readonly status: {
    readonly podIP: string;
    readonly containerStatuses?: readonly { readonly ready: boolean; readonly restartCount: number; readonly containerID: string }[];
  };
}

beforeAll(async () => {
  await exec([process.execPath, "scripts/build.mjs"], { signal });
  cluster = await startRealCluster(NAME);
  await cluster.kubectl("apply", "-f", "examples/01-kubia/kubia.yaml");
  await readyPods(3);
});

afterAll(async () => {
  await cluster?.[Symbol.asyncDispose]();
});

async function pods(selector = "app=kubia"): Promise<PodItem[]> {
  return (JSON.parse(await cluster.kubectl("get", "pods", "-l", selector, "-o", "json")) as { items: PodItem[] }).items;
}

function readyPods(count: number): Promise<PodItem[]> {
  return eventually(`${count} ready pods`, async () => {
    const items = await pods();
    return items.length === count && items.every((pod) => pod.status.containerStatuses?.every(({ ready }) => ready) === true)
      ? items
      : undefined;
  });
}

const serviceIp = () => cluster.kubectl("get", "service", "kubia", "-o", "jsonpath={.spec.clusterIP}");
const inPod = (pod: string, ...argv: readonly string[]) => cluster.kubectl("exec", pod, "--", ...argv);
const curl = (url: string) => ["curl", "--silent", "--show-error", "--max-time", "5", url] as const;

/** Who answered: bounded in count, until all wanted have been seen. */
async function answers(ask: () => Promise<string>, wanted: readonly string[], most = 60): Promise<Set<string>> {
  const seen = new Set<string>();
  for (let i = 0; i < most && seen.size < wanted.length; i++) seen.add((await ask()).trim().replace("You've hit ", ""));
  return seen;
}

describe("nodes", () => {
  test("are Ready, with addresses, versions and runtime", async () => {
    const table = await cluster.kubectl("get", "nodes", "-o", "wide");
    expect(table.split("\n")[0]).toMatch(
      /^NAME +STATUS +ROLES +AGE +VERSION +INTERNAL-IP +EXTERNAL-IP +OS-IMAGE +KERNEL-VERSION +CONTAINER-RUNTIME$/,
    );
    for (const node of ["node-1", "node-2"])
      expect(table).toMatch(new RegExp(`${node} +Ready +<none> +\\S+ +v1\\.36\\S* +10\\.89\\.\\d+\\.\\d+ +<none> +\\S.*containerd://1`));
  });
});

describe("kubia", () => {
  test("spreads over both nodes", async () => {
    expect(new Set((await pods()).map((pod) => pod.spec.nodeName))).toEqual(new Set(["node-1", "node-2"]));
  });

  test("answers through the Service's address from each node and from pods on each node", async () => {
    const items = await pods();
    const names = items.map((pod) => pod.metadata.name);
    const ip = await serviceIp();
    for (const node of [1, 2]) expect(await answers(() => cluster.onNode(node, ...curl(`http://${ip}/`)), names)).toEqual(new Set(names));
    for (const node of ["node-1", "node-2"]) {
      const pod = items.find(({ spec }) => spec.nodeName === node)?.metadata.name ?? "";
      // All three, the pod itself among them: a pod reaches itself through its own Service.
      expect(await answers(() => inPod(pod, ...curl(`http://${ip}/`)), names)).toEqual(new Set(names));
    }
  });

  test("pods reach each other on both nodes by their own addresses, without NAT", async () => {
    const items = await pods();
    for (const from of items)
      for (const to of items) {
        const answer = await inPod(from.metadata.name, ...curl(`http://${to.status.podIP}:8080/`));
        expect(answer.trim()).toBe(`You've hit ${to.metadata.name}`);
      }
    for (const node of [1, 2])
      for (const to of items) expect(await cluster.onNode(node, ...curl(`http://${to.status.podIP}:8080/`))).toContain(to.metadata.name);
    const [a, b] = [items.find((p) => p.spec.nodeName === "node-1"), items.find((p) => p.spec.nodeName === "node-2")];
    const listener = spawn(
      "kubectl",
      [
        "exec",
        b?.metadata.name ?? "",
        "--",
        "node",
        "-e",
        "require('http').createServer((q,s)=>s.end(q.socket.remoteAddress)).listen(8099)",
      ],
      {
        env: { ...process.env, KUBECONFIG: cluster.kubeconfig },
        stdio: "ignore",
      },
    );
    try {
      const seen = await eventually("an answer of the listener", () =>
        inPod(a?.metadata.name ?? "", ...curl(`http://${b?.status.podIP}:8099/`)),
      );
      expect(seen.replace("::ffff:", "")).toBe(a?.status.podIP);
    } finally {
      listener.kill("SIGKILL");
    }
  });

  test("pods made after the Service have its environment", async () => {
    const [pod] = await pods();
    const env = await inPod(pod?.metadata.name ?? "", "env");
    const ip = await serviceIp();
    expect(env).toContain("KUBERNETES_SERVICE_HOST=10.43.0.1\n");
    expect(env).toContain("KUBERNETES_SERVICE_PORT=443\n");
    await cluster.kubectl("delete", "pod", pod?.metadata.name ?? "", "--wait=true");
    const fresh = (await readyPods(3)).find(({ metadata }) => metadata.uid !== pod?.metadata.uid && metadata.name !== pod?.metadata.name);
    const later = await inPod(fresh?.metadata.name ?? "", "env");
    for (const line of [
      `KUBIA_SERVICE_HOST=${ip}`,
      "KUBIA_SERVICE_PORT=80",
      `KUBIA_PORT=tcp://${ip}:80`,
      `KUBIA_PORT_80_TCP=tcp://${ip}:80`,
      `KUBIA_PORT_80_TCP_ADDR=${ip}`,
    ])
      expect(later.split("\n")).toContain(line);
  });

  test("names are answered by the cluster's DNS, and resolv.conf is upstream's", async () => {
    const [pod] = await pods();
    const name = pod?.metadata.name ?? "";
    const ip = await serviceIp();
    expect((await inPod(name, "cat", "/etc/resolv.conf")).trim().split("\n").slice(0, 3)).toEqual(
      expect.arrayContaining([
        "nameserver 10.43.0.10",
        "options ndots:5",
        expect.stringMatching(/^search default\.svc\.cluster\.local svc\.cluster\.local cluster\.local/),
      ]),
    );
    expect(await inPod(name, "nslookup", "kubia.default.svc.cluster.local")).toContain(ip);
    expect((await cluster.kubectlResult(["exec", name, "--", "nslookup", "kubia"])).stdout).toContain(ip);
    expect(await inPod(name, ...curl("http://kubia/"))).toContain("You've hit kubia-");
  });
});

describe("kubectl on containers", () => {
  test("exec passes output, input and exit code", async () => {
    const [pod] = await pods();
    const name = pod?.metadata.name ?? "";
    const failing = await cluster.kubectlResult(["exec", name, "--", "sh", "-c", "echo out; echo err >&2; exit 3"]);
    expect(failing).toMatchObject({ code: 3, stdout: "out\n" });
    expect(failing.stderr).toContain("err\ncommand terminated with exit code 3");
    expect((await cluster.kubectlResult(["exec", "-i", name, "--", "cat"], "through\n")).stdout).toBe("through\n");
  });

  test("logs show what the container wrote, and -p what the one before wrote", async () => {
    const manifest = {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name: "ends" },
      spec: {
        containers: [
          {
            name: "main",
            image: "busybox",
            imagePullPolicy: "IfNotPresent",
            command: ["sh", "-c", "echo run of $HOSTNAME; sleep 1; exit 7"],
          },
        ],
      },
    };
    await cluster.kubectlResult(["apply", "-f", "-"], JSON.stringify(manifest));
    const restarted = await eventually("a restart", async () => {
      const pod = JSON.parse(await cluster.kubectl("get", "pod", "ends", "-o", "json")) as PodItem;
      return (pod.status.containerStatuses?.[0]?.restartCount ?? 0) >= 1 ? pod : undefined;
    });
    expect(restarted.status.containerStatuses?.[0]?.restartCount).toBeGreaterThanOrEqual(1);
    expect(await cluster.kubectl("logs", "-p", "ends")).toBe("run of ends\n");
    const described = await eventually("a back-off", async () => {
      const text = await cluster.kubectl("describe", "pod", "ends");
      return text.includes("Back-off restarting failed container main in pod ends_default(") ? text : undefined;
    });
    expect(described).toMatch(/Last State: +Terminated\n +Reason: +Error\n +Exit Code: +7/);
    await cluster.kubectl("delete", "pod", "ends", "--grace-period=1");
  });

  test("port-forward and cp reach the pod", async () => {
    const [pod] = await pods();
    const name = pod?.metadata.name ?? "";
    const forward = spawn("kubectl", ["port-forward", name, ":8080"], {
      env: { ...process.env, KUBECONFIG: cluster.kubeconfig },
      stdio: ["ignore", "pipe", "inherit"],
    });
    try {
      const port = await new Promise<string>((resolve) => {
        forward.stdout.on("data", (chunk: Buffer) => {
          const found = /127\.0\.0\.1:(\d+)/.exec(chunk.toString())?.[1];
          if (found !== undefined) resolve(found);
        });
      });
      expect(await exec(curl(`http://127.0.0.1:${port}/`), { signal })).toBe(`You've hit ${name}\n`);
    } finally {
      forward.kill("SIGKILL");
    }
    await cluster.kubectl("cp", "README.md", `${name}:/tmp/README.md`);
    expect(await inPod(name, "sh", "-c", "wc -c < /tmp/README.md")).toMatch(/^\d{3,}\n$/);
  });

  test("a pod that ignores SIGTERM is killed after its grace period, and its end is seen", async () => {
    const manifest = {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name: "stubborn" },
      spec: {
        containers: [
          {
            name: "main",
            image: "busybox",
            imagePullPolicy: "IfNotPresent",
            command: ["sh", "-c", "trap 'echo term' TERM; while :; do sleep 0.1; done"],
          },
        ],
      },
    };
    await cluster.kubectlResult(["apply", "-f", "-"], JSON.stringify(manifest));
    await cluster.kubectl("wait", "pod/stubborn", "--for=condition=Ready", "--timeout=30s");
    const started = Date.now();
    await cluster.kubectl("delete", "pod", "stubborn", "--grace-period=2", "--wait=true", "--timeout=30s");
    expect(Date.now() - started).toBeGreaterThan(1900);
  });
});

describe("faults", () => {
  test("a killed agent leaves containers and traffic alone, and the next one takes them over", async () => {
    const before = await readyPods(3);
    const ids = before.map((pod) => pod.status.containerStatuses?.[0]?.containerID).sort();
    const agent = await cluster.pid("agent-node-1");
    process.kill(agent, "SIGKILL");
    const ip = await serviceIp();
    for (let i = 0; i < 10; i++) expect(await cluster.onNode(1, ...curl(`http://${ip}/`))).toContain("You've hit kubia-");
    await eventually("a new agent", async () => ((await cluster.pid("agent-node-1")) === agent ? undefined : true));
    await cluster.kubectl("wait", "node/node-1", "--for=condition=Ready", "--timeout=30s");
    const after = await readyPods(3);
    expect(after.map((pod) => pod.status.containerStatuses?.[0]?.containerID).sort()).toEqual(ids);
    expect(after.map((pod) => pod.status.containerStatuses?.[0]?.restartCount)).toEqual(
      before.map((pod) => pod.status.containerStatuses?.[0]?.restartCount),
    );
  });

  test("a killed server comes back with every acknowledged write", async () => {
    const acknowledged: string[] = [];
    const server = await cluster.pid("server");
    for (let i = 0; i < 20; i++) {
      if (i === 12) process.kill(server, "SIGKILL");
      const { code } = await cluster.kubectlResult(["create", "configmap", `w${i}`, "--from-literal=i=1"]);
      if (code === 0) acknowledged.push(`configmap/w${i}`);
    }
    await eventually("an answer of the server", () => cluster.kubectl("get", "nodes"));
    const present = (await cluster.kubectl("get", "configmaps", "-o", "name")).trim().split("\n");
    expect(acknowledged.length).toBeGreaterThanOrEqual(12);
    for (const name of acknowledged) expect(present).toContain(name);
    await readyPods(3);
  });
});

describe("two clusters", () => {
  test("do not see each other, and down leaves nothing of one and all of the other", async () => {
    const other = await startRealCluster(`${NAME}b`, { nodes: 1 });
    expect(await other.kubectl("get", "nodes", "-o", "name")).toBe("node/node-1\n");
    expect(await other.kubectl("get", "services", "-o", "name")).toBe("service/kubernetes\n");
    await other[Symbol.asyncDispose]();
    const left = await execResult(
      [
        "sh",
        "-c",
        `ip netns list; ip -br link; nft list tables; mount; cat /proc/*/cgroup 2>/dev/null; find /sys/fs/cgroup -name 'navarch-${NAME}b*'`,
      ],
      { signal },
    );
    expect(left.stdout).not.toContain(`${NAME}b`);
    expect(await cluster.kubectl("get", "nodes", "-o", "name")).toBe("node/node-1\nnode/node-2\n");
    await readyPods(3);
  });
});
