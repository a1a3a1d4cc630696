import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startTestServer, type TestServer } from "#apiserver/testing.ts";
import { type Caller, callerOf } from "./call.ts";

let server: TestServer;
let call: Caller;
beforeAll(async () => {
  server = await startTestServer();
  call = callerOf(server);
});
afterAll(async () => {
  call[Symbol.dispose]();
  await server[Symbol.asyncDispose]();
});

describe("discovery", () => {
  test("lists core resources with their subresources", async () => {
    const { body } = await call("GET", "/api/v1");
    expect(body).toMatchObject({ kind: "APIResourceList", groupVersion: "v1" });
    const { resources } = body as { readonly resources: readonly { readonly name: string }[] };
    expect(resources.find(({ name }) => name === "pods")).toMatchObject({
      singularName: "pod",
      namespaced: true,
      kind: "Pod",
      shortNames: ["po"],
      categories: ["all"],
      verbs: ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"],
    });
    expect(resources.find(({ name }) => name === "pods/eviction")).toEqual({
      name: "pods/eviction",
      singularName: "",
      namespaced: true,
      group: "policy",
      version: "v1",
      kind: "Eviction",
      verbs: ["create"],
    });
  });

  test("prefers the newest version of a group", async () => {
    expect((await call("GET", "/apis/autoscaling")).body).toEqual({
      kind: "APIGroup",
      apiVersion: "v1",
      name: "autoscaling",
      versions: [
        { groupVersion: "autoscaling/v2", version: "v2" },
        { groupVersion: "autoscaling/v1", version: "v1" },
      ],
      preferredVersion: { groupVersion: "autoscaling/v2", version: "v2" },
    });
  });

  test("is one document for clients that read that, with its parameters in order", async () => {
    const accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json";
    const { headers, body } = await call("GET", "/apis", { headers: { accept } });
    expect(headers["content-type"]).toBe("application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList");
    expect(body).toMatchObject({ kind: "APIGroupDiscoveryList", apiVersion: "apidiscovery.k8s.io/v2" });
    const again = await call("GET", "/apis", { headers: { accept, "if-none-match": String(headers["etag"]) } });
    expect(again.code).toBe(304);
  });
});

describe("OpenAPI", () => {
  test("v3 has a hash for every group version, and what kubectl looks for", async () => {
    const { body } = await call("GET", "/openapi/v3");
    const { paths } = body as { readonly paths: Readonly<Record<string, { readonly serverRelativeURL: string }>> };
    expect(paths["apis/apps/v1"]?.serverRelativeURL).toMatch(/^\/openapi\/v3\/apis\/apps\/v1\?hash=[0-9A-F]{128}$/);
    const document = (await call("GET", paths["apis/apps/v1"]?.serverRelativeURL ?? "")).body;
    expect(document).toMatchObject({
      openapi: "3.0.0",
      paths: {
        "/apis/apps/v1/namespaces/{namespace}/deployments/{name}": {
          patch: { "x-kubernetes-group-version-kind": { group: "apps", version: "v1", kind: "Deployment" } },
        },
      },
      components: {
        schemas: {
          "io.k8s.api.core.v1.PodSpec": {
            required: ["containers"],
            properties: { containers: { type: "array", "x-kubernetes-list-type": "map", "x-kubernetes-patch-merge-key": "name" } },
          },
        },
      },
    });
    const { patch } = (document as { paths: Record<string, { patch: { parameters: { name: string }[] } }> }).paths[
      "/apis/apps/v1/namespaces/{namespace}/deployments/{name}"
    ] ?? { patch: { parameters: [] } };
    expect(patch.parameters.map(({ name }) => name)).toContain("fieldValidation");
  });

  test("v2 is the same document in JSON and in protobuf", async () => {
    const json = await call("GET", "/openapi/v2");
    expect(json.body).toMatchObject({ swagger: "2.0", definitions: { "io.k8s.api.core.v1.Pod": { type: "object" } } });
    const accept = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf";
    const { headers, text } = await call("GET", "/openapi/v2", { headers: { accept } });
    expect(headers["content-type"]).toBe("application/com.github.proto-openapi.spec.v2.v1.0+protobuf");
    expect(text).toContain("io.k8s.api.core.v1.Pod");
  });
});

describe("health", () => {
  test("lists its checks", async () => {
    const { text } = await call("GET", "/readyz?verbose");
    expect(text).toBe("[+]ping ok\n[+]etcd ok\nreadyz check passed\n");
    expect((await call("GET", "/livez/ping")).text).toBe("ok");
    expect((await call("GET", "/livez/nothing")).code).toBe(404);
  });
});

test("version is the Kubernetes version this server behaves as", async () => {
  expect((await call("GET", "/version", { as: "nobody" })).body).toMatchObject({
    major: "1",
    minor: "36",
    gitVersion: expect.stringMatching(/^v1\.36\.0\+navarch/),
  });
});

test("tokens can be checked by others", async () => {
  expect((await call("GET", "/.well-known/openid-configuration")).body).toMatchObject({
    issuer: "https://kubernetes.default.svc.cluster.local",
    id_token_signing_alg_values_supported: ["ES256"],
  });
  const { headers, text } = await call("GET", "/openid/v1/jwks");
  expect(headers["content-type"]).toBe("application/jwk-set+json");
  expect(JSON.parse(text)).toMatchObject({ keys: [{ use: "sig", kty: "EC", crv: "P-256", alg: "ES256" }] });
});
