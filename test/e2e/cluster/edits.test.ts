import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { KUBECTLS, type Kubectl, type TestCluster, openCluster } from "./harness.ts";

const configMap = (name: string, data: Readonly<Record<string, string>>) =>
  JSON.stringify({ apiVersion: "v1", kind: "ConfigMap", metadata: { name }, data });

/** kubectl 1.34 began to name the namespace. */
const deleted = (what: string) => new RegExp(`^${what} deleted( from default namespace)?\n$`);

describe.each(KUBECTLS)("%s", (program) => {
  let cluster: TestCluster;
  let kubectl: Kubectl;
  const data = async (name: string) => JSON.parse((await kubectl.ok(["get", "cm", name, "-o", "jsonpath={.data}"])) || "{}") as unknown;
  beforeAll(async () => {
    cluster = await openCluster({ program });
    ({ kubectl } = cluster);
    return () => cluster[Symbol.asyncDispose]();
  });

  test("label and annotate set, refuse to overwrite, overwrite and remove", async () => {
    await kubectl.ok("create configmap marked");
    expect(await kubectl.ok("label cm marked a=1")).toBe("configmap/marked labeled\n");
    expect(await kubectl.ok("label cm marked a=1")).toBe("configmap/marked not labeled\n");
    expect(await kubectl.fails("label cm marked a=2")).toBe("error: 'a' already has a value (1), and --overwrite is false\n");
    expect(await kubectl.ok("label cm marked a=2 --overwrite")).toBe("configmap/marked labeled\n");
    expect(await kubectl.ok("label cm marked --list")).toBe("a=2\n");
    expect(await kubectl.ok("label cm marked a-")).toBe("configmap/marked unlabeled\n");
    expect(await kubectl.fails("label cm marked a=not/ok")).toContain(
      "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
    );
    expect(await kubectl.ok("annotate cm marked example.com/note=hello")).toBe("configmap/marked annotated\n");
    expect(await kubectl.ok("annotate cm marked --list")).toBe("example.com/note=hello\n");
    expect(await kubectl.ok("annotate cm marked example.com/note-")).toBe("configmap/marked annotated\n");
    expect(await kubectl.ok("label nodes --all zone=a")).toBe("node/node-1 labeled\nnode/node-2 labeled\n");
  });

  test("patch: strategic merge, merge and JSON", async () => {
    await kubectl.ok("create deployment patched --image=kubia --replicas=0");
    const containers = "jsonpath={range .spec.template.spec.containers[*]}{.name}={.image} {end}";
    const add = '{"spec":{"template":{"spec":{"containers":[{"name":"side","image":"pause"}]}}}}';
    expect(await kubectl.ok(["patch", "deploy", "patched", "-p", add])).toBe("deployment.apps/patched patched\n");
    expect(await kubectl.ok(["get", "deploy", "patched", "-o", containers])).toBe("side=pause kubia=kubia ");
    expect(await kubectl.ok(["patch", "deploy", "patched", "-p", add])).toBe("deployment.apps/patched patched (no change)\n");
    const replace = '{"spec":{"template":{"spec":{"containers":[{"name":"only","image":"pause"}]}}}}';
    await kubectl.ok(["patch", "deploy", "patched", "--type=merge", "-p", replace]);
    expect(await kubectl.ok(["get", "deploy", "patched", "-o", containers])).toBe("only=pause ");
    const steps = [
      { op: "test", path: "/spec/replicas", value: 0 },
      { op: "add", path: "/metadata/labels/a~1b", value: "c" },
      { op: "replace", path: "/spec/template/spec/containers/0/image", value: "kubia" },
    ];
    await kubectl.ok(["patch", "deploy", "patched", "--type=json", "-p", JSON.stringify(steps)]);
    expect(await kubectl.ok(["get", "deploy", "patched", "-o", "jsonpath={.metadata.labels.a/b}"])).toBe("c");
    expect(await kubectl.ok(["get", "deploy", "patched", "-o", containers])).toBe("only=kubia ");
    const untrue = '[{"op":"test","path":"/spec/replicas","value":9}]';
    expect(await kubectl.fails(["patch", "deploy", "patched", "--type=json", "-p", untrue])).toBe(
      "The request is invalid: the server rejected our request due to an error in our request\n",
    );
    expect(await kubectl.fails(["patch", "deploy", "patched", "-p", '{"spec":{"selector":{"matchLabels":{"app":"other"}}}}'])).toMatch(
      /^The Deployment "patched" is invalid: [^]*spec\.selector: Invalid value: [^]*: field is immutable\n$/,
    );
  });

  test("patch --subresource changes status alone", async () => {
    await kubectl.ok("create deployment sub --image=kubia --replicas=0");
    await kubectl.ok(["patch", "deploy", "sub", "--subresource=scale", "--type=merge", "-p", '{"spec":{"replicas":1}}']);
    expect(await kubectl.ok(["get", "deploy", "sub", "-o", "jsonpath={.spec.replicas}"])).toBe("1");
    expect(
      await kubectl.ok(["get", "deploy", "sub", "--subresource=scale", "-o", "jsonpath={.kind} {.spec.replicas} {.status.selector}"]),
    ).toBe("Scale 1 app=sub");
  });

  test("edit saves what the editor leaves and says when that is nothing", async () => {
    await kubectl.ok("create configmap edited --from-literal=color=red");
    const editor = join(cluster.directory, "editor.sh");
    await writeFile(editor, '#!/bin/sh\nexec sed -i "s/color: red/color: blue/" "$1"\n', { mode: 0o700 });
    const env = { EDITOR: editor };
    expect(await kubectl.ok("edit cm edited", { env })).toBe("configmap/edited edited\n");
    expect(await data("edited")).toEqual({ color: "blue" });
    expect(await kubectl("edit cm edited", { env })).toMatchObject({ code: 0, stderr: "Edit cancelled, no changes made.\n" });
  });

  test("replace needs the revision it read", async () => {
    await kubectl.ok("create -f -", { input: configMap("replaced", { a: "1" }) });
    const read = await kubectl.json<{ data: Record<string, string> }>("get cm replaced -o json");
    expect(await kubectl.ok("replace -f -", { input: configMap("replaced", { b: "2" }) })).toBe("configmap/replaced replaced\n");
    expect(await data("replaced")).toEqual({ b: "2" });
    expect(await kubectl.fails("replace -f -", { input: JSON.stringify({ ...read, data: { c: "3" } }) })).toBe(
      'Error from server (Conflict): error when replacing "STDIN": Operation cannot be fulfilled on configmaps "replaced": the object has been modified; please apply your changes to the latest version and try again\n',
    );
    expect(await kubectl.fails("replace -f -", { input: configMap("absent", {}) })).toBe(
      'Error from server (NotFound): error when replacing "STDIN": configmaps "absent" not found\n',
    );
  });

  test("apply creates, leaves alone, changes and removes", async () => {
    const apply = (values: Readonly<Record<string, string>>, name = "applied") =>
      kubectl.ok("apply -f -", { input: configMap(name, values) });
    expect(await apply({ a: "1", b: "2" })).toBe("configmap/applied created\n");
    expect(await apply({ a: "1", b: "2" })).toBe("configmap/applied unchanged\n");
    await kubectl.ok(["patch", "cm", "applied", "-p", '{"data":{"foreign":"kept"}}']);
    expect(await apply({ a: "3" })).toBe("configmap/applied configured\n");
    expect(await data("applied")).toEqual({ a: "3", foreign: "kept" });
    expect(await kubectl.ok("apply -f - --dry-run=server", { input: configMap("applied", { a: "4" }) })).toBe(
      "configmap/applied configured (server dry run)\n",
    );
    expect(await data("applied")).toEqual({ a: "3", foreign: "kept" });
    expect(await kubectl.ok("apply view-last-applied cm applied -o json")).toContain('"a": "3"');
  });

  test("apply --prune removes what left the set", async () => {
    const both = ["one", "two"].map((name) =>
      configMap(`set-${name}`, { a: "1" }).replace('"metadata":{', '"metadata":{"labels":{"set":"pruned"},'),
    );
    await kubectl.ok("apply -f - -l set=pruned --prune --prune-allowlist=core/v1/ConfigMap", { input: both.join("\n") });
    expect(await kubectl.ok("apply -f - -l set=pruned --prune --prune-allowlist=core/v1/ConfigMap", { input: both[0] ?? "" })).toMatch(
      /^configmap\/set-one unchanged\nconfigmap\/set-two pruned\n$/,
    );
  });

  test("apply --server-side owns fields and refuses those of others", async () => {
    const apply = (manager: string, values: Readonly<Record<string, string>>, ...flags: string[]) =>
      kubectl(["apply", "--server-side", `--field-manager=${manager}`, "-f", "-", ...flags], { input: configMap("owned", values) });
    expect(await apply("alice", { a: "1", b: "1" })).toEqual({ code: 0, stdout: "configmap/owned serverside-applied\n", stderr: "" });
    expect(await apply("bob", { c: "1" })).toMatchObject({ code: 0 });
    expect(await data("owned")).toEqual({ a: "1", b: "1", c: "1" });
    const one = await apply("bob", { a: "2", c: "1" });
    expect(one).toMatchObject({ code: 1, stdout: "" });
    expect(one.stderr).toBe(`error: Apply failed with 1 conflict: conflict with "alice": .data.a
Please review the fields above--they currently have other managers. Here
are the ways you can resolve this warning:
* If you intend to manage all of these fields, please re-run the apply
  command with the \`--force-conflicts\` flag.
* If you do not intend to manage all of the fields, please edit your
  manifest to remove references to the fields that should keep their
  current managers.
* You may co-own fields by updating your manifest to match the existing
  value; in this case, you'll become the manager if the other manager(s)
  stop managing the field (remove it from their configuration).
See https://kubernetes.io/docs/reference/using-api/server-side-apply/#conflicts
`);
    expect((await apply("bob", { a: "2", b: "2" })).stderr).toContain(
      'error: Apply failed with 2 conflicts: conflicts with "alice":\n- .data.a\n- .data.b\n',
    );
    expect(await apply("bob", { a: "2" }, "--force-conflicts")).toMatchObject({ code: 0 });
    expect(await data("owned")).toEqual({ a: "2", b: "1" });
    const { metadata } = await kubectl.json<{ metadata: { managedFields: { manager: string; operation: string; fieldsV1: unknown }[] } }>(
      "get cm owned -o json --show-managed-fields",
    );
    expect(metadata.managedFields.map(({ manager, operation, fieldsV1 }) => ({ manager, operation, fieldsV1 }))).toEqual([
      { manager: "alice", operation: "Apply", fieldsV1: { "f:data": { "f:b": {} } } },
      { manager: "bob", operation: "Apply", fieldsV1: { "f:data": { "f:a": {} } } },
    ]);
    await kubectl.ok(["patch", "cm", "owned", "-p", '{"data":{"b":"7"}}']);
    expect((await apply("alice", { b: "8" })).stderr).toContain(
      'Apply failed with 1 conflict: conflict with "kubectl-patch" using v1: .data.b\n',
    );
  });

  test("diff exits 0 without and 1 with a difference, and changes nothing", async () => {
    await kubectl.ok("apply -f -", { input: configMap("differs", { a: "1" }) });
    expect(await kubectl("diff -f -", { input: configMap("differs", { a: "1" }) })).toEqual({ code: 0, stdout: "", stderr: "" });
    const { code, stdout } = await kubectl("diff -f -", { input: configMap("differs", { a: "2" }) });
    expect(code).toBe(1);
    expect(stdout).toMatch(/^-  a: "1"\n\+  a: "2"$/m);
    expect(await data("differs")).toEqual({ a: "1" });
    const fresh = await kubectl("diff -f -", { input: configMap("unborn", { a: "1" }) });
    expect(fresh.code).toBe(1);
    expect(fresh.stdout).toMatch(/^\+kind: ConfigMap$/m);
    expect((await kubectl("get cm unborn")).code).toBe(1);
  });

  test("delete takes names, files, labels and preconditions of finalizers", async () => {
    await kubectl.ok("create configmap gone-1");
    expect(await kubectl.ok("delete cm gone-1")).toMatch(deleted('configmap "gone-1"'));
    expect(await kubectl.fails("delete cm gone-1")).toBe('Error from server (NotFound): configmaps "gone-1" not found\n');
    expect(await kubectl.ok("delete cm gone-1 --ignore-not-found")).toBe("");
    await kubectl.ok("apply -f -", { input: configMap("gone-2", {}) });
    expect(await kubectl.ok("delete -f -", { input: configMap("gone-2", {}) })).toMatch(deleted('configmap "gone-2"'));
    await kubectl.ok("create configmap held");
    await kubectl.ok(["patch", "cm", "held", "-p", '{"metadata":{"finalizers":["example.com/hold"]}}']);
    await kubectl.ok("delete cm held --wait=false");
    expect(await kubectl.ok(["get", "cm", "held", "-o", "jsonpath={.metadata.deletionTimestamp}"])).toMatch(/^\d{4}-/);
    await kubectl.ok(["patch", "cm", "held", "--type=merge", "-p", '{"metadata":{"finalizers":null}}']);
    expect((await kubectl("get cm held")).stderr).toContain("NotFound");
  });

  test("delete namespace takes its contents along", async () => {
    expect(await kubectl.ok("create namespace doomed")).toBe("namespace/doomed created\n");
    await kubectl.ok("create configmap inside -n doomed");
    await kubectl.ok("create deployment inside --image=kubia -n doomed");
    await kubectl.ok("wait --for=condition=Available deployment/inside -n doomed --timeout=30s");
    expect(await kubectl.ok("delete ns doomed --timeout=60s")).toBe('namespace "doomed" deleted\n');
    expect(await kubectl.fails("get ns doomed")).toBe('Error from server (NotFound): namespaces "doomed" not found\n');
    expect(await kubectl.ok("get pods,cm,deploy,rs,sa -A -o jsonpath={.items[*].metadata.namespace}")).not.toContain("doomed");
    await kubectl.ok("create namespace doomed");
    expect(await kubectl.ok("get cm -n doomed -o name")).not.toContain("inside");
  });

  test("a namespace that ends takes no new objects, default cannot be deleted", async () => {
    await kubectl.ok("create namespace ending");
    await kubectl.ok("create configmap holder -n ending");
    await kubectl.ok(["patch", "cm", "holder", "-n", "ending", "-p", '{"metadata":{"finalizers":["example.com/hold"]}}']);
    await kubectl.ok("delete ns ending --wait=false");
    expect(await kubectl.ok("get ns ending --no-headers")).toMatch(/^ending +Terminating /);
    expect(await kubectl.fails("create configmap late -n ending")).toBe(
      'error: failed to create configmap: configmaps "late" is forbidden: unable to create new content in namespace ending because it is being terminated\n',
    );
    await kubectl.ok(["patch", "cm", "holder", "-n", "ending", "--type=merge", "-p", '{"metadata":{"finalizers":null}}']);
    await kubectl.ok("wait --for=delete ns/ending --timeout=30s");
    expect(await kubectl.fails("delete ns default")).toBe(
      'Error from server (Forbidden): namespaces "default" is forbidden: this namespace may not be deleted\n',
    );
  });
});
