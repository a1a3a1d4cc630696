import { describe, expect, test } from "vitest";
import type { EventNote } from "#client/contract.ts";
import { PodKind } from "#kinds/core/pod.ts";
import { forbidden, notFound } from "#machinery/status.ts";
import { pod, replicationController } from "#testing/builders.ts";
import { createFakeClient } from "#testing/fake-client.ts";
import type { Action } from "./action.ts";
import { perform } from "./perform.ts";

const about = replicationController("kubia");
const announce = { about, done: "SuccessfulCreate", failed: "FailedCreate", noun: "pod" };
const create: Action = {
  do: "create",
  kind: PodKind,
  object: { apiVersion: "v1", kind: "Pod", metadata: { generateName: "kubia-", namespace: "default" } },
  announce,
};

function setup() {
  const client = createFakeClient();
  const notes: EventNote[] = [];
  return {
    client,
    notes,
    deps: { client, events: { record: (note: EventNote) => void notes.push(note) }, signal: new AbortController().signal },
  };
}

describe("perform()", () => {
  test("announces what was created under the name the server gave", async () => {
    const { client, notes, deps } = setup();
    const { written } = await perform([create, create], deps);
    const names = client.all(PodKind).map(({ metadata }) => metadata.name);
    expect(notes.map(({ type, reason, message }) => [type, reason, message])).toEqual(
      names.map((name) => ["Normal", "SuccessfulCreate", `Created pod: ${name}`]),
    );
    expect(written).toHaveLength(2);
  });

  test("starts slowly: a refusal of everything is met once, not 500 times", async () => {
    const { client, notes, deps } = setup();
    let asked = 0;
    client.failOn((verb) => (verb === "create" ? (asked++, forbidden(PodKind, "kubia-", "exceeded quota")) : undefined));
    const { failures } = await perform(
      Array.from({ length: 500 }, () => create),
      deps,
    );
    expect(asked).toBe(1);
    expect(failures).toHaveLength(1);
    expect(notes.map(({ type, message }) => [type, message])).toEqual([
      ["Warning", 'Error creating: pods "kubia-" is forbidden: exceeded quota'],
    ]);
  });

  test("doubles its batches: 1, 2, 4, ... until one fails", async () => {
    const { client, deps } = setup();
    let asked = 0;
    client.failOn((verb) => (verb === "create" && ++asked > 10 ? forbidden(PodKind, "kubia-", "exceeded quota") : undefined));
    await perform(
      Array.from({ length: 500 }, () => create),
      deps,
    );
    expect(asked).toBe(15); // 1 + 2 + 4 + 8, the last batch fails
  });

  test("what is gone already counts as deleted; other actions still happen", async () => {
    const { client, deps } = setup();
    client.failOn((verb, kind, name) => (verb === "delete" ? notFound(kind, name) : undefined));
    const gone: Action = {
      do: "delete",
      kind: PodKind,
      object: { name: "a", namespace: "default", uid: pod("a").metadata.uid },
      because: "test",
    };
    const { failures, written } = await perform([gone, create], deps);
    expect(failures).toEqual([]);
    expect(written).toHaveLength(1);
  });

  test("a conflict about a version is a failure, to be looked at again; one about the uid means gone", async () => {
    const { client, deps } = setup();
    const { metadata } = await client.create(PodKind, { ...pod("a"), metadata: { name: "a", namespace: "default" } }, deps.signal);
    const remove = (more: Partial<Extract<Action, { do: "delete" }>>): Action => ({
      do: "delete",
      kind: PodKind,
      object: { name: "a", namespace: "default", uid: metadata.uid },
      because: "test",
      ...more,
    });
    expect((await perform([remove({ options: { resourceVersion: "999" } })], deps)).failures).toHaveLength(1);
    expect((await perform([remove({ object: { name: "a", namespace: "default", uid: "other" } })], deps)).failures).toEqual([]);
    expect(client.all(PodKind)).toHaveLength(1);
  });
});
