import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startTestServer, type TestServer } from "#apiserver/testing.ts";
import { type Caller, callerOf, failure } from "./call.ts";

let server: TestServer;
let call: Caller;
beforeAll(async () => {
  server = await startTestServer();
  call = callerOf(server);
  await call("POST", "/api/v1/namespaces/default/serviceaccounts", { body: { metadata: { name: "default" } } });
});
afterAll(async () => {
  call[Symbol.dispose]();
  await server[Symbol.asyncDispose]();
});

const CONFIG_MAPS = "/api/v1/namespaces/default/configmaps";

interface Object {
  readonly metadata: {
    readonly name: string;
    readonly uid: string;
    readonly resourceVersion: string;
    readonly generation?: number;
  } & Record<string, unknown>;
  readonly data?: Readonly<Record<string, string>>;
  readonly spec?: Readonly<Record<string, unknown>>;
  readonly status?: unknown;
}

async function created(path: string, body: object): Promise<Object> {
  const answer = await call("POST", path, { body });
  expect(answer).toMatchObject({ code: 201 });
  return answer.body as Object;
}

const configMap = (name: string, data: object = { a: "1" }) => created(CONFIG_MAPS, { metadata: { name }, data });

describe("create", () => {
  test("fills in what the server knows, and tracks the creator", async () => {
    const { code, body } = await call("POST", `${CONFIG_MAPS}?fieldManager=me`, {
      body: { metadata: { name: "full", labels: { a: "b" } } },
    });
    expect(code).toBe(201);
    expect(body).toEqual({
      kind: "ConfigMap",
      apiVersion: "v1",
      metadata: {
        name: "full",
        namespace: "default",
        labels: { a: "b" },
        uid: expect.stringMatching(/^[0-9a-f-]{36}$/),
        resourceVersion: expect.stringMatching(/^[0-9]+$/),
        creationTimestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
        managedFields: [
          {
            manager: "me",
            operation: "Update",
            apiVersion: "v1",
            time: expect.any(String),
            fieldsType: "FieldsV1",
            fieldsV1: { "f:metadata": { "f:labels": { ".": {}, "f:a": {} } } },
          },
        ],
      },
    });
  });

  test("refuses a name that is taken", async () => {
    await configMap("taken");
    const { code, body } = await call("POST", CONFIG_MAPS, { body: { metadata: { name: "taken" } } });
    expect(code).toBe(409);
    expect(body).toEqual(failure(409, "AlreadyExists", 'configmaps "taken" already exists', { name: "taken", kind: "configmaps" }));
  });

  test("makes a name from generateName", async () => {
    const { metadata } = await created(CONFIG_MAPS, { metadata: { generateName: "made-" } });
    expect(metadata.name).toMatch(/^made-[bcdfghjklmnpqrstvwxz2456789]{5}$/);
  });

  test("stores nothing on a dry run", async () => {
    expect((await call("POST", `${CONFIG_MAPS}?dryRun=All`, { body: { metadata: { name: "dry" } } })).code).toBe(201);
    expect((await call("GET", `${CONFIG_MAPS}/dry`)).code).toBe(404);
  });
});

