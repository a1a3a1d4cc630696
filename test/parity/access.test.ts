import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startTestServer, type TestServer } from "#apiserver/testing.ts";
import { type Caller, callerOf, failure } from "./call.ts";

let server: TestServer;
let call: Caller;
let alice: { readonly certPem: string; readonly keyPem: string };
let node: { readonly certPem: string; readonly keyPem: string };
beforeAll(async () => {
  server = await startTestServer();
  call = callerOf(server);
  alice = await server.certificateOf("alice", ["devs"]);
  node = await server.certificateOf("system:node:n1", ["system:nodes"]);
  await call("POST", `${DEFAULT}/serviceaccounts`, { body: { metadata: { name: "default" } } });
});
afterAll(async () => {
  call[Symbol.dispose]();
  await server[Symbol.asyncDispose]();
});

const DEFAULT = "/api/v1/namespaces/default";
const RBAC = "/apis/rbac.authorization.k8s.io/v1";
const message = (body: unknown) => (body as { readonly message: string }).message;

describe("who is nobody", () => {
  test("reads health and version only", async () => {
    for (const path of ["/healthz", "/livez", "/readyz", "/version"]) expect((await call("GET", path, { as: "nobody" })).code).toBe(200);
    const { code, body } = await call("GET", "/api/v1/pods", { as: "nobody" });
    expect(code).toBe(403);
    expect(body).toEqual(
      failure(
        403,
        "Forbidden",
        'pods is forbidden: User "system:anonymous" cannot list resource "pods" in API group "" at the cluster scope',
        { kind: "pods" },
      ),
    );
    const paths = await call("GET", "/metrics", { as: "nobody" });
    expect([paths.code, message(paths.body)]).toEqual([403, 'forbidden: User "system:anonymous" cannot get path "/metrics"']);
  });

  test("is refused with a token that is wrong", async () => {
    for (const token of ["nonsense", "abcdef.0123456789abcdef", "a.b.c"]) {
      const { code, body } = await call("GET", "/version", { as: { token } });
      expect([code, body]).toEqual([401, failure(401, "Unauthorized", "Unauthorized")]);
    }
  });

  test("is a certificate of another authority", async () => {
    await using other = await startTestServer();
    const { code } = await call("GET", "/api/v1/nodes", { as: other.admin });
    expect(code).toBe(403);
  });
});

describe("roles", () => {
  test("allow what they say, in their namespace", async () => {
    const refused = await call("GET", `${DEFAULT}/secrets/x`, { as: alice });
    expect(message(refused.body)).toBe(
      'secrets "x" is forbidden: User "alice" cannot get resource "secrets" in API group "" in the namespace "default"',
    );
    await call("POST", `${RBAC}/namespaces/default/roles`, {
      body: { metadata: { name: "reader" }, rules: [{ apiGroups: [""], resources: ["secrets"], verbs: ["get"] }] },
    });
    await call("POST", `${RBAC}/namespaces/default/rolebindings`, {
      body: {
        metadata: { name: "devs" },
        roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: "reader" },
        subjects: [{ apiGroup: "rbac.authorization.k8s.io", kind: "Group", name: "devs" }],
      },
    });
    expect((await call("GET", `${DEFAULT}/secrets/x`, { as: alice })).code).toBe(404);
    expect((await call("GET", "/api/v1/namespaces/kube-system/secrets/x", { as: alice })).code).toBe(403);
    expect((await call("GET", `${DEFAULT}/secrets`, { as: alice })).code).toBe(403);
    const review = await call("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", {
      as: alice,
      body: { spec: { resourceAttributes: { namespace: "default", verb: "get", resource: "secrets" } } },
    });
    expect(review.body).toMatchObject({
      status: { allowed: true, reason: 'RBAC: allowed by RoleBinding "devs/default" of Role "reader" to Group "devs"' },
    });
  });

  test("cannot be given beyond one's own", async () => {
    await call("POST", `${RBAC}/clusterrolebindings`, {
      body: {
        metadata: { name: "alice-roles" },
        roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "admin" },
        subjects: [{ apiGroup: "rbac.authorization.k8s.io", kind: "User", name: "alice" }],
      },
    });
    const own = { metadata: { name: "own" }, rules: [{ apiGroups: [""], resources: ["pods"], verbs: ["get"] }] };
    expect((await call("POST", `${RBAC}/namespaces/default/roles`, { as: alice, body: own })).code).toBe(201);
    const more = { metadata: { name: "more" }, rules: [{ apiGroups: [""], resources: ["nodes"], verbs: ["delete"] }] };
    const { code, body } = await call("POST", `${RBAC}/namespaces/default/roles`, { as: alice, body: more });
    expect(code).toBe(403);
    expect(message(body)).toBe(
      'roles.rbac.authorization.k8s.io "more" is forbidden: user "alice" (groups=["devs" "system:authenticated"]) is attempting to grant RBAC permissions not currently held:\n{APIGroups:[""], Resources:["nodes"], Verbs:["delete"]}',
    );
  });
});

