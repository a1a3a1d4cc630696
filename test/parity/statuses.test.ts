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
const DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments";

function deployment(extra: object = {}) {
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: "web" },
    spec: {
      selector: { matchLabels: { app: "web" } },
      template: { metadata: { labels: { app: "web" } }, spec: { containers: [{ name: "c", image: "i" }] } },
      ...extra,
    },
  };
}

describe("a request the server cannot serve", () => {
  test("names the object that is not there", async () => {
    const { code, body } = await call("GET", `${CONFIG_MAPS}/x`);
    expect(code).toBe(404);
    expect(body).toEqual(failure(404, "NotFound", 'configmaps "x" not found', { name: "x", kind: "configmaps" }));
  });

  test("qualifies resources of groups", async () => {
    const { body } = await call("GET", `${DEPLOYMENTS}/x`);
    expect(body).toEqual(failure(404, "NotFound", 'deployments.apps "x" not found', { name: "x", group: "apps", kind: "deployments" }));
  });

  test("says that there is no such resource", async () => {
    for (const path of ["/api/v1/nonsense", "/apis/apps/v1/namespaces/default/pods", "/nonsense"]) {
      const { code, body } = await call("GET", path);
      expect(code).toBe(404);
      expect(body).toEqual(failure(404, "NotFound", "the server could not find the requested resource", {}));
    }
  });

  test("refuses methods that the resource does not have", async () => {
    const { code, body } = await call("PUT", CONFIG_MAPS, { body: {} });
    expect(code).toBe(405);
    expect(body).toEqual(failure(405, "MethodNotAllowed", "the server does not allow this method on the requested resource"));
  });
});

describe("a body that cannot be read", () => {
  test.each([
    {
      name: "empty",
      body: "",
      message:
        "the object provided is unrecognized (must be of type ConfigMap): couldn't get version/kind; json parse error: unexpected end of JSON input (<empty>)",
    },
    {
      name: "truncated JSON",
      body: '{"kind":"ConfigMap","apiVersion":"v1","metadata":{"na',
      message:
        'the object provided is unrecognized (must be of type ConfigMap): couldn\'t get version/kind; json parse error: unexpected end of JSON input ({"kind":"ConfigMap","apiVersio ...)',
    },
    {
      name: "of another kind",
      body: '{"kind":"Pod","apiVersion":"v1"}',
      message: 'Pod in version "v1" cannot be handled as a ConfigMap: converting (v1.Pod) to (core.ConfigMap): unknown conversion',
    },
    {
      name: "of no kind at all",
      body: '{"kind":"Nonsense","apiVersion":"v1"}',
      message:
        'Nonsense in version "v1" cannot be handled as a ConfigMap: no kind "Nonsense" is registered for version "v1" in scheme "pkg/api/legacyscheme/scheme.go:30"',
    },
    {
      name: "with a field of a wrong type",
      body: '{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"x"},"data":{"a":1}}',
      message:
        'ConfigMap in version "v1" cannot be handled as a ConfigMap: json: cannot unmarshal number into Go struct field ConfigMap.data of type string',
    },
  ])("is a bad request: $name", async ({ body, message }) => {
    const answer = await call("POST", CONFIG_MAPS, { body });
    expect(answer.code).toBe(400);
    expect(answer.body).toEqual(failure(400, "BadRequest", message));
  });

  test("is refused when its type is unknown", async () => {
    const { code, body } = await call("POST", CONFIG_MAPS, { body: "<a/>", headers: { "content-type": "application/xml" } });
    expect(code).toBe(415);
    expect(body).toMatchObject({ reason: "UnsupportedMediaType" });
  });

  test("is refused when it is larger than 3 MiB, announced or not", async () => {
    const large = JSON.stringify({
      kind: "ConfigMap",
      apiVersion: "v1",
      metadata: { name: "large" },
      data: { a: "x".repeat(4 * 1024 * 1024) },
    });
    const { code, body } = await call("POST", CONFIG_MAPS, { body: large });
    expect(code).toBe(413);
    expect(body).toEqual(failure(413, "RequestEntityTooLarge", "Request entity too large: limit is 3145728"));
    expect((await call("GET", "/livez")).code).toBe(200);
  });
});

describe("unknown and duplicate fields", () => {
  const path = `${DEPLOYMENTS}?dryRun=All`;

  test("are an error under Strict", async () => {
    const { code, body } = await call("POST", `${path}&fieldValidation=Strict`, { body: deployment({ foo: 1 }) });
    expect(code).toBe(400);
    expect(body).toEqual(
      failure(
        400,
        "BadRequest",
        'Deployment in version "v1" cannot be handled as a Deployment: strict decoding error: unknown field "spec.foo"',
      ),
    );
  });

  test("are warnings by default", async () => {
    const text = JSON.stringify(deployment({ foo: 1 })).replace('"foo":1', '"foo":1,"replicas":1,"replicas":2');
    const { code, headers } = await call("POST", path, { body: text });
    expect(code).toBe(201);
    expect(headers["warning"]).toBe('299 - "duplicate field \\"spec.replicas\\"", 299 - "unknown field \\"spec.foo\\""');
  });

  test("are nothing under Ignore", async () => {
    const { code, headers } = await call("POST", `${path}&fieldValidation=Ignore`, { body: deployment({ foo: 1 }) });
    expect([code, headers["warning"]]).toEqual([201, undefined]);
  });
});

describe("an object that breaks the rules", () => {
  test("gets every complaint with its field", async () => {
    const { code, body } = await call("POST", CONFIG_MAPS, { body: { metadata: { name: "Bad_Name" } } });
    expect(code).toBe(422);
    const detail =
      "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
    expect(body).toEqual(
      failure(422, "Invalid", `ConfigMap "Bad_Name" is invalid: metadata.name: Invalid value: "Bad_Name": ${detail}`, {
        name: "Bad_Name",
        kind: "ConfigMap",
        causes: [{ reason: "FieldValueInvalid", message: `Invalid value: "Bad_Name": ${detail}`, field: "metadata.name" }],
      }),
    );
  });

  test("is told that its namespace does not exist", async () => {
    const { code, body } = await call("POST", "/api/v1/namespaces/nowhere/configmaps", { body: { metadata: { name: "x" } } });
    expect(code).toBe(404);
    expect(body).toEqual(failure(404, "NotFound", 'namespaces "nowhere" not found', { name: "nowhere", kind: "namespaces" }));
  });

  test("is told that its namespace goes away", async () => {
    await call("POST", "/api/v1/namespaces", { body: { metadata: { name: "going" } } });
    await call("DELETE", "/api/v1/namespaces/going");
    const { code, body } = await call("POST", "/api/v1/namespaces/going/configmaps", { body: { metadata: { name: "x" } } });
    expect(code).toBe(403);
    expect(body).toEqual(
      failure(
        403,
        "Forbidden",
        'configmaps "x" is forbidden: unable to create new content in namespace going because it is being terminated',
        {
          name: "x",
          kind: "configmaps",
          causes: [{ reason: "NamespaceTerminating", message: "namespace going is being terminated", field: "metadata.namespace" }],
        },
      ),
    );
  });

  test("may not be in another namespace than the path says", async () => {
    const { code, body } = await call("POST", CONFIG_MAPS, { body: { metadata: { name: "x", namespace: "other" } } });
    expect(code).toBe(400);
    expect(body).toEqual(
      failure(400, "BadRequest", "the namespace of the provided object does not match the namespace sent on the request"),
    );
  });
});
