import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { anyObject } from "#machinery/schema/testing.ts";
import { createdFields, type Left } from "./created-fields.ts";
import { difference, differenceBelow, EMPTY_SET, isEmpty, setOf, setToFields, union } from "./field-set.ts";
import { tableObjectSchema } from "./merge-schema.ts";
import { PatchError } from "./patch-error.ts";
import { compareValues } from "./typed-merge.ts";

const TYPES = [
  ["io.k8s.api.core.v1.Pod", "v1", "Pod"],
  ["io.k8s.api.core.v1.Service", "v1", "Service"],
  ["io.k8s.api.core.v1.Node", "v1", "Node"],
  ["io.k8s.api.core.v1.Secret", "v1", "Secret"],
  ["io.k8s.api.apps.v1.Deployment", "apps/v1", "Deployment"],
  ["io.k8s.api.apps.v1.StatefulSet", "apps/v1", "StatefulSet"],
  ["io.k8s.api.batch.v1.CronJob", "batch/v1", "CronJob"],
  ["io.k8s.api.networking.v1.Ingress", "networking.k8s.io/v1", "Ingress"],
  ["io.k8s.api.rbac.v1.ClusterRole", "rbac.authorization.k8s.io/v1", "ClusterRole"],
] as const;

const UNOWNED = setOf(["apiVersion"], ["kind"], ["metadata"], ["metadata", "name"], ["metadata", "uid"], ["metadata", "labels"]);
const LEFT: readonly Left[] = [
  { unowned: UNOWNED, reset: EMPTY_SET },
  { unowned: UNOWNED, reset: setOf(["status"]) },
  { unowned: EMPTY_SET, reset: setOf(["spec"], ["metadata", "annotations"]) },
];

describe("createdFields()", () => {
  test.each(TYPES)("%s: the same text as by comparing with an empty object", (typeName, apiVersion, kind) => {
    const { root, empty } = tableObjectSchema(typeName);
    let compared = 0;
    fc.assert(
      fc.property(fc.infiniteStream(fc.nat(4)), fc.constantFrom(...LEFT), (stream, left) => {
        const object = anyObject(typeName, apiVersion, kind, () => stream.next().value ?? 0);
        const byWalk = textOrProblem(() => createdFields(root, empty(), object, left));
        expect(byWalk).toBe(
          textOrProblem(() => {
            const { added, modified } = compareValues(root, empty(), object);
            const taken = difference(union(differenceBelow(modified, left.reset), differenceBelow(added, left.reset)), left.unowned);
            return isEmpty(taken) ? undefined : setToFields(taken);
          }),
        );
        if (byWalk?.startsWith("{") === true) compared++;
      }),
      { numRuns: 60 },
    );
    expect(compared).toBeGreaterThan(20);
  });

  test("an object with nothing of its own has no fields", () => {
    const { root, empty } = tableObjectSchema("io.k8s.api.core.v1.Pod");
    expect(createdFields(root, empty(), empty(), { unowned: UNOWNED, reset: EMPTY_SET })).toBeUndefined();
  });
});

function textOrProblem(make: () => unknown): string | undefined {
  try {
    return JSON.stringify(make());
  } catch (cause) {
    if (cause instanceof PatchError) return cause.message;
    throw cause;
  }
}