describe("update", () => {
  test("of an older state is a conflict", async () => {
    const object = await configMap("raced");
    const next = { ...object, data: { a: "2" } };
    expect((await call("PUT", `${CONFIG_MAPS}/raced`, { body: next })).code).toBe(200);
    const { code, body } = await call("PUT", `${CONFIG_MAPS}/raced`, { body: next });
    expect(code).toBe(409);
    expect(body).toEqual(
      failure(
        409,
        "Conflict",
        'Operation cannot be fulfilled on configmaps "raced": the object has been modified; please apply your changes to the latest version and try again',
        { name: "raced", kind: "configmaps" },
      ),
    );
  });

  test("that changes nothing makes no new version", async () => {
    const object = await configMap("same");
    const { body } = await call("PUT", `${CONFIG_MAPS}/same`, { body: object });
    expect((body as Object).metadata.resourceVersion).toBe(object.metadata.resourceVersion);
  });

  test("of another object under the same name is a conflict", async () => {
    const object = await configMap("other");
    const uid = "00000000-0000-4000-8000-000000000000";
    const { code, body } = await call("PUT", `${CONFIG_MAPS}/other`, {
      body: { ...object, metadata: { name: "other", uid } },
    });
    expect(code).toBe(409);
    expect((body as { message: string }).message).toBe(
      `Operation cannot be fulfilled on configmaps "other": Precondition failed: UID in precondition: ${uid}, UID in object meta: ${object.metadata.uid}`,
    );
  });

  test("counts generations by spec, and keeps status to its own subresource", async () => {
    const path = "/api/v1/namespaces/default/replicationcontrollers";
    const spec = {
      replicas: 1,
      selector: { a: "b" },
      template: { metadata: { labels: { a: "b" } }, spec: { containers: [{ name: "c", image: "i" }] } },
    };
    const object = await created(path, { metadata: { name: "rc" }, spec, status: { replicas: 9 } });
    expect([object.metadata.generation, object.status]).toEqual([1, { replicas: 0 }]);
    const scaled = await call("PATCH", `${path}/rc`, {
      body: { spec: { replicas: 2 }, status: { replicas: 7 } },
      headers: { "content-type": "application/merge-patch+json" },
    });
    expect(scaled.body).toMatchObject({ metadata: { generation: 2 }, spec: { replicas: 2 }, status: { replicas: 0 } });
    const counted = await call("PATCH", `${path}/rc/status`, {
      body: { spec: { replicas: 5 }, status: { replicas: 2 } },
      headers: { "content-type": "application/merge-patch+json" },
    });
    expect(counted.body).toMatchObject({ metadata: { generation: 2 }, spec: { replicas: 2 }, status: { replicas: 2 } });
    const { body } = await call("GET", `${path}/rc/scale`);
    expect(body).toMatchObject({
      kind: "Scale",
      apiVersion: "autoscaling/v1",
      spec: { replicas: 2 },
      status: { replicas: 2, selector: "a=b" },
    });
  });
});

describe("patch", () => {
  test.each([
    { type: "application/merge-patch+json", body: { data: { a: null, b: "2" } } },
    { type: "application/strategic-merge-patch+json", body: { data: { a: null, b: "2" } } },
    {
      type: "application/json-patch+json",
      body: [
        { op: "remove", path: "/data/a" },
        { op: "add", path: "/data/b", value: "2" },
      ],
    },
  ])("$type", async ({ type, body }) => {
    const name = `patched-${type.slice(12, 16).replace("-", "")}`;
    await configMap(name);
    const answer = await call("PATCH", `${CONFIG_MAPS}/${name}`, { body, headers: { "content-type": type } });
    expect([answer.code, (answer.body as Object).data]).toEqual([200, { b: "2" }]);
  });

  test("of an unknown type is refused", async () => {
    await configMap("unpatched");
    const { code, body } = await call("PATCH", `${CONFIG_MAPS}/unpatched`, { body: {}, headers: { "content-type": "application/json" } });
    expect([code, (body as { reason: string }).reason]).toEqual([415, "UnsupportedMediaType"]);
  });

  test("with a failing test is unprocessable", async () => {
    await configMap("tested");
    const { code, body } = await call("PATCH", `${CONFIG_MAPS}/tested`, {
      body: [{ op: "test", path: "/data/a", value: "no" }],
      headers: { "content-type": "application/json-patch+json" },
    });
    expect(code).toBe(422);
    expect(body).toMatchObject({ reason: "Invalid", message: "the server rejected our request due to an error in our request" });
  });
});

describe("server-side apply", () => {
  const apply = (manager: string, data: object, force = false) =>
    call("PATCH", `${CONFIG_MAPS}/applied?fieldManager=${manager}${force ? "&force=true" : ""}`, {
      body: { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "applied" }, data },
      headers: { "content-type": "application/apply-patch+yaml" },
    });

  test("creates, refuses to take fields of others, takes them by force, and removes what is left out", async () => {
    expect((await apply("one", { a: "1", b: "1" })).code).toBe(201);
    const refused = await apply("two", { a: "2" });
    expect(refused.code).toBe(409);
    expect(refused.body).toEqual(
      failure(409, "Conflict", 'Apply failed with 1 conflict: conflict with "one": .data.a', {
        causes: [{ reason: "FieldManagerConflict", message: 'conflict with "one"', field: ".data.a" }],
      }),
    );
    expect(((await apply("two", { a: "2" }, true)).body as Object).data).toEqual({ a: "2", b: "1" });
    expect(((await apply("one", {})).body as Object).data).toEqual({ a: "2" });
  });

  test("needs a field manager", async () => {
    const { code, body } = await apply("", {});
    expect(code).toBe(422);
    expect((body as { message: string }).message).toBe(
      'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required for apply patch',
    );
  });
});

