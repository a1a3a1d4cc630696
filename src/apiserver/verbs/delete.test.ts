import { describe, expect, test } from "vitest";
import { PodKind } from "#kinds/core/pod.ts";
import { ConfigMapKind } from "#kinds/core/config-map.ts";
import { NamespaceKind } from "#kinds/core/namespace.ts";
import { erased, type Kind } from "#kinds/kind.ts";
import type { KubeObject, Stored } from "#machinery/object.ts";
import { planDelete } from "./delete.ts";

const NOW = Date.parse("2030-01-01T00:00:00Z");

function object(kind: Kind, metadata: object = {}, rest: object = {}): Stored<KubeObject> {
  const stored = { name: "x", uid: "u", resourceVersion: "1", creationTimestamp: "2029-01-01T00:00:00Z", ...metadata };
  return { kind: kind.kind, apiVersion: "v1", metadata: stored, ...rest };
}

const pods = erased(PodKind);
const configMaps = erased(ConfigMapKind);
const running = { spec: { nodeName: "n1", containers: [], terminationGracePeriodSeconds: 30 }, status: { phase: "Running" } };

describe("planDelete()", () => {
  test("removes what nothing holds", () => {
    expect(planDelete(configMaps, object(configMaps), {}, NOW)).toEqual({ do: "remove" });
  });

  test("marks what finalizers hold, once", () => {
    const held = object(configMaps, { finalizers: ["a/b"] });
    const marked = planDelete(configMaps, held, {}, NOW);
    expect(marked).toMatchObject({
      do: "mark",
      object: { metadata: { deletionTimestamp: "2030-01-01T00:00:00Z", deletionGracePeriodSeconds: 0, finalizers: ["a/b"] } },
    });
    const again = object(configMaps, { finalizers: ["a/b"], deletionTimestamp: "2030-01-01T00:00:00Z", deletionGracePeriodSeconds: 0 });
    expect(planDelete(configMaps, again, {}, NOW)).toEqual({ do: "nothing" });
  });

  test.each([
    { propagationPolicy: "Foreground", finalizers: ["foregroundDeletion"] },
    { propagationPolicy: "Orphan", finalizers: ["orphan"] },
  ])("leaves $propagationPolicy to the garbage collector", ({ propagationPolicy, finalizers }) => {
    expect(planDelete(configMaps, object(configMaps), { propagationPolicy }, NOW)).toMatchObject({ object: { metadata: { finalizers } } });
  });

  test("gives a running pod its grace period, and counts a generation", () => {
    expect(planDelete(pods, object(pods, { generation: 1 }, running), {}, NOW)).toMatchObject({
      do: "mark",
      object: { metadata: { deletionTimestamp: "2030-01-01T00:00:30Z", deletionGracePeriodSeconds: 30, generation: 2 } },
    });
  });

  test("shortens a grace period, never lengthens it", () => {
    const going = object(pods, { deletionTimestamp: "2030-01-01T00:00:30Z", deletionGracePeriodSeconds: 30 }, running);
    expect(planDelete(pods, going, { gracePeriodSeconds: 10 }, NOW + 5000)).toMatchObject({
      object: { metadata: { deletionTimestamp: "2030-01-01T00:00:10Z", deletionGracePeriodSeconds: 10 } },
    });
    expect(planDelete(pods, going, { gracePeriodSeconds: 60 }, NOW)).toEqual({ do: "nothing" });
    expect(planDelete(pods, going, { gracePeriodSeconds: 0 }, NOW)).toEqual({ do: "remove" });
  });

  test("keeps a namespace until its own finalizers have gone", () => {
    const kind = erased(NamespaceKind);
    const marked = planDelete(kind, object(kind, {}, { spec: { finalizers: ["kubernetes"] } }), {}, NOW);
    expect(marked).toMatchObject({ do: "mark", object: { status: { phase: "Terminating" } } });
    expect(planDelete(kind, object(kind, {}, { spec: {} }), {}, NOW)).toEqual({ do: "remove" });
  });
});
