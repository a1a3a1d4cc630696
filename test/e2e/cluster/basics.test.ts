import { beforeAll, describe, expect, test } from "vitest";
import { KUBECTLS, type Kubectl, type TestCluster, build, openCluster, table } from "./harness.ts";

/** What upstream 1.36 serves without feature gates, in the order of `kubectl api-resources -o name | sort`. */
const RESOURCES = `
apiservices.apiregistration.k8s.io bindings certificatesigningrequests.certificates.k8s.io clusterrolebindings.rbac.authorization.k8s.io
clusterroles.rbac.authorization.k8s.io componentstatuses configmaps controllerrevisions.apps cronjobs.batch csidrivers.storage.k8s.io
csinodes.storage.k8s.io csistoragecapacities.storage.k8s.io customresourcedefinitions.apiextensions.k8s.io daemonsets.apps deployments.apps
deviceclasses.resource.k8s.io endpoints endpointslices.discovery.k8s.io events events.events.k8s.io flowschemas.flowcontrol.apiserver.k8s.io
horizontalpodautoscalers.autoscaling ingressclasses.networking.k8s.io ingresses.networking.k8s.io ipaddresses.networking.k8s.io jobs.batch
leases.coordination.k8s.io limitranges localsubjectaccessreviews.authorization.k8s.io
mutatingadmissionpolicies.admissionregistration.k8s.io mutatingadmissionpolicybindings.admissionregistration.k8s.io
mutatingwebhookconfigurations.admissionregistration.k8s.io namespaces networkpolicies.networking.k8s.io nodes persistentvolumeclaims
persistentvolumes poddisruptionbudgets.policy pods podtemplates priorityclasses.scheduling.k8s.io
prioritylevelconfigurations.flowcontrol.apiserver.k8s.io replicasets.apps replicationcontrollers resourceclaims.resource.k8s.io
resourceclaimtemplates.resource.k8s.io resourcequotas resourceslices.resource.k8s.io rolebindings.rbac.authorization.k8s.io
roles.rbac.authorization.k8s.io runtimeclasses.node.k8s.io secrets selfsubjectaccessreviews.authorization.k8s.io
selfsubjectreviews.authentication.k8s.io selfsubjectrulesreviews.authorization.k8s.io serviceaccounts servicecidrs.networking.k8s.io services
statefulsets.apps storageclasses.storage.k8s.io subjectaccessreviews.authorization.k8s.io tokenreviews.authentication.k8s.io
validatingadmissionpolicies.admissionregistration.k8s.io validatingadmissionpolicybindings.admissionregistration.k8s.io
validatingwebhookconfigurations.admissionregistration.k8s.io volumeattachments.storage.k8s.io volumeattributesclasses.storage.k8s.io`
  .trim()
  .split(/\s+/);

const GROUPS = `admissionregistration.k8s.io/v1 apiextensions.k8s.io/v1 apiregistration.k8s.io/v1 apps/v1 authentication.k8s.io/v1
authorization.k8s.io/v1 autoscaling/v1 autoscaling/v2 batch/v1 certificates.k8s.io/v1 coordination.k8s.io/v1 discovery.k8s.io/v1
events.k8s.io/v1 flowcontrol.apiserver.k8s.io/v1 networking.k8s.io/v1 node.k8s.io/v1 policy/v1 rbac.authorization.k8s.io/v1
resource.k8s.io/v1 scheduling.k8s.io/v1 storage.k8s.io/v1 v1`.split(/\s+/);

const POD = (name: string) => `
apiVersion: v1
kind: Pod
metadata:
  name: ${name}
  labels: {app: ${name}}
spec:
  containers:
    - name: main
      image: kubia
      imagePullPolicy: IfNotPresent
      ports: [{containerPort: 8080}]
`;

