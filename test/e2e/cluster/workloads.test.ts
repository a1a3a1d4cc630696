import { beforeAll, describe, expect, test } from "vitest";
import type { EndpointSlice } from "#machinery/api/discovery-v1.ts";
import { KUBECTLS, type Kubectl, type TestCluster, openCluster, table } from "./harness.ts";

describe.each(KUBECTLS)("%s", (program) => {
  let cluster: TestCluster;
  let kubectl: Kubectl;
  beforeAll(async () => {
    cluster = await openCluster({ program });
    ({ kubectl } = cluster);
    return () => cluster[Symbol.asyncDispose]();
  });

  test("a Deployment rolls out, is listed as upstream lists it, and scales", async () => {
    expect(await kubectl.ok("create deployment web --image=kubia --replicas=3 --port=8080")).toBe("deployment.apps/web created\n");
    expect(await kubectl.ok("rollout status deployment/web --timeout=30s")).toMatch(/deployment "web" successfully rolled out\n$/);
    const deployments = table(await kubectl.ok("get deploy web -o wide"));
    expect(deployments.columns).toEqual(["NAME", "READY", "UP-TO-DATE", "AVAILABLE", "AGE", "CONTAINERS", "IMAGES", "SELECTOR"]);
    expect(deployments.rows).toMatchObject([
      { NAME: "web", READY: "3/3", "UP-TO-DATE": "3", AVAILABLE: "3", CONTAINERS: "kubia", IMAGES: "kubia", SELECTOR: "app=web" },
    ]);
    const sets = table(await kubectl.ok("get rs -l app=web -o wide"));
    expect(sets.columns).toEqual(["NAME", "DESIRED", "CURRENT", "READY", "AGE", "CONTAINERS", "IMAGES", "SELECTOR"]);
    expect(sets.rows[0]?.["NAME"]).toMatch(/^web-[bcdfghjklmnpqrstvwxz2456789]{6,10}$/);
    expect(sets.rows[0]?.["SELECTOR"]).toMatch(/^app=web,pod-template-hash=[bcdfghjklmnpqrstvwxz2456789]{6,10}$/);
    expect(await kubectl.ok("scale deployment web --replicas=5")).toBe("deployment.apps/web scaled\n");
    await kubectl.ok("wait --for=jsonpath={.status.readyReplicas}=5 deployment/web --timeout=30s");
    expect(await kubectl.fails("scale deployment web --replicas=1 --current-replicas=9")).toBe("error: Expected replicas to be 9, was 5\n");
    expect(await kubectl.ok("scale deployment web --replicas=2")).toBe("deployment.apps/web scaled\n");
    await kubectl.eventually("get pods -l app=web -o name", (text) => text.trim().split("\n").length === 2);
  });

  test("set image starts a second revision, history tells it, undo goes back", async () => {
    await kubectl.ok("create deployment roll --image=kubia:1 --replicas=2");
    await kubectl.ok("rollout status deployment/roll --timeout=30s");
    expect(await kubectl.ok("set image deployment/roll kubia=kubia:2")).toBe("deployment.apps/roll image updated\n");
    expect(await kubectl.ok("rollout status deployment/roll --timeout=30s")).toMatch(/deployment "roll" successfully rolled out\n$/);
    expect(await kubectl.ok("rollout history deployment/roll")).toBe(
      "deployment.apps/roll \nREVISION  CHANGE-CAUSE\n1         <none>\n2         <none>\n\n",
    );
    expect(await kubectl.ok("rollout undo deployment/roll")).toBe("deployment.apps/roll rolled back\n");
    await kubectl.ok("rollout status deployment/roll --timeout=30s");
    expect(await kubectl.ok(["get", "deploy", "roll", "-o", "jsonpath={.spec.template.spec.containers[0].image}"])).toBe("kubia:1");
    expect(await kubectl.ok("rollout history deployment/roll")).toContain("2         <none>\n3         <none>\n");
    expect(await kubectl.ok("rollout restart deployment/roll")).toBe("deployment.apps/roll restarted\n");
    await kubectl.ok("rollout status deployment/roll --timeout=30s");
    expect(table(await kubectl.ok("get rs -l app=roll")).rows).toHaveLength(3);
    expect(await kubectl.ok("rollout pause deployment/roll")).toBe("deployment.apps/roll paused\n");
    expect(await kubectl.ok("set env deployment/roll COLOR=blue")).toBe("deployment.apps/roll env updated\n");
    expect(await kubectl.ok("rollout resume deployment/roll")).toBe("deployment.apps/roll resumed\n");
    await kubectl.ok("rollout status deployment/roll --timeout=30s");
    expect(await kubectl.ok("set env deployment/roll --list")).toContain("COLOR=blue\n");
    const described = await kubectl.ok("describe deployment roll");
    expect(described).toMatch(/^Replicas: +2 desired \| 2 updated \| 2 total \| 2 available \| 0 unavailable$/m);
    expect(described).toMatch(
      /^ {2}Normal +ScalingReplicaSet +\S+ +(\(.*\) +)?deployment-controller +Scaled up replica set roll-\S+ from 0 to 2$/m,
    );
  });

  test("a rollout that cannot finish says what it waits for", async () => {
    await kubectl.ok("create deployment stuck --image=kubia --replicas=1");
    const patch = '{"spec":{"template":{"spec":{"nodeSelector":{"disk":"none-such"}}}}}';
    await kubectl.ok(["patch", "deploy", "stuck", "-p", patch]);
    await kubectl.ok("rollout status deployment/stuck --watch=false");
    const pod = await kubectl.eventually(
      "get pods -l app=stuck --field-selector status.phase=Pending -o name",
      (text) => text.trim() !== "",
    );
    const text = await kubectl.eventually(`describe ${pod.trim().split("\n")[0]}`, (all) => all.includes("FailedScheduling"));
    expect(text).toMatch(
      /^ {2}Warning +FailedScheduling +\S+ +default-scheduler +0\/2 nodes are available: 2 node\(s\) didn't match Pod's node affinity\/selector\. /m,
    );
    expect(await kubectl.fails("wait --for=condition=Ready pod -l app=stuck --timeout=1s")).toContain(
      "timed out waiting for the condition on pods/",
    );
    await kubectl.ok("delete deployment stuck");
  });

  test("delete cascades in the background, in the foreground, or not at all", async () => {
    const left = (name: string) => kubectl.ok(`get deploy,rs,pods -l app=${name} -o name`);
    for (const name of ["fore", "back", "orphan"]) {
      await kubectl.ok(`create deployment ${name} --image=kubia --replicas=2`);
      await kubectl.ok(`rollout status deployment/${name} --timeout=30s`);
    }
    await kubectl.ok("delete deployment fore --cascade=foreground --timeout=30s");
    expect(await left("fore")).toBe("");
    await kubectl.ok("delete deployment back");
    await kubectl.eventually("get deploy,rs,pods -l app=back -o name", (text) => text === "");
    await kubectl.ok("delete deployment orphan --cascade=orphan");
    const set = (await kubectl.ok("get rs -l app=orphan -o name")).trim();
    expect(set).toMatch(/^replicaset\.apps\/orphan-/);
    await kubectl.eventually(["get", set, "-o", "jsonpath={.metadata.ownerReferences}"], (text) => text === "");
    expect((await left("orphan")).trim().split("\n")).toHaveLength(3);
    await kubectl.ok(`delete ${set}`);
    await kubectl.eventually("get pods -l app=orphan -o name", (text) => text === "");
  });

  test("run makes a pod, expose a Service whose endpoints are the ready pods", async () => {
    expect(await kubectl.ok("run solo --image=kubia --port=8080")).toBe("pod/solo created\n");
    await kubectl.ok("wait --for=condition=Ready pod/solo --timeout=30s");
    expect(await kubectl.ok("expose pod solo --port=80 --target-port=8080")).toBe("service/solo exposed\n");
    const ip = await kubectl.ok(["get", "pod", "solo", "-o", "jsonpath={.status.podIP}"]);
    await kubectl.eventually("get endpoints solo --no-headers", (text) => text.includes(`${ip}:8080`));
    const { items } = await kubectl.json<{ items: readonly EndpointSlice[] }>(
      "get endpointslices -l kubernetes.io/service-name=solo -o json",
    );
    expect(items).toMatchObject([
      { addressType: "IPv4", ports: [{ port: 8080, protocol: "TCP" }], endpoints: [{ addresses: [ip], conditions: { ready: true } }] },
    ]);
    expect(await kubectl.ok("create deployment shown --image=kubia --port=8080")).toBe("deployment.apps/shown created\n");
    expect(await kubectl.ok("expose deployment shown --type=NodePort --name=outside")).toBe("service/outside exposed\n");
    const { columns, rows } = table(await kubectl.ok("get svc outside -o wide"));
    expect(columns).toEqual(["NAME", "TYPE", "CLUSTER-IP", "EXTERNAL-IP", "PORT(S)", "AGE", "SELECTOR"]);
    expect(rows).toMatchObject([{ TYPE: "NodePort", "EXTERNAL-IP": "<none>", SELECTOR: "app=shown" }]);
    expect(rows[0]?.["CLUSTER-IP"]).toMatch(/^10\.43\.\d+\.\d+$/);
    expect(rows[0]?.["PORT(S)"]).toMatch(/^8080:3[0-2]\d{3}\/TCP$/);
    expect(await kubectl.ok("run once --image=kubia --restart=Never --dry-run=client -o name")).toBe("pod/once\n");
    expect(await kubectl.ok("create service clusterip plain --tcp=80:8080")).toBe("service/plain created\n");
    expect(await kubectl.ok("delete pod solo --grace-period=0 --force")).toMatch(/^pod "solo" force deleted( from default namespace)?\n$/);
    await kubectl.eventually("get endpoints solo --no-headers", (text) => text.includes("<none>"));
  });

  test("other kinds are created, got and deleted", async () => {
    await kubectl.ok("create secret generic keys --from-literal=password=hunter2");
    expect(table(await kubectl.ok("get secret keys")).columns).toEqual(["NAME", "TYPE", "DATA", "AGE"]);
    expect(await kubectl.ok(["get", "secret", "keys", "-o", "jsonpath={.data.password}"])).toBe("aHVudGVyMg==");
    expect(await kubectl.ok("describe secret keys")).toMatch(/^password: +7 bytes$/m);
    await kubectl.ok("create serviceaccount robot");
    await kubectl.ok("create quota small --hard=pods=10");
    await kubectl.ok("create priorityclass high --value=1000");
    await kubectl.ok("create ingress front --rule=example.com/*=solo:80");
    expect(table(await kubectl.ok("get ingress front")).columns).toEqual(["NAME", "CLASS", "HOSTS", "ADDRESS", "PORTS", "AGE"]);
    await kubectl.ok("create poddisruptionbudget guard --selector=app=none --min-available=1");
    expect(table(await kubectl.ok("get pdb guard")).columns).toEqual([
      "NAME",
      "MIN AVAILABLE",
      "MAX UNAVAILABLE",
      "ALLOWED DISRUPTIONS",
      "AGE",
    ]);
    await kubectl.ok(
      "create cronjob nightly --image=kubia --schedule=0\u00a03\u00a0*\u00a0*\u00a0*"
        .split(" ")
        .map((word) => word.replaceAll("\u00a0", " ")),
    );
    expect(table(await kubectl.ok("get cronjob nightly")).columns).toEqual([
      "NAME",
      "SCHEDULE",
      "TIMEZONE",
      "SUSPEND",
      "ACTIVE",
      "LAST SCHEDULE",
      "AGE",
    ]);
    await kubectl.ok("create configmap every");
    await kubectl.ok("delete secret/keys serviceaccount/robot quota/small ingress/front pdb/guard cronjob/nightly configmap/every");
    await kubectl.ok("delete priorityclass high");
  });

  test("cordon keeps pods away, drain moves them, uncordon lets them back", async () => {
    await kubectl.ok("create deployment moving --image=kubia --replicas=4");
    await kubectl.ok("rollout status deployment/moving --timeout=30s");
    expect(await kubectl.ok("cordon node-1")).toBe("node/node-1 cordoned\n");
    expect(await kubectl.ok("cordon node-1")).toBe("node/node-1 already cordoned\n");
    expect(await kubectl.ok("get node node-1 --no-headers")).toMatch(/^node-1 +Ready,SchedulingDisabled /);
    const { code, stdout, stderr } = await kubectl("drain node-1 --ignore-daemonsets --delete-emptydir-data --force --timeout=50s");
    expect({ code, stderr }).toMatchObject({ code: 0 });
    expect(stdout).toMatch(/^node\/node-1 already cordoned\n/);
    expect(stdout).toMatch(/^evicting pod default\/moving-/m);
    expect(stdout).toMatch(/^pod\/moving-\S+ evicted$/m);
    expect(stdout).toMatch(/node\/node-1 drained\n$/);
    await kubectl.ok("rollout status deployment/moving --timeout=30s");
    expect(await kubectl.ok("get pods -A --field-selector spec.nodeName=node-1 -o name")).toBe("");
    expect(table(await kubectl.ok("get pods -l app=moving -o wide")).rows.map((row) => row["NODE"])).toEqual(Array(4).fill("node-2"));
    expect(await kubectl.ok("uncordon node-1")).toBe("node/node-1 uncordoned\n");
    await kubectl.ok("scale deployment moving --replicas=8");
    await kubectl.ok("rollout status deployment/moving --timeout=30s");
    expect(await kubectl.ok("get pods -l app=moving --field-selector spec.nodeName=node-1 -o name")).not.toBe("");
  });

  test("a disruption budget holds an eviction back", async () => {
    await kubectl.ok("create deployment guarded --image=kubia --replicas=1");
    await kubectl.ok("rollout status deployment/guarded --timeout=30s");
    await kubectl.ok("create poddisruptionbudget guarded --selector=app=guarded --min-available=1");
    const allowed = (disruptionsAllowed: number) =>
      JSON.stringify({ status: { observedGeneration: 1, disruptionsAllowed, currentHealthy: 1, desiredHealthy: 1, expectedPods: 1 } });
    await kubectl.ok(["patch", "pdb", "guarded", "--subresource=status", "--type=merge", "-p", allowed(0)]);
    const node = await kubectl.ok(["get", "pods", "-l", "app=guarded", "-o", "jsonpath={.items[0].spec.nodeName}"]);
    const refused = await kubectl.fails(`drain ${node} --pod-selector=app=guarded --timeout=1s`);
    expect(refused).toMatch(
      /error when evicting pods\/"guarded-\S+" -n "default" \(will retry after 5s\): Cannot evict pod as it would violate the pod's disruption budget\.\n/,
    );
    expect(await kubectl.ok("get pods -l app=guarded -o name")).toMatch(/^pod\/guarded-/);
    await kubectl.ok("delete pdb guarded");
    expect(await kubectl.ok(`drain ${node} --pod-selector=app=guarded --timeout=20s`)).toMatch(/ evicted\n/);
    await kubectl.ok(`uncordon ${node}`);
  });
});
