import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { createKey } from "#pki/key.ts";
import { createSigningRequest } from "#pki/csr.ts";
import { type Credentials, type Kubectl, type TestCluster, openCluster, send } from "./harness.ts";

let cluster: TestCluster;
let kubectl: Kubectl;

beforeAll(async () => {
  cluster = await openCluster();
  ({ kubectl } = cluster);
  await kubectl.ok("create namespace team-a");
  await kubectl.ok("create namespace team-b");
  await kubectl.ok("create serviceaccount dev -n team-a");
  await kubectl.ok("create role reader --verb=get,list,watch --resource=pods,configmaps -n team-a");
  await kubectl.ok("create rolebinding reader --role=reader --serviceaccount=team-a:dev -n team-a");
  await kubectl.ok("create configmap shared -n team-a");
  return () => cluster[Symbol.asyncDispose]();
});

const DEV = "system:serviceaccount:team-a:dev";

test("a ServiceAccount with a Role may do just what the Role says", async () => {
  const token = (await kubectl.ok("create token dev -n team-a")).trim();
  const config = join(cluster.directory, "dev.kubeconfig");
  const ca = Buffer.from(cluster.credentials.ca).toString("base64");
  await writeFile(
    config,
    JSON.stringify({
      apiVersion: "v1",
      kind: "Config",
      clusters: [{ name: "c", cluster: { server: cluster.url, "certificate-authority-data": ca } }],
      users: [{ name: "u", user: { token } }],
      contexts: [{ name: "x", context: { cluster: "c", user: "u", namespace: "team-a" } }],
      "current-context": "x",
    }),
  );
  const env = { KUBECONFIG: config };
  expect(await kubectl.ok("get configmap shared -o name", { env })).toBe("configmap/shared\n");
  expect(await kubectl.ok("auth can-i list pods", { env })).toBe("yes\n");
  expect((await kubectl("auth can-i delete pods", { env })).stdout).toBe("no\n");
  expect(await kubectl.ok("auth whoami -o jsonpath={.status.userInfo.username}", { env })).toBe(DEV);
  const refused = (args: string) => kubectl.fails(args, { env });
  expect(await refused("get secrets")).toBe(
    `Error from server (Forbidden): secrets is forbidden: User "${DEV}" cannot list resource "secrets" in API group "" in the namespace "team-a"\n`,
  );
  expect(await refused("get secret db")).toBe(
    `Error from server (Forbidden): secrets "db" is forbidden: User "${DEV}" cannot get resource "secrets" in API group "" in the namespace "team-a"\n`,
  );
  expect(await refused("delete configmap shared")).toBe(
    `Error from server (Forbidden): configmaps "shared" is forbidden: User "${DEV}" cannot delete resource "configmaps" in API group "" in the namespace "team-a"\n`,
  );
  expect(await refused("create configmap mine")).toBe(
    `error: failed to create configmap: configmaps is forbidden: User "${DEV}" cannot create resource "configmaps" in API group "" in the namespace "team-a"\n`,
  );
  expect(await refused("get pods -n team-b")).toBe(
    `Error from server (Forbidden): pods is forbidden: User "${DEV}" cannot list resource "pods" in API group "" in the namespace "team-b"\n`,
  );
  expect(await refused("get pods -A")).toBe(
    `Error from server (Forbidden): pods is forbidden: User "${DEV}" cannot list resource "pods" in API group "" at the cluster scope\n`,
  );
  expect(await refused("get nodes")).toBe(
    `Error from server (Forbidden): nodes is forbidden: User "${DEV}" cannot list resource "nodes" in API group "" at the cluster scope\n`,
  );
  expect(await refused("get deployments")).toBe(
    `Error from server (Forbidden): deployments.apps is forbidden: User "${DEV}" cannot list resource "deployments" in API group "apps" in the namespace "team-a"\n`,
  );
  expect(await refused("get --raw /metrics")).toContain(`forbidden: User "${DEV}" cannot get path "/metrics"`);

  await kubectl.ok("delete rolebinding reader -n team-a");
  await kubectl.eventually("auth can-i list pods -n team-a --as system:serviceaccount:team-a:dev", (text) => text === "no\n");
  expect(await refused("get configmaps")).toContain("configmaps is forbidden");
  await kubectl.ok("delete serviceaccount dev -n team-a");
  expect(await refused("get configmaps")).toContain("You must be logged in to the server (Unauthorized)");
});