describe.each(KUBECTLS)("%s", (program) => {
  let cluster: TestCluster;
  let kubectl: Kubectl;
  beforeAll(async () => {
    await build();
    cluster = await openCluster({ program });
    ({ kubectl } = cluster);
    return () => cluster[Symbol.asyncDispose]();
  });

  test("get nodes -o wide shows two Ready nodes with versions, addresses, OS image and runtime", async () => {
    const { columns, rows } = table(await kubectl.ok("get nodes -o wide"));
    expect(columns).toEqual([
      "NAME",
      "STATUS",
      "ROLES",
      "AGE",
      "VERSION",
      "INTERNAL-IP",
      "EXTERNAL-IP",
      "OS-IMAGE",
      "KERNEL-VERSION",
      "CONTAINER-RUNTIME",
    ]);
    expect(rows.map(({ NAME, STATUS, ROLES }) => [NAME, STATUS, ROLES])).toEqual([
      ["node-1", "Ready", "<none>"],
      ["node-2", "Ready", "<none>"],
    ]);
    for (const row of rows) {
      expect(row["VERSION"]).toMatch(/^v1\.36\.\d+/);
      expect(row["INTERNAL-IP"]).toMatch(/^192\.0\.2\.\d$/);
      expect(row["OS-IMAGE"]).not.toBe("<unknown>");
      expect(row["CONTAINER-RUNTIME"]).toMatch(/^navarch-simulated:\/\//);
    }
  });

  test("version and cluster-info tell the server", async () => {
    expect(await kubectl.ok("version")).toMatch(/^Server Version: v1\.36\.\d+\+navarch/m);
    const { serverVersion } = await kubectl.json<{ serverVersion: Record<string, string> }>("version -o json");
    expect(serverVersion).toMatchObject({ major: "1", minor: "36", platform: "linux/amd64" });
    const info = await kubectl.ok("cluster-info");
    expect(info).toContain(`Kubernetes control plane is running at ${cluster.url}\n`);
    expect(info).toContain(`CoreDNS is running at ${cluster.url}/api/v1/namespaces/kube-system/services/kube-dns:dns/proxy\n`);
  });

  test("api-versions and api-resources list what upstream serves", async () => {
    expect((await kubectl.ok("api-versions")).trim().split("\n")).toEqual(GROUPS);
    expect((await kubectl.ok("api-resources -o name")).trim().split("\n").sort()).toEqual(RESOURCES);
    const { rows } = table(await kubectl.ok("api-resources -o wide"));
    expect(rows.find(({ NAME }) => NAME === "pods")).toEqual({
      NAME: "pods",
      SHORTNAMES: "po",
      APIVERSION: "v1",
      NAMESPACED: "true",
      KIND: "Pod",
      VERBS: "create,delete,deletecollection,get,list,patch,update,watch",
      CATEGORIES: "all",
    });
    expect(rows.find(({ NAME }) => NAME === "deployments")).toMatchObject({
      SHORTNAMES: "deploy",
      APIVERSION: "apps/v1",
      CATEGORIES: "all",
    });
    expect(rows.find(({ NAME }) => NAME === "bindings")).toMatchObject({ SHORTNAMES: "", VERBS: "create" });
  });

  test("explain tells fields, types and descriptions", async () => {
    const ports = await kubectl.ok("explain service.spec.ports");
    expect(ports).toMatch(/^KIND: {7}Service\nVERSION: {4}v1\n\nFIELD: ports <\[\]ServicePort>\n/);
    expect(ports).toContain("The list of ports that are exposed by this service.");
    const fields = [...ports.matchAll(/^ {2}(\w+)\t<(.*)$/gm)].map(([, name, type]) => `${name} <${type}`);
    expect(fields).toEqual([
      "appProtocol <string>",
      "name <string>",
      "nodePort <integer>",
      "port <integer> -required-",
      "protocol <string>",
      "targetPort <IntOrString>",
    ]);
    expect(await kubectl.ok("explain deployments --recursive")).toMatch(
      /^GROUP: {6}apps\nKIND: {7}Deployment\nVERSION: {4}v1\n[^]*\n {2}spec\t<DeploymentSpec>\n[^]*\n {4}replicas\t<integer>\n/,
    );
    expect(await kubectl.ok("explain pod.spec.containers.resources --recursive")).toContain("  limits\t<map[string]Quantity>\n");
    expect(await kubectl.ok("explain networkpolicy.spec.policyTypes")).toContain("FIELD: policyTypes <[]string>");
    expect(await kubectl.fails("explain pod.spec.nope")).toBe('error: field "nope" does not exist\n');
  });

  test("get knows every output format", async () => {
    await kubectl.ok("create configmap formats --from-literal=a=1 --from-literal=b=2");
    await kubectl.ok("label configmap formats kind=demo");
    expect(await kubectl.ok("get configmap formats -o name")).toBe("configmap/formats\n");
    expect(await kubectl.ok(["get", "cm", "formats", "-o", "jsonpath={.data.b} {.metadata.namespace}"])).toBe("2 default");
    expect(await kubectl.ok("get cm formats -o custom-columns=WHO:.metadata.name,A:.data.a,NONE:.data.none")).toBe(
      "WHO       A     NONE\nformats   1     <none>\n",
    );
    expect(await kubectl.ok(["get", "cm", "formats", "-o", "go-template={{range $k, $v := .data}}{{$k}}={{$v}};{{end}}"])).toBe("a=1;b=2;");
    const yaml = await kubectl.ok("get cm formats -o yaml");
    expect(yaml).toMatch(
      /^apiVersion: v1\ndata:\n {2}a: "1"\n {2}b: "2"\nkind: ConfigMap\nmetadata:\n {2}creationTimestamp: "\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"\n {2}labels:\n {4}kind: demo\n {2}name: formats\n {2}namespace: default\n {2}resourceVersion: "\d+"\n {2}uid: [0-9a-f-]{36}\n$/,
    );
    const json = await kubectl.json<{ kind: string; items: { data: Record<string, string> }[] }>("get cm -l kind=demo -o json");
    expect(json).toMatchObject({ kind: "List", items: [{ kind: "ConfigMap", data: { a: "1", b: "2" } }] });
    expect(await kubectl.ok("get cm formats --show-labels --no-headers")).toMatch(/^formats +2 +\d+s +kind=demo\n$/);
    expect(table(await kubectl.ok("get cm -l kind=demo -L kind")).columns).toEqual(["NAME", "DATA", "AGE", "KIND"]);
    expect(await kubectl.ok("get --raw /readyz")).toBe("ok");
  });

  test("selectors, sorting, chunks and namespaces narrow a list", async () => {
    for (const [name, tier] of Object.entries({ "sel-a": "web", "sel-b": "web", "sel-c": "db" })) {
      await kubectl.ok(`create configmap ${name}`);
      await kubectl.ok(`label cm ${name} tier=${tier} set=sel`);
    }
    const names = async (args: string) => (await kubectl.ok(`get cm ${args} -o name`)).trim().split("\n");
    expect(await names("-l tier=web")).toEqual(["configmap/sel-a", "configmap/sel-b"]);
    expect(await names("-l set=sel,tier!=web")).toEqual(["configmap/sel-c"]);
    expect((await kubectl.ok(["get", "cm", "-l", "tier in (web,db)", "-o", "name"])).trim().split("\n")).toHaveLength(3);
    expect(await names("--field-selector metadata.name=sel-b")).toEqual(["configmap/sel-b"]);
    expect(await names("-l set=sel --chunk-size=1")).toEqual(["configmap/sel-a", "configmap/sel-b", "configmap/sel-c"]);
    expect(await names("-l set=sel --sort-by={.metadata.labels.tier}")).toEqual(["configmap/sel-c", "configmap/sel-a", "configmap/sel-b"]);
    expect(table(await kubectl.ok("get cm -A -l set=sel")).columns).toEqual(["NAMESPACE", "NAME", "DATA", "AGE"]);
    expect(await kubectl("get pods -n kube-public")).toEqual({
      code: 0,
      stdout: "",
      stderr: "No resources found in kube-public namespace.\n",
    });
    expect(await kubectl.fails("get cm --field-selector spec.x=1")).toBe(
      'Error from server (BadRequest): Unable to find "/v1, Resource=configmaps" that match label selector "", field selector "spec.x=1": "spec.x" is not a known field selector: only "metadata.name", "metadata.namespace"\n',
    );
    expect(await kubectl.fails("get pods --field-selector spec.x=1")).toBe(
      'Error from server (BadRequest): Unable to find "/v1, Resource=pods" that match label selector "", field selector "spec.x=1": field label not supported: spec.x\n',
    );
  });

  test("get all and several kinds at once are tables of their own", async () => {
    const all = (await kubectl.ok("get all")).trimEnd().split("\n\n").map(table);
    expect(all.map(({ columns }) => columns)).toEqual([["NAME", "TYPE", "CLUSTER-IP", "EXTERNAL-IP", "PORT(S)", "AGE"]]);
    expect(all[0]?.rows).toMatchObject([
      { NAME: "service/kubernetes", TYPE: "ClusterIP", "CLUSTER-IP": "10.43.0.1", "PORT(S)": "443/TCP" },
    ]);
    expect(await kubectl.ok("get svc/kubernetes ns/default -o name")).toBe("service/kubernetes\nnamespace/default\n");
    expect(await kubectl("get componentstatuses")).toMatchObject({
      code: 0,
      stderr: "Warning: v1 ComponentStatus is deprecated in v1.19+\nNo resources found\n",
    });
  });

  test("errors of get are upstream's", async () => {
    expect(await kubectl("get pod nope")).toEqual({ code: 1, stdout: "", stderr: 'Error from server (NotFound): pods "nope" not found\n' });
    expect(await kubectl.fails("get foos")).toBe('error: the server doesn\'t have a resource type "foos"\n');
    await kubectl.ok("create configmap twice");
    expect(await kubectl.fails("create configmap twice")).toBe('error: failed to create configmap: configmaps "twice" already exists\n');
    expect(await kubectl.fails("create -f -", { input: "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: twice}" })).toBe(
      'Error from server (AlreadyExists): error when creating "STDIN": configmaps "twice" already exists\n',
    );
    expect(await kubectl.fails("create configmap x -n nowhere")).toBe(
      'error: failed to create configmap: namespaces "nowhere" not found\n',
    );
    expect(await kubectl.fails("get --raw /apis/nope.example/v1")).toContain("the server could not find the requested resource");
  });

  test("get -w shows events in order", async () => {
    await using watch = kubectl.follow("get cm -l set=watched -w --output-watch-events --no-headers");
    await kubectl.ok("create -f -", { input: "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: watched, labels: {set: watched}}" });
    await watch.until((text) => text.includes("ADDED"));
    for (const data of ['{"data":{"a":"1"}}', '{"data":{"b":"2"}}']) await kubectl.ok(["patch", "cm", "watched", "-p", data]);
    await kubectl.ok("delete cm watched");
    const text = await watch.until((all) => all.includes("DELETED"));
    expect(
      text
        .trimEnd()
        .split("\n")
        .map((line) => line.split(/\s+/).slice(0, 3)),
    ).toEqual([
      ["ADDED", "watched", "0"],
      ["MODIFIED", "watched", "1"],
      ["MODIFIED", "watched", "2"],
      ["DELETED", "watched", "2"],
    ]);
  });

  test("an object that leaves a selector is deleted for its watcher", async () => {
    await kubectl.ok("create configmap leaver");
    await using watch = kubectl.follow("get cm -l in=yes -w --output-watch-events --no-headers");
    await kubectl.ok("label cm leaver in=yes");
    await watch.until((text) => /^ADDED +leaver/m.test(text));
    await kubectl.ok("label cm leaver in=no --overwrite");
    await watch.until((text) => /^DELETED +leaver/m.test(text));
  });

  test("describe pod tells its containers, conditions and events", async () => {
    await kubectl.ok("create -f -", { input: POD("told") });
    expect(await kubectl.ok("wait --for=condition=Ready pod/told --timeout=30s")).toBe("pod/told condition met\n");
    const text = await kubectl.eventually("describe pod told", (all) => all.includes("Started"));
    expect(text).toMatch(/^Name: +told\nNamespace: +default\nPriority: +0\nService Account: +default\nNode: +node-[12]\/192\.0\.2\.[12]\n/);
    expect(text).toMatch(/^Status: +Running$/m);
    expect(text).toMatch(/^IP: +10\.42\.[01]\.\d+$/m);
    expect(text).toMatch(/^QoS Class: +BestEffort$/m);
    expect(text).toMatch(/^ {4}State: +Running$/m);
    expect(text).toMatch(/^ {2}PodReadyToStartContainers +True\n?/m);
    expect(text).toMatch(/^ {2}Ready +True *$/m);
    expect(text).toMatch(
      /Tolerations: +node\.kubernetes\.io\/not-ready:NoExecute op=Exists for 300s\n +node\.kubernetes\.io\/unreachable:NoExecute op=Exists for 300s/,
    );
    expect(text).toMatch(/^ {2}Type +Reason +Age +From +Message$/m);
    expect(text).toMatch(/^ {2}Normal +Scheduled +\S+ +default-scheduler +Successfully assigned default\/told to node-[12]$/m);
    const reasons = [...text.matchAll(/^ {2}Normal +(\S+) +\S+ +kubelet /gm)].map(([, reason]) => String(reason));
    expect(reasons.sort()).toEqual(["Created", "Pulled", "Pulling", "Started"]);
    const { columns, rows } = table(await kubectl.ok("get events --field-selector involvedObject.name=told,reason=Scheduled"));
    expect(columns).toEqual(["LAST SEEN", "TYPE", "REASON", "OBJECT", "MESSAGE"]);
    expect(rows).toMatchObject([{ TYPE: "Normal", REASON: "Scheduled", OBJECT: "pod/told" }]);
    expect(await kubectl.ok("events --for pod/told")).toContain("Successfully assigned default/told to");
  });

  test("describe node and describe service tell what is on them", async () => {
    const text = await kubectl.ok("describe node node-1");
    expect(text).toMatch(/^Name: +node-1\n/);
    expect(text).toMatch(/^PodCIDR: +10\.42\.[01]\.0\/24$/m);
    expect(text).toContain("kubelet is posting ready status");
    expect(text).toMatch(/^Lease:\n {2}HolderIdentity: +node-1$/m);
    const service = await kubectl.ok("describe service kubernetes");
    expect(service).toMatch(/^IP: +10\.43\.0\.1$/m);
    expect(service).toMatch(/^Labels: +component=apiserver\n +provider=kubernetes$/m);
  });

  test("auth can-i and whoami answer for the caller and for others", async () => {
    expect(await kubectl("auth can-i create pods")).toEqual({ code: 0, stdout: "yes\n", stderr: "" });
    expect(await kubectl("auth can-i delete nodes --as=bob")).toMatchObject({ code: 1, stdout: "no\n" });
    expect(await kubectl.ok("auth whoami")).toMatch(
      /^ATTRIBUTE +VALUE\nUsername +kubernetes-admin\nGroups +\[system:masters system:authenticated\]\n/,
    );
    const { rows } = table(await kubectl.ok("auth can-i --list --as=bob"));
    expect(rows.map((row) => row["Resources"])).toContain("selfsubjectaccessreviews.authorization.k8s.io");
  });

  test("create token makes a token that the server takes", async () => {
    const token = (await kubectl.ok("create token default --duration=1h")).trim();
    const claims = JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString()) as Record<string, unknown>;
    expect(claims).toMatchObject({
      sub: "system:serviceaccount:default:default",
      aud: ["https://kubernetes.default.svc.cluster.local"],
      "kubernetes.io": { namespace: "default", serviceaccount: { name: "default" } },
    });
    expect(Number(claims["exp"]) - Number(claims["iat"])).toBe(3600);
    expect(await kubectl.fails("create token nobody")).toBe('error: failed to create token: serviceaccounts "nobody" not found\n');
  });

  test("top fails with a clear message, logs and exec say that the node is simulated", async () => {
    expect(await kubectl.fails("top nodes")).toBe("error: Metrics API not available\n");
    expect(await kubectl.fails("top pods")).toBe("error: Metrics API not available\n");
    await kubectl.ok("create -f -", { input: POD("mute") });
    await kubectl.ok("wait --for=condition=Ready pod/mute --timeout=30s");
    const node = await kubectl.ok("get pod mute -o jsonpath={.spec.nodeName}");
    const why = `Cannot reach the agent of node "${node}": the node is simulated and runs no containers, wanted a real one\n`;
    expect(await kubectl.fails("logs mute")).toBe(`Error from server (BadRequest): ${why}`);
    expect(await kubectl.fails("exec mute -- true")).toContain(why);
    expect(await kubectl.fails("port-forward mute 8080")).toContain(why); // what stands before it differs between versions of kubectl
  });
});
