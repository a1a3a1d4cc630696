import { describe, expect, test } from "vitest";
import { StatefulSetKind } from "#kinds/apps/stateful-set.ts";
import type { ControllerRevision } from "#machinery/api/apps-v1.ts";
import type { PodTemplateSpec } from "#machinery/api/core-v1.ts";
import type { Stored } from "#machinery/object.ts";
import { meta } from "#testing/builders.ts";
import { controllerRef } from "../owners.ts";
import { presentRevision, templateOf, templatePatch, truncateHistory, type Versioned } from "./revisions.ts";

const template = (image: string): PodTemplateSpec => ({
  metadata: { labels: { app: "web" } },
  spec: { containers: [{ name: "main", image }] },
});

function owner(image: string): Versioned {
  return {
    apiVersion: "apps/v1",
    kind: "StatefulSet",
    metadata: meta("statefulset", "web", { namespace: "default" }),
    spec: { template: template(image) },
  };
}

function revision(number: number, image: string): Stored<ControllerRevision> {
  const ownerReferences = [controllerRef(StatefulSetKind, owner(image))];
  return {
    apiVersion: "apps/v1",
    kind: "ControllerRevision",
    metadata: meta("controllerrevision", `web-${number}`, { namespace: "default", ownerReferences }),
    data: templatePatch(template(image)),
    revision: number,
  };
}

const find = (image: string, revisions: readonly Stored<ControllerRevision>[], taken = false) =>
  presentRevision(owner(image), StatefulSetKind, "hash", revisions, () => taken);

describe("presentRevision()", () => {
  test("makes one for a template that is new, with the next number", () => {
    const { current, actions, collision } = find("v3", [revision(1, "v1"), revision(4, "v2")]);
    expect({ current, collision }).toEqual({ current: undefined, collision: false });
    expect(actions).toMatchObject([
      {
        do: "create",
        object: {
          metadata: { name: expect.stringMatching(/^web-[a-z0-9]+$/), labels: { app: "web", hash: expect.any(String) } },
          data: { spec: { template: { $patch: "replace", ...template("v3") } } },
          revision: 5,
        },
      },
    ]);
  });

  test("leaves the latest as it is", () => {
    expect(find("v2", [revision(2, "v2"), revision(1, "v1")])).toMatchObject({ current: { revision: 2 }, actions: [] });
  });

  test("gives an old one that is wanted again the highest number", () => {
    expect(find("v1", [revision(1, "v1"), revision(2, "v2")])).toMatchObject({
      current: { revision: 1 },
      actions: [{ do: "update", object: { metadata: { name: "web-1" }, revision: 3 } }],
    });
  });

  test("tells a name that is taken", () => {
    expect(find("v3", [], true)).toEqual({ current: undefined, actions: [], collision: true });
  });
});

test("templateOf() gives back what templatePatch() was made of", () => {
  expect(templateOf(revision(1, "v1"), {})).toEqual(template("v1"));
});

test("truncateHistory() deletes the oldest", () => {
  const actions = truncateHistory([revision(3, "v3"), revision(1, "v1"), revision(2, "v2")], 2);
  expect(actions.map((action) => (action.do === "delete" ? action.object.name : ""))).toEqual(["web-1", "web-2"]);
});
