import { describe, expect, test } from "vitest";
import type { ConfigMap, Pod, Secret } from "#machinery/api/core-v1.ts";
import { configMapFiles, downwardFiles, isSafePath, mergeFiles, type PayloadAnswer, secretFiles } from "./payload.ts";

const map: ConfigMap = {
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: {},
  data: { a: "alpha" },
  binaryData: { b: Buffer.from([0, 255]).toString("base64") },
};
const secret: Secret = { apiVersion: "v1", kind: "Secret", metadata: {}, data: { pass: Buffer.from("hush").toString("base64") } };
const ref = { namespace: "default", name: "conf" };
const all = { items: undefined, optional: false, mode: 0o644 };

function text(answer: PayloadAnswer) {
  return answer.ok
    ? answer.files.map(({ path, content, mode }) => `${path} ${mode.toString(8)} ${Buffer.from(content).toString("latin1")}`)
    : answer.message;
}

const cases: readonly { name: string; answer: PayloadAnswer; wanted: string | string[] }[] = [
  { name: "all keys of a ConfigMap", answer: configMapFiles(ref, map, all), wanted: ["a 644 alpha", "b 644 \u0000\u00ff"] },
  {
    name: "some keys under other paths and modes",
    answer: configMapFiles(ref, map, { ...all, items: [{ key: "a", path: "dir/x", mode: 0o400 }] }),
    wanted: ["dir/x 400 alpha"],
  },
  {
    name: "a key that is missing",
    answer: configMapFiles(ref, map, { ...all, items: [{ key: "z", path: "z" }] }),
    wanted: "configmap references non-existent config key: z",
  },
  {
    name: "a key that may be missing",
    answer: configMapFiles(ref, map, { ...all, optional: true, items: [{ key: "z", path: "z" }] }),
    wanted: [],
  },
  { name: "a ConfigMap that is missing", answer: configMapFiles(ref, undefined, all), wanted: 'configmap "conf" not found' },
  { name: "a ConfigMap that may be missing", answer: configMapFiles(ref, undefined, { ...all, optional: true }), wanted: [] },
  { name: "a Secret", answer: secretFiles(ref, secret, { ...all, mode: 0o400 }), wanted: ["pass 400 hush"] },
  { name: "a Secret that is missing", answer: secretFiles(ref, undefined, all), wanted: 'secret "conf" not found' },
  {
    name: "a Secret's key that is missing",
    answer: secretFiles(ref, secret, { ...all, items: [{ key: "z", path: "z" }] }),
    wanted: "references non-existent secret key: z",
  },
];
test.each(cases)("payload: $name", ({ answer, wanted }) => {
  expect(text(answer)).toEqual(wanted);
});

test("downwardFiles() writes labels as upstream does", () => {
  const pod: Pod = { apiVersion: "v1", kind: "Pod", metadata: { name: "web", labels: { b: "2", a: 'x"y' } }, spec: { containers: [] } };
  const facts = { podIps: [], hostIps: [], allocatable: { cpu: 1, memoryBytes: 1, ephemeralStorageBytes: 1 } };
  const items = [
    { path: "labels", fieldRef: { fieldPath: "metadata.labels" } },
    { path: "name", fieldRef: { fieldPath: "metadata.name" }, mode: 0o600 },
  ];
  expect(text(downwardFiles(pod, items, 0o644, facts))).toEqual(['labels 644 a="x\\"y"\nb="2"', "name 600 web"]);
});

test("mergeFiles() lets the later source win", () => {
  const file = (path: string, content: string) => ({ path, content: Buffer.from(content), mode: 0o644 });
  expect(
    mergeFiles([[file("a", "1"), file("b", "1")], [file("a", "2")]]).map(({ path, content }) => `${path}${Buffer.from(content)}`),
  ).toEqual(["a2", "b1"]);
});

describe("isSafePath()", () => {
  test.each(["a", "dir/a", ".hidden", "a..b", "dir/..b"])("takes %s", (path) => expect(isSafePath(path)).toBe(true));
  test.each(["", "/etc/passwd", "../a", "a/../../b", "..data", "..2030/x", "a//b"])("refuses %j", (path) =>
    expect(isSafePath(path)).toBe(false),
  );
});