test("nobody hands out rights that he does not have", async () => {
  await kubectl.ok("create clusterrole granter --verb=create,get --resource=roles,rolebindings");
  await kubectl.ok("create rolebinding granter --clusterrole=granter --user=mallory -n team-b");
  const stderr = await kubectl.fails("create role all --verb=* --resource=secrets -n team-b --as=mallory");
  expect(stderr).toBe(
    `Error from server (Forbidden): roles.rbac.authorization.k8s.io "all" is forbidden: user "mallory" (groups=["system:authenticated"]) is attempting to grant RBAC permissions not currently held:\n{APIGroups:[""], Resources:["secrets"], Verbs:["*"]}\n`,
  );
  expect(await kubectl.fails("get pods --as=mallory --as-group=x -n team-b")).toBe(
    'Error from server (Forbidden): pods is forbidden: User "mallory" cannot list resource "pods" in API group "" in the namespace "team-b"\n',
  );
  const impersonating = await kubectl.fails("create role r --verb=get --resource=pods -n team-b --as=system:serviceaccount:team-b:default");
  expect(impersonating).toContain(
    'User "system:serviceaccount:team-b:default" cannot create resource "roles" in API group "rbac.authorization.k8s.io"',
  );
});

test("the view, edit and admin roles are upstream's", async () => {
  await kubectl.ok("create rolebinding sees --clusterrole=view --user=vera -n team-b");
  const can = async (what: string) => (await kubectl(`auth can-i ${what} -n team-b --as=vera`)).stdout.trim();
  expect(await Promise.all(["list pods", "get deployments.apps", "get secrets", "create pods", "list pods -A"].map(can))).toEqual([
    "yes",
    "yes",
    "no",
    "no",
    "no",
  ]);
  await kubectl.ok("create rolebinding edits --clusterrole=edit --user=vera -n team-b");
  expect(await Promise.all(["create pods", "get secrets", "create rolebindings"].map(can))).toEqual(["yes", "yes", "no"]);
  expect(await kubectl.ok("get clusterrole cluster-admin admin edit view -o name")).toBe(
    ["cluster-admin", "admin", "edit", "view"].map((name) => `clusterrole.rbac.authorization.k8s.io/${name}\n`).join(""),
  );
});