describe("service account tokens", () => {
  test("stand for their account, as long as it is there", async () => {
    await call("POST", `${DEFAULT}/serviceaccounts`, { body: { metadata: { name: "robot" } } });
    const answer = await call("POST", `${DEFAULT}/serviceaccounts/robot/token`, { body: { spec: { expirationSeconds: 600 } } });
    expect(answer.code).toBe(201);
    const { token } = (answer.body as { readonly status: { readonly token: string } }).status;
    const { body } = await call("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", { as: { token }, body: {} });
    expect(body).toMatchObject({
      status: {
        userInfo: {
          username: "system:serviceaccount:default:robot",
          groups: ["system:serviceaccounts", "system:serviceaccounts:default", "system:authenticated"],
        },
      },
    });
    const review = await call("POST", "/apis/authentication.k8s.io/v1/tokenreviews", { body: { spec: { token } } });
    expect(review.body).toMatchObject({ status: { authenticated: true, user: { username: "system:serviceaccount:default:robot" } } });
    await call("DELETE", `${DEFAULT}/serviceaccounts/robot`);
    expect((await call("GET", "/version", { as: { token } })).code).toBe(401);
  });

  test("are not given for too short a time", async () => {
    const { code, body } = await call("POST", `${DEFAULT}/serviceaccounts/default/token`, { body: { spec: { expirationSeconds: 60 } } });
    expect([code, message(body)]).toEqual([
      422,
      'TokenRequest.authentication.k8s.io "" is invalid: spec.expirationSeconds: Invalid value: 60: may not specify a duration less than 10 minutes',
    ]);
  });
});

describe("a node", () => {
  const PODS = `${DEFAULT}/pods`;
  beforeAll(async () => {
    for (const name of ["used", "unused"]) await call("POST", `${DEFAULT}/secrets`, { body: { metadata: { name } } });
    const spec = { containers: [{ name: "c", image: "i" }], volumes: [{ name: "s", secret: { secretName: "used" } }] };
    await call("POST", PODS, { body: { metadata: { name: "mine" }, spec: { ...spec, nodeName: "n1" } } });
    await call("POST", PODS, { body: { metadata: { name: "theirs" }, spec: { containers: spec.containers, nodeName: "n2" } } });
  });

  test("reads the secrets of its pods and no others", async () => {
    expect((await call("GET", `${DEFAULT}/secrets/used`, { as: node })).code).toBe(200);
    const { code, body } = await call("GET", `${DEFAULT}/secrets/unused`, { as: node });
    expect(code).toBe(403);
    expect(message(body)).toBe(
      'secrets "unused" is forbidden: User "system:node:n1" cannot get resource "secrets" in API group "" in the namespace "default": no relationship found between node \'n1\' and this object',
    );
    expect((await call("GET", `${DEFAULT}/secrets`, { as: node })).code).toBe(403);
  });

  test("lists its own pods only", async () => {
    expect((await call("GET", "/api/v1/pods?fieldSelector=spec.nodeName%3Dn1", { as: node })).code).toBe(200);
    expect((await call("GET", "/api/v1/pods", { as: node })).code).toBe(403);
  });

  test("writes its own Node only, and no taints", async () => {
    expect((await call("POST", "/api/v1/nodes", { as: node, body: { metadata: { name: "n1" } } })).code).toBe(201);
    const other = await call("POST", "/api/v1/nodes", { as: node, body: { metadata: { name: "n2" } } });
    expect([other.code, message(other.body)]).toEqual([403, 'nodes "n2" is forbidden: node "n1" is not allowed to modify node "n2"']);
    const taint = await call("PATCH", "/api/v1/nodes/n1", {
      as: node,
      body: { spec: { taints: [] } },
      headers: { "content-type": "application/merge-patch+json" },
    });
    expect([taint.code, message(taint.body)]).toEqual([403, 'nodes "n1" is forbidden: node "n1" is not allowed to modify taints']);
  });

  test("reports on its own pods only", async () => {
    const status = { body: { status: { phase: "Running" } }, headers: { "content-type": "application/merge-patch+json" }, as: node };
    expect((await call("PATCH", `${PODS}/mine/status`, status)).code).toBe(200);
    const { code, body } = await call("PATCH", `${PODS}/theirs/status`, status);
    expect([code, message(body)]).toEqual([
      403,
      'pods "theirs" is forbidden: node "n1" can only update pod status for pods with spec.nodeName set to itself',
    ]);
  });

  test("gets tokens for its pods only", async () => {
    const request = (name: string, kind = "Pod") => ({ body: { spec: { boundObjectRef: { apiVersion: "v1", kind, name } } }, as: node });
    expect((await call("POST", `${DEFAULT}/serviceaccounts/default/token`, request("mine"))).code).toBe(201);
    expect((await call("POST", `${DEFAULT}/serviceaccounts/default/token`, { body: {}, as: node })).code).toBe(403);
  });
});

describe("certificate requests", () => {
  test("say who made them, whatever they claim", async () => {
    const { createSigningRequest } = await import("#pki/csr.ts");
    const { createKey } = await import("#pki/key.ts");
    const pem = await createSigningRequest({ key: await createKey(), cn: "system:node:n1", orgs: ["system:nodes"] });
    const { body } = await call("POST", "/apis/certificates.k8s.io/v1/certificatesigningrequests", {
      as: node,
      body: {
        metadata: { name: "csr" },
        spec: {
          request: Buffer.from(pem).toString("base64"),
          signerName: "kubernetes.io/kube-apiserver-client-kubelet",
          usages: ["client auth", "digital signature"],
          username: "kubernetes-admin",
          groups: ["system:masters"],
        },
      },
    });
    expect(body).toMatchObject({ spec: { username: "system:node:n1", groups: ["system:nodes", "system:authenticated"] } });
  });
});

describe("impersonation", () => {
  test("acts as somebody else for those who may", async () => {
    const as = { "impersonate-user": "bob", "impersonate-group": "devs" };
    const { body } = await call("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", { body: {}, headers: as });
    expect(body).toMatchObject({ status: { userInfo: { username: "bob", groups: ["devs", "system:authenticated"] } } });
    const refused = await call("GET", "/version", { as: node, headers: as });
    expect([refused.code, message(refused.body)]).toEqual([
      403,
      'users "bob" is forbidden: User "system:node:n1" cannot impersonate resource "users" in API group "" at the cluster scope',
    ]);
  });
});