describe("delete", () => {
  test("answers with a Status that names what is gone", async () => {
    const { metadata } = await configMap("gone");
    const { code, body } = await call("DELETE", `${CONFIG_MAPS}/gone`);
    expect(code).toBe(200);
    expect(body).toEqual({
      kind: "Status",
      apiVersion: "v1",
      metadata: {},
      status: "Success",
      details: { name: "gone", kind: "configmaps", uid: metadata.uid },
    });
  });

  test("waits for finalizers, and the update that takes the last one ends the object", async () => {
    await created(CONFIG_MAPS, { metadata: { name: "held", finalizers: ["example.com/hold"] } });
    const { body } = await call("DELETE", `${CONFIG_MAPS}/held`);
    expect(body).toMatchObject({ metadata: { deletionTimestamp: expect.any(String), deletionGracePeriodSeconds: 0 } });
    const freed = await call("PATCH", `${CONFIG_MAPS}/held`, {
      body: { metadata: { finalizers: null } },
      headers: { "content-type": "application/merge-patch+json" },
    });
    expect(freed.code).toBe(200);
    expect((await call("GET", `${CONFIG_MAPS}/held`)).code).toBe(404);
  });

  test("with another uid as precondition is a conflict", async () => {
    await configMap("kept");
    const { code } = await call("DELETE", `${CONFIG_MAPS}/kept`, {
      body: { kind: "DeleteOptions", apiVersion: "v1", preconditions: { uid: "no" } },
    });
    expect(code).toBe(409);
    expect((await call("GET", `${CONFIG_MAPS}/kept`)).code).toBe(200);
  });

  test("of a collection takes what is selected", async () => {
    await created(CONFIG_MAPS, { metadata: { name: "many-1", labels: { many: "yes" } } });
    await created(CONFIG_MAPS, { metadata: { name: "many-2", labels: { many: "yes" } } });
    const { body } = await call("DELETE", `${CONFIG_MAPS}?labelSelector=many%3Dyes`);
    expect((body as { items: Object[] }).items.map(({ metadata }) => metadata.name)).toEqual(["many-1", "many-2"]);
    expect((await call("GET", `${CONFIG_MAPS}/many-1`)).code).toBe(404);
  });

  test("spares the namespaces that must be there", async () => {
    const { code, body } = await call("DELETE", "/api/v1/namespaces/kube-system");
    expect(code).toBe(403);
    expect((body as { message: string }).message).toBe('namespaces "kube-system" is forbidden: this namespace may not be deleted');
  });
});

describe("services", () => {
  const SERVICES = "/api/v1/namespaces/default/services";
  const service = (name: string, spec: object) => ({ metadata: { name }, spec: { ports: [{ port: 80 }], ...spec } });

  test("get an address and node ports, which nobody else can have, and give them back", async () => {
    const { spec } = await created(
      SERVICES,
      service("np", { type: "NodePort", clusterIP: "10.43.0.77", ports: [{ port: 80, nodePort: 30123 }] }),
    );
    expect(spec).toMatchObject({
      clusterIP: "10.43.0.77",
      clusterIPs: ["10.43.0.77"],
      ipFamilies: ["IPv4"],
      ipFamilyPolicy: "SingleStack",
    });
    const ip = await call("POST", SERVICES, { body: service("ip", { clusterIP: "10.43.0.77" }) });
    expect([ip.code, (ip.body as { message: string }).message]).toEqual([
      422,
      'Service "ip" is invalid: spec.clusterIPs: Invalid value: ["10.43.0.77"]: failed to allocate IP 10.43.0.77: provided IP is already allocated',
    ]);
    const port = await call("POST", SERVICES, { body: service("port", { type: "NodePort", ports: [{ port: 80, nodePort: 30123 }] }) });
    expect([port.code, (port.body as { message: string }).message]).toEqual([
      422,
      'Service "port" is invalid: spec.ports[0].nodePort: Invalid value: 30123: provided port is already allocated',
    ]);
    await call("DELETE", `${SERVICES}/np`);
    await created(SERVICES, service("ip", { clusterIP: "10.43.0.77" }));
  });

  test("refuse addresses and ports out of range", async () => {
    const ip = await call("POST", SERVICES, { body: service("far", { clusterIP: "10.1.2.3" }) });
    expect((ip.body as { message: string }).message).toBe(
      'Service "far" is invalid: spec.clusterIPs: Invalid value: ["10.1.2.3"]: failed to allocate IP 10.1.2.3: the provided IP (10.1.2.3) is not in the valid range. The range of valid IPs is 10.43.0.0/16',
    );
    const port = await call("POST", SERVICES, { body: service("far", { type: "NodePort", ports: [{ port: 80, nodePort: 80 }] }) });
    expect((port.body as { message: string }).message).toBe(
      'Service "far" is invalid: spec.ports[0].nodePort: Invalid value: 80: provided port is not in the valid range. The range of valid ports is 30000-32767',
    );
  });

  test("keep no address that was tried on a dry run", async () => {
    await call("POST", `${SERVICES}?dryRun=All`, { body: service("tried", { clusterIP: "10.43.0.88" }) });
    await created(SERVICES, service("meant", { clusterIP: "10.43.0.88" }));
  });
});

