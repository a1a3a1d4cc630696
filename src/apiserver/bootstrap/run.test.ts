import { expect, test } from "vitest";
import { ClusterRoleKind } from "#kinds/rbac/cluster-role.ts";
import { erased } from "#kinds/kind.ts";
import { startTestServer } from "../testing.ts";
import { mainRules, updateEntry } from "../verbs/update-entry.ts";
import { ownContext } from "./ensure.ts";

const { signal } = new AbortController();

test("bootstrap() a second time changes nothing", async () => {
  await using server = await startTestServer();
  const before = await server.store.revision();
  await server.api.bootstrap(signal);
  expect(await server.store.revision()).toBe(before);
});

test("bootstrap() gives a role back what it must have, and leaves what was added", async () => {
  await using server = await startTestServer();
  const { served } = server.api;
  const kind = erased(ClusterRoleKind);
  const resource = await served.resources.open(kind);
  const added = { verbs: ["get"], apiGroups: ["example.com"], resources: ["things"] };
  const build = (current: object) => ({ ...current, rules: [added] }) as never;
  const target = { namespace: "", name: "system:basic-user", rules: mainRules(kind), pinned: false, build };
  await updateEntry(served, resource, target, ownContext(signal));
  await server.api.bootstrap(signal);
  const role = await served.objects.get(ClusterRoleKind, undefined, "system:basic-user");
  expect(role?.rules?.[0]).toEqual(added);
  expect(role?.rules?.flatMap(({ resources }) => resources)).toEqual(
    expect.arrayContaining(["things", "selfsubjectaccessreviews", "selfsubjectrulesreviews", "selfsubjectreviews"]),
  );
});
