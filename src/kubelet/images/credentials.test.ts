import { expect, test } from "vitest";
import type { Secret } from "#machinery/api/core-v1.ts";
import { credentialsFor } from "./credentials.ts";

const base64 = (text: string) => Buffer.from(text).toString("base64");
const secret = (auths: object): Secret => ({
  apiVersion: "v1",
  kind: "Secret",
  metadata: {},
  type: "kubernetes.io/dockerconfigjson",
  data: { ".dockerconfigjson": base64(JSON.stringify({ auths })) },
});
const held = [
  secret({
    "https://index.docker.io/v1/": { auth: base64("hub:h:1") },
    "registry.example:5000": { username: "team", password: "t" },
    "registry.example:5000/secret": { auth: base64("inner:i") },
  }),
];

const cases: readonly (readonly [string, string[]])[] = [
  ["nginx", ["hub:h:1"]],
  ["someone/app:1", ["hub:h:1"]],
  ["docker.io/library/nginx@sha256:0", ["hub:h:1"]],
  ["registry.example:5000/app:1", ["team:t"]],
  ["registry.example:5000/secret/app:1", ["inner:i", "team:t"]],
  ["registry.example:5000/secrets/app", ["team:t"]],
  ["other.example/app", []],
];
test.each(cases)("credentialsFor(): %s", (image, wanted) => {
  expect(credentialsFor(image, held).map(({ username, password }) => `${username}:${password}`)).toEqual(wanted);
});

test("credentialsFor() makes nothing of a Secret that holds something else", () => {
  const other: Secret = { ...secret({}), data: { ".dockerconfigjson": base64("no json"), key: "" } };
  expect(credentialsFor("nginx", [other])).toEqual([]);
});
