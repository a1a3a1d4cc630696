import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { systemClock } from "#base/node/system-clock.ts";
import { kubeconfigPath, mergeKubeconfig, readKubeconfig, removeFromKubeconfig } from "./kubeconfig.ts";

let dir = "";
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "kubeconfig-"));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

const deps = { clock: systemClock, signal: new AbortController().signal };
const entry = { name: "navarch-demo", server: "https://127.0.0.1:6443", ca: "CA", user: { cert: "CERT", key: "KEY" } };

test("mergeKubeconfig() adds a context, keeps what it does not know, and is undone by removeFromKubeconfig()", async () => {
  const path = join(dir, "sub", "config");
  await mergeKubeconfig(path, entry, deps);
  const other = `apiVersion: v1
kind: Config
preferences: {colors: true}
clusters: [{name: other, cluster: {server: "https://x", proxy-url: "http://p"}}]
contexts: [{name: other, context: {cluster: other, user: other}}]
users: [{name: other, user: {exec: {command: aws}}}]
current-context: other
`;
  await writeFile(path, other);
  await mergeKubeconfig(path, entry, deps);
  await mergeKubeconfig(path, entry, deps);
  const access = await readKubeconfig(path);
  expect(access).toEqual({ server: "https://127.0.0.1:6443", credentials: { ca: "CA", cert: "CERT", key: "KEY" }, namespace: "default" });
  const merged = await readFile(path, "utf8");
  expect(merged).toContain("proxy-url: http://p");
  expect(merged.match(/name: navarch-demo/g)).toHaveLength(3);
  await removeFromKubeconfig(path, "navarch-demo", deps);
  const after = await readFile(path, "utf8");
  expect(after).not.toContain("navarch-demo");
  expect(after).toContain("command: aws");
  expect(after).toContain("current-context: ''");
});

test("mergeKubeconfig() at the same time from several places loses nothing", async () => {
  const path = join(dir, "config");
  await Promise.all(Array.from({ length: 8 }, (_, i) => mergeKubeconfig(path, { ...entry, name: `c${i}` }, deps)));
  const content = await readFile(path, "utf8");
  for (let i = 0; i < 8; i++) expect(content).toContain(`name: c${i}`);
});

test("a broken file is refused, not replaced", async () => {
  const path = join(dir, "config");
  await writeFile(path, "a: [");
  await expect(mergeKubeconfig(path, entry, deps)).rejects.toThrow("it is not YAML, repair or move it");
  expect(await readFile(path, "utf8")).toBe("a: [");
});

test("kubeconfigPath() takes the first of $KUBECONFIG, else the home directory", () => {
  expect(kubeconfigPath({ KUBECONFIG: ":/a:/b" })).toBe("/a");
  expect(kubeconfigPath({ HOME: "/home/u" })).toBe("/home/u/.kube/config");
});
