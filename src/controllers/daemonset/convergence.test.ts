import * as fc from "fast-check";
import { expect, test } from "vitest";
import { ControllerRevisionKind } from "#kinds/apps/controller-revision.ts";
import { DaemonSetKind } from "#kinds/apps/daemon-set.ts";
import { NodeKind } from "#kinds/core/node.ts";
import { PodKind } from "#kinds/core/pod.ts";
import type { DaemonSet } from "#machinery/api/apps-v1.ts";
import { refOf } from "#machinery/object.ts";
import { node } from "#testing/builders.ts";
import { startFakeWorld } from "#testing/fake-world.ts";
import { isActive } from "../pods.ts";
import { daemonSetController } from "./controller.ts";
import { targetNodeOf } from "./nodes.ts";

const labels = { app: "agent" };
const ref = { name: "agent", namespace: "default" };

function daemonSet(image: string, updateStrategy: NonNullable<DaemonSet["spec"]["updateStrategy"]>): DaemonSet {
  return {
    apiVersion: "apps/v1",
    kind: "DaemonSet",
    metadata: { ...ref },
    spec: {
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { containers: [{ name: "main", image }] } },
      updateStrategy,
      revisionHistoryLimit: 2,
    },
  };
}

const rolling = (rollingUpdate: { maxSurge?: number | string; maxUnavailable?: number | string }) =>
  ({ type: "RollingUpdate", rollingUpdate }) as const;

test("one ready pod of the last image on every node that takes it, then rest", async () => {
  const strategy = fc.constantFrom(
    rolling({ maxUnavailable: 1 }),
    rolling({ maxUnavailable: "50%" }),
    rolling({ maxUnavailable: 0, maxSurge: 1 }),
    rolling({ maxUnavailable: 0, maxSurge: "50%" }),
  );
  const change = fc.oneof(
    fc.record({ image: fc.constantFrom("v1", "v2", "v3") }),
    fc.record({ taint: fc.nat(5), effect: fc.constantFrom("NoSchedule", "NoExecute") }),
    fc.record({ fail: fc.nat(5) }),
  );
  await fc.assert(
    fc.asyncProperty(
      strategy,
      fc.integer({ min: 1, max: 6 }),
      fc.array(change, { maxLength: 6 }),
      fc.nat(),
      async (how, count, changes, seed) => {
        await using world = await startFakeWorld([daemonSetController], { seed });
        const { client, signal } = world;
        for (let n = 0; n < count; n++) {
          const { apiVersion, kind, metadata, spec } = node(`n${n}`);
          await client.create(
            NodeKind,
            { apiVersion, kind, metadata: { name: `n${n}`, labels: metadata.labels ?? {} }, spec: spec ?? {} },
            signal,
          );
        }
        await client.create(DaemonSetKind, daemonSet("v1", how), signal);
        for (const next of changes) {
          if ("image" in next) {
            const containers = [{ name: "main", image: next.image }];
            await client.patch(DaemonSetKind, ref, { type: "merge", body: { spec: { template: { spec: { containers } } } } }, {}, signal);
          } else if ("taint" in next) {
            const name = `n${next.taint % count}`;
            const taints = [{ key: "maintenance", effect: next.effect }];
            await client.patch(NodeKind, { name, namespace: undefined }, { type: "merge", body: { spec: { taints } } }, {}, signal);
          } else {
            const victim = client.all(PodKind)[next.fail];
            if (victim !== undefined)
              await client.patch(
                PodKind,
                refOf(victim),
                { type: "merge", body: { status: { phase: "Failed", podIP: "10.0.0.1" } } },
                {},
                signal,
              );
          }
          await world.startPods(() => world.entropy.fraction() < 0.5);
          await world.clock.advance(1000);
        }
        await world.settle();
        await world.clock.advance(60_000); // failed pods that had to wait
        await world.settle();

        const set = await client.get(DaemonSetKind, ref, signal);
        const image = set.spec.template.spec?.containers[0]?.image;
        const pods = client.all(PodKind).filter(isActive);
        const taintOf = (name: string) => client.all(NodeKind).find(({ metadata }) => metadata.name === name)?.spec?.taints?.[0]?.effect;
        const open = client
          .all(NodeKind)
          .map(({ metadata }) => metadata.name)
          .filter((name) => taintOf(name) === undefined);
        const onOpen = pods.filter((pod) => open.includes(targetNodeOf(pod) ?? ""));
        expect(onOpen.map(targetNodeOf).sort()).toEqual(open);
        expect(new Set(onOpen.map((pod) => pod.spec.containers[0]?.image))).toEqual(new Set(open.length === 0 ? [] : [image]));
        expect(pods.some((pod) => taintOf(targetNodeOf(pod) ?? "") === "NoExecute")).toBe(false);
        expect(set.status).toMatchObject({
          desiredNumberScheduled: open.length,
          numberReady: open.length,
          observedGeneration: set.metadata.generation,
        });
        expect(client.all(ControllerRevisionKind).length).toBeLessThanOrEqual(4);
        const written = client.writes;
        await world.clock.advance(3_600_000);
        expect(client.writes).toBe(written);
      },
    ),
    { numRuns: 25 },
  );
}, 60_000);
