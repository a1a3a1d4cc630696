import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, test } from "vitest";
import { KUBECTLS, type Kubectl, type TestCluster, openCluster, table } from "./harness.ts";

const MANIFEST = fileURLToPath(new URL("../../../examples/01-kubia/kubia.yaml", import.meta.url));

describe.each(KUBECTLS)("%s", (program) => {
  let cluster: TestCluster;
  let kubectl: Kubectl;
  beforeAll(async () => {
    cluster = await openCluster({ program });
    ({ kubectl } = cluster);
    expect(await kubectl.ok(["apply", "-f", MANIFEST])).toBe("replicationcontroller/kubia created\nservice/kubia created\n");
    return () => cluster[Symbol.asyncDispose]();
  });

  const pods = async () => table(await kubectl.ok("get pods -l app=kubia -o wide")).rows;
  /** Addresses of the Service's endpoints, as its slices give them, sorted. */
  const addresses = async () =>
    (
      await kubectl.ok([
        "get",
        "endpointslices",
        "-l",
        "kubernetes.io/service-name=kubia",
        "-o",
        "jsonpath={.items[*].endpoints[*].addresses[0]}",
      ])
    )
      .split(" ")
      .filter((address) => address !== "")
      .sort();
  const settled = (count: number) =>
    kubectl.eventually(
      "get pods -l app=kubia --no-headers",
      (text) => text.match(/ 1\/1 +Running /g)?.length === count && lines(text) === count,
    );

  test("three pods, Running and Ready, on both nodes", async () => {
    await settled(3);
    const rows = await pods();
    expect(rows.map((row) => [row["READY"], row["STATUS"], row["RESTARTS"]])).toEqual(
      Array.from({ length: 3 }, () => ["1/1", "Running", "0"]),
    );
    expect([...new Set(rows.map((row) => String(row["NODE"])))].sort()).toEqual(["node-1", "node-2"]);
    expect(new Set(rows.map((row) => row["IP"])).size).toBe(3);
    for (const row of rows) expect(row["NAME"]).toMatch(/^kubia-[bcdfghjklmnpqrstvwxz2456789]{5}$/);
  });

  test("applying it again changes nothing", async () => {
    expect(await kubectl.ok(["apply", "-f", MANIFEST])).toBe("replicationcontroller/kubia unchanged\nservice/kubia unchanged\n");
    expect(await kubectl(["diff", "-f", MANIFEST])).toMatchObject({ code: 0, stdout: "" });
  });

  test("get po,svc,rc,ep,endpointslices -o wide prints upstream's columns", async () => {
    await kubectl.eventually("get ep kubia --no-headers", (text) => text.match(/:8080/g)?.length === 3);
    const parts = (await kubectl.ok("get po,svc,rc,ep,endpointslices -o wide")).trimEnd().split("\n\n");
    expect(parts.map((part) => part.split("\n")[0]?.split(/\s{2,}/))).toEqual([
      ["NAME", "READY", "STATUS", "RESTARTS", "AGE", "IP", "NODE", "NOMINATED NODE", "READINESS GATES"],
      ["NAME", "TYPE", "CLUSTER-IP", "EXTERNAL-IP", "PORT(S)", "AGE", "SELECTOR"],
      ["NAME", "DESIRED", "CURRENT", "READY", "AGE", "CONTAINERS", "IMAGES", "SELECTOR"],
      ["NAME", "ENDPOINTS", "AGE"],
      ["NAME", "ADDRESSTYPE", "PORTS", "ENDPOINTS", "AGE"],
    ]);
    const [podTable = "", serviceTable = "", controllerTable = "", endpointsTable = "", sliceTable = ""] = parts;
    expect(podTable.split("\n")[0]).toBe(
      "NAME              READY   STATUS    RESTARTS   AGE   IP          NODE     NOMINATED NODE   READINESS GATES",
    );
    expect(podTable).toMatch(/^pod\/kubia-\w{5} +1\/1 +Running +0 +\S+ +10\.42\.[01]\.\d+ +node-[12] +<none> +<none>$/m);
    expect(serviceTable).toMatch(/^service\/kubernetes +ClusterIP +10\.43\.0\.1 +<none> +443\/TCP +\S+ +<none>$/m);
    expect(serviceTable).toMatch(/^service\/kubia +ClusterIP +10\.43\.\d+\.\d+ +<none> +80\/TCP +\S+ +app=kubia$/m);
    expect(controllerTable.split("\n")[0]).toBe(
      "NAME                          DESIRED   CURRENT   READY   AGE   CONTAINERS   IMAGES   SELECTOR",
    );
    expect(controllerTable).toMatch(/^replicationcontroller\/kubia +3 +3 +3 +\S+ +kubia +kubia +app=kubia$/m);
    expect(endpointsTable).toMatch(/^endpoints\/kubia +10\.42\.\d\.\d+:8080,10\.42\.\d\.\d+:8080,10\.42\.\d\.\d+:8080 +\S+$/m);
    expect(sliceTable).toMatch(
      /^endpointslice\.discovery\.k8s\.io\/kubia-\w{5} +IPv4 +8080 +10\.42\.\d\.\d+,10\.42\.\d\.\d+,10\.42\.\d\.\d+ +\S+$/m,
    );
  });

  test("the endpoints API says that it is deprecated", async () => {
    expect((await kubectl("get endpoints kubia")).stderr).toBe(
      "Warning: v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice\n",
    );
  });

  test("a deleted pod is replaced and the endpoints follow", async () => {
    await settled(3);
    const [victim] = await pods();
    await kubectl.ok(`delete pod ${victim?.["NAME"]}`);
    await settled(3);
    const now = await pods();
    expect(now.map((row) => row["NAME"])).not.toContain(victim?.["NAME"]);
    await expect.poll(addresses, { timeout: 10_000 }).toEqual(now.map((row) => String(row["IP"])).sort());
    expect(await kubectl.ok("describe rc kubia")).toMatch(
      /^ {2}Normal +SuccessfulCreate +\S+ .*replication-controller +Created pod: kubia-\w{5}$/m,
    );
  });

  test("scaling adds and removes pods, and endpoints with them", async () => {
    expect(await kubectl.ok("scale rc kubia --replicas=6")).toBe("replicationcontroller/kubia scaled\n");
    await settled(6);
    await expect.poll(async () => (await addresses()).length, { timeout: 10_000 }).toBe(6);
    expect(await kubectl.ok("scale --replicas=0 rc/kubia")).toBe("replicationcontroller/kubia scaled\n");
    await kubectl.eventually("get pods -l app=kubia --no-headers", (text) => text === "");
    await expect.poll(addresses, { timeout: 10_000 }).toEqual([]);
    await kubectl.ok("scale rc kubia --replicas=3");
    await settled(3);
    await expect.poll(async () => (await addresses()).length, { timeout: 10_000 }).toBe(3);
  });

  test("a pod that loses its label is released and replaced", async () => {
    await settled(3);
    const name = (await pods())[0]?.["NAME"] ?? "";
    await kubectl.ok(`label pod ${name} app=free --overwrite`);
    await settled(3);
    await kubectl.eventually(["get", "pod", name, "-o", "jsonpath={.metadata.ownerReferences}"], (text) => text === "");
    await kubectl.ok(`delete pod ${name}`);
  });

  test("deleting the controller deletes its pods, deleting the Service its slices", async () => {
    expect(await kubectl.ok(["delete", "-f", MANIFEST])).toMatch(/^replicationcontroller "kubia" deleted.*\nservice "kubia" deleted.*\n$/);
    await kubectl.eventually("get pods -l app=kubia --no-headers", (text) => text === "");
    await kubectl.eventually("get endpointslices -l kubernetes.io/service-name=kubia --no-headers", (text) => text === "");
    expect(await kubectl.fails("get endpoints kubia")).toContain('endpoints "kubia" not found');
  });
});

function lines(text: string): number {
  return text.trimEnd().split("\n").length;
}
