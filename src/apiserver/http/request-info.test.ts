import { expect, test } from "vitest";
import { parseRequestInfo } from "./request-info.ts";

test.each([
  ["GET", "/api/v1/pods", { verb: "list", group: "", version: "v1", resource: "pods", namespace: "", name: "" }],
  ["GET", "/api/v1/pods?watch=1", { verb: "watch", resource: "pods" }],
  ["GET", "/api/v1/watch/namespaces/a/pods", { verb: "watch", resource: "pods", namespace: "a" }],
  ["GET", "/api/v1/pods?watch=false", { verb: "list" }],
  ["GET", "/api/v1/namespaces/a/pods/b", { verb: "get", namespace: "a", name: "b" }],
  ["HEAD", "/api/v1/namespaces/a/pods/b", { verb: "get" }],
  ["GET", "/api/v1/namespaces/a", { verb: "get", resource: "namespaces", namespace: "a", name: "a", subresource: "" }],
  ["PUT", "/api/v1/namespaces/a/finalize", { verb: "update", resource: "namespaces", name: "a", subresource: "finalize" }],
  ["GET", "/api/v1/namespaces/a/status/b", { resource: "namespaces", subresource: "status" }],
  ["POST", "/apis/apps/v1/namespaces/a/deployments", { verb: "create", group: "apps", version: "v1", resource: "deployments" }],
  ["DELETE", "/apis/apps/v1/namespaces/a/deployments", { verb: "deletecollection" }],
  ["DELETE", "/apis/apps/v1/namespaces/a/deployments/b", { verb: "delete", name: "b" }],
  ["PATCH", "/apis/apps/v1/namespaces/a/deployments/b/scale", { verb: "patch", subresource: "scale" }],
  ["GET", "/api/v1/nodes/n/proxy/a%2Fb/c", { subresource: "proxy", name: "n", rest: "/a%2Fb/c" }],
  ["GET", "/api/v1/secrets?fieldSelector=metadata.name%3Dx", { verb: "list", name: "x" }],
  ["GET", "/api/v1/namespaces/a/configmaps/system%3Ax", { name: "system:x" }],
  ["GET", "/apis/apps/v1", { isResource: false, verb: "get", path: "/apis/apps/v1" }],
  ["GET", "/api/v1/%E0%A4%A", { isResource: false }],
  ["GET", "/", { isResource: false }],
])("parseRequestInfo() reads %s %s", (method, target, expected) => {
  const [path = "", query = ""] = target.split("?");
  expect(parseRequestInfo(method, path, new URLSearchParams(query))).toMatchObject(expected);
});