test("a node reads its own pods' secrets and nobody else's", async () => {
  await kubectl.ok("create secret generic mine --from-literal=a=1");
  await kubectl.ok("create secret generic foreign --from-literal=a=1");
  await kubectl.ok("create -f -", {
    input: `
apiVersion: v1
kind: Pod
metadata: {name: reader}
spec:
  nodeName: node-1
  containers: [{name: main, image: kubia, env: [{name: A, valueFrom: {secretKeyRef: {name: mine, key: a}}}]}]
`,
  });
  const node = await nodeCredentials("node-1");
  const get = async (path: string) => {
    const { code, text } = await send(cluster.url, node, { path });
    return { code, ...(JSON.parse(text) as { message?: string; data?: Record<string, string> }) };
  };
  await expect.poll(async () => (await get("/api/v1/namespaces/default/secrets/mine")).code, { timeout: 10_000 }).toBe(200);
  expect(await get("/api/v1/namespaces/default/secrets/foreign")).toMatchObject({
    code: 403,
    message: `secrets "foreign" is forbidden: User "system:node:node-1" cannot get resource "secrets" in API group "" in the namespace "default": no relationship found between node 'node-1' and this object`,
  });
  expect(await get("/api/v1/namespaces/default/secrets")).toMatchObject({
    code: 403,
    message: `secrets is forbidden: User "system:node:node-1" cannot list resource "secrets" in API group "" in the namespace "default": No Object name found`,
  });
  expect(await get("/api/v1/secrets")).toMatchObject({
    code: 403,
    message: `secrets is forbidden: User "system:node:node-1" cannot list resource "secrets" in API group "" at the cluster scope: can only read namespaced object of this type`,
  });
  expect((await get("/api/v1/nodes/node-1")).code).toBe(200);
  expect((await get("/api/v1/pods?fieldSelector=spec.nodeName%3Dnode-1")).code).toBe(200);
  const taint = JSON.stringify({ metadata: { labels: { "node-restriction.kubernetes.io/team": "red" } } });
  const patched = await send(cluster.url, node, {
    method: "PATCH",
    path: "/api/v1/nodes/node-1",
    body: taint,
    contentType: "application/merge-patch+json",
  });
  expect(JSON.parse(patched.text)).toMatchObject({
    code: 403,
    message: `nodes "node-1" is forbidden: is not allowed to modify labels: node-restriction.kubernetes.io/team`,
  });
  const other = await send(cluster.url, node, {
    method: "PATCH",
    path: "/api/v1/nodes/node-2/status",
    body: "{}",
    contentType: "application/merge-patch+json",
  });
  expect(JSON.parse(other.text)).toMatchObject({ code: 403, message: expect.stringMatching(/^nodes "node-2" is forbidden: /) as string });
  const stolen = await send(cluster.url, node, { method: "DELETE", path: "/api/v1/nodes/node-2" });
  expect(stolen.code).toBe(403);

  /** A client certificate of the node, as a kubelet gets it: asked for, approved, signed. */
  async function nodeCredentials(name: string): Promise<Credentials> {
    const key = await createKey();
    const request = await createSigningRequest({ key, cn: `system:node:${name}`, orgs: ["system:nodes"] });
    await kubectl.ok("create -f -", {
      input: JSON.stringify({
        apiVersion: "certificates.k8s.io/v1",
        kind: "CertificateSigningRequest",
        metadata: { name: "node-csr" },
        spec: {
          request: Buffer.from(request).toString("base64"),
          signerName: "kubernetes.io/kube-apiserver-client-kubelet",
          usages: ["digital signature", "client auth"],
        },
      }),
    });
    expect(await kubectl.ok("certificate approve node-csr")).toBe("certificatesigningrequest.certificates.k8s.io/node-csr approved\n");
    const signed = await kubectl.eventually("get csr node-csr -o jsonpath={.status.certificate}", (text) => text !== "");
    expect(await kubectl.ok("get csr node-csr --no-headers")).toMatch(
      /^node-csr +\S+ +kubernetes\.io\/kube-apiserver-client-kubelet +kubernetes-admin +<none> +Approved,Issued\n$/,
    );
    return { ca: cluster.credentials.ca, cert: Buffer.from(signed, "base64").toString(), key: key.keyPem };
  }
});

test("anonymous callers see what is public, others have to say who they are", async () => {
  const { ca } = cluster.credentials;
  const get = async (path: string, credentials: Credentials = { ca }) => {
    const { code, text } = await send(cluster.url, credentials, { path });
    return { code, text };
  };
  const refused = async (path: string, credentials?: Credentials) => JSON.parse((await get(path, credentials)).text) as unknown;
  for (const path of ["/healthz", "/livez", "/readyz"]) expect(await get(path)).toEqual({ code: 200, text: "ok" });
  expect((await get("/version")).code).toBe(200);
  expect(await refused("/api/v1/pods")).toEqual({
    kind: "Status",
    apiVersion: "v1",
    metadata: {},
    status: "Failure",
    reason: "Forbidden",
    code: 403,
    message: 'pods is forbidden: User "system:anonymous" cannot list resource "pods" in API group "" at the cluster scope',
    details: { kind: "pods" },
  });
  expect(await refused("/api/v1/namespaces/default/secrets/x")).toMatchObject({
    code: 403,
    message: 'secrets "x" is forbidden: User "system:anonymous" cannot get resource "secrets" in API group "" in the namespace "default"',
  });
  expect(await refused("/")).toEqual({
    kind: "Status",
    apiVersion: "v1",
    metadata: {},
    status: "Failure",
    reason: "Forbidden",
    code: 403,
    details: {},
    message: 'forbidden: User "system:anonymous" cannot get path "/"',
  });
  expect(await refused("/api/v1/pods", { ca, token: "not-a-token" })).toEqual({
    kind: "Status",
    apiVersion: "v1",
    metadata: {},
    status: "Failure",
    reason: "Unauthorized",
    code: 401,
    message: "Unauthorized",
  });
});