describe("binding and eviction", () => {
  const PODS = "/api/v1/namespaces/default/pods";
  const pod = (name: string) => ({ metadata: { name, labels: { app: name } }, spec: { containers: [{ name: "c", image: "i" }] } });

  test("a pod is bound once", async () => {
    await created(PODS, pod("bound"));
    const binding = { metadata: { name: "bound" }, target: { kind: "Node", name: "n1" } };
    const first = await call("POST", `${PODS}/bound/binding`, { body: binding });
    expect([first.code, first.body]).toEqual([201, { kind: "Status", apiVersion: "v1", metadata: {}, status: "Success", code: 201 }]);
    expect((await call("GET", `${PODS}/bound`)).body).toMatchObject({
      spec: { nodeName: "n1" },
      status: { conditions: [{ type: "PodScheduled", status: "True" }] },
    });
    const second = await call("POST", `${PODS}/bound/binding`, { body: binding });
    expect([second.code, (second.body as { message: string }).message]).toEqual([
      409,
      'Operation cannot be fulfilled on pods/binding "bound": pod bound is already assigned to node "n1"',
    ]);
  });

  test("a budget without room refuses an eviction", async () => {
    await created(PODS, pod("guarded"));
    await created("/apis/policy/v1/namespaces/default/poddisruptionbudgets", {
      metadata: { name: "budget" },
      spec: { minAvailable: 1, selector: { matchLabels: { app: "guarded" } } },
    });
    await call("PATCH", `${PODS}/guarded/status`, {
      body: { status: { phase: "Running" } },
      headers: { "content-type": "application/merge-patch+json" },
    });
    await call("PATCH", "/apis/policy/v1/namespaces/default/poddisruptionbudgets/budget/status", {
      body: { status: { observedGeneration: 1, disruptionsAllowed: 0, currentHealthy: 0, desiredHealthy: 1, expectedPods: 1 } },
      headers: { "content-type": "application/merge-patch+json" },
    });
    const { code, body } = await call("POST", `${PODS}/guarded/eviction`, {
      body: { apiVersion: "policy/v1", kind: "Eviction", metadata: { name: "guarded" } },
    });
    expect(code).toBe(429);
    expect(body).toEqual(
      failure(429, "TooManyRequests", "Cannot evict pod as it would violate the pod's disruption budget.", {
        causes: [{ reason: "DisruptionBudget", message: "The disruption budget budget needs 1 healthy pods and has 0 currently" }],
      }),
    );
  });

  test("a pod that runs nowhere goes at once, and one on a node gets its grace period", async () => {
    await created(PODS, pod("nowhere"));
    expect((await call("DELETE", `${PODS}/nowhere`)).body).toMatchObject({ kind: "Pod", metadata: { name: "nowhere" } });
    expect((await call("GET", `${PODS}/nowhere`)).code).toBe(404);
    await call("DELETE", `${PODS}/bound`);
    expect((await call("GET", `${PODS}/bound`)).body).toMatchObject({ metadata: { deletionGracePeriodSeconds: 30 } });
    await call("DELETE", `${PODS}/bound?gracePeriodSeconds=0`);
    expect((await call("GET", `${PODS}/bound`)).code).toBe(404);
  });
});
