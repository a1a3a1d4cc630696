import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { DeploymentKind } from "#kinds/apps/deployment.ts";
import { ReplicaSetKind } from "#kinds/apps/replica-set.ts";
import { PodKind } from "#kinds/core/pod.ts";
import { ReplicationControllerKind } from "#kinds/core/replication-controller.ts";
import { ServiceKind } from "#kinds/core/service.ts";
import { EndpointSliceKind } from "#kinds/discovery/endpoint-slice.ts";
import type { Deployment } from "#machinery/api/apps-v1.ts";
import type { Pod } from "#machinery/api/core-v1.ts";
import { deployment, pod, replicationController, service } from "#testing/builders.ts";
import { startFakeWorld } from "#testing/fake-world.ts";
import { deploymentController } from "./deployment/controller.ts";
import { limitsOf } from "./deployment/replica-sets.ts";
import { endpointSliceController } from "./endpointslice/controller.ts";
import { controllerOf } from "./owners.ts";
import { isActive } from "./pods.ts";
import { replicaSetController } from "./replicaset/controller.ts";
import { replicationControllerController } from "./replicationcontroller/controller.ts";

/** Without what only a server sets. */
function draft<T extends { readonly metadata: object }>(object: T): T {
  const { uid: _u, resourceVersion: _r, generation: _g, creationTimestamp: _c, ...metadata } = object.metadata as Record<string, unknown>;
  return { ...object, metadata };
}

const runs = { numRuns: 25 };

describe("controllers converge and then rest", () => {
  test("replication controller: from any set of pods to the wanted number", async () => {
    const somePods = fc.array(
      fc.record({
        app: fc.constantFrom("kubia", "other"),
        phase: fc.constantFrom("Pending", "Running", "Succeeded", "Failed"),
        ready: fc.boolean(),
      }),
      { maxLength: 12 },
    );
    await fc.assert(
      fc.asyncProperty(somePods, fc.nat(12), fc.nat(12), fc.nat(), async (pods, before, after, seed) => {
        await using world = await startFakeWorld([replicationControllerController], { seed });
        const { client, signal } = world;
        for (const [i, { app, phase, ready }] of pods.entries()) {
          await client.create(PodKind, draft(pod(`p${i}`, { labels: { app }, phase, ready })), signal);
        }
        const rc = await client.create(ReplicationControllerKind, draft(replicationController("kubia", { replicas: before })), signal);
        await world.settle();
        const ref = { name: "kubia", namespace: "default" };
        await client.patch(ReplicationControllerKind, ref, { type: "merge", body: { spec: { replicas: after } } }, {}, signal);
        await world.settle();
        const mine = client.all<Pod>(PodKind).filter((p) => controllerOf(p)?.uid === rc.metadata.uid && isActive(p));
        expect(mine).toHaveLength(after);
        expect((await client.get(ReplicationControllerKind, ref, signal)).status).toMatchObject({
          replicas: after,
          observedGeneration: before === after ? 1 : 2,
        });
        const written = client.writes;
        await world.clock.advance(600_000);
        expect(client.writes).toBe(written);
      }),
      runs,
    );
  });

  test("deployment: through any changes to one ReplicaSet with all pods, within surge and unavailability on the way", async () => {
    const change = fc.oneof(
      fc.record({ image: fc.constantFrom("v1", "v2", "v3") }),
      fc.record({ replicas: fc.nat(8) }),
      fc.record({ paused: fc.boolean() }),
    );
    const strategy = fc.oneof(
      fc.record({
        maxSurge: fc.constantFrom<number | string>(0, 1, 3, "25%", "100%"),
        maxUnavailable: fc.constantFrom<number | string>(0, 1, 2, "25%", "50%"),
      }),
      fc.constant("Recreate" as const),
    );
    await fc.assert(
      fc.asyncProperty(
        strategy,
        fc.nat(8),
        fc.array(fc.tuple(change, fc.nat(4)), { maxLength: 6 }),
        fc.nat(),
        async (how, replicas, changes, seed) => {
          await using world = await startFakeWorld([deploymentController, replicaSetController], { seed });
          const { client, signal } = world;
          const ref = { name: "kubia", namespace: "default" };
          const spec: Deployment["spec"]["strategy"] =
            how === "Recreate" ? { type: "Recreate" } : { type: "RollingUpdate", rollingUpdate: how };
          await client.create(DeploymentKind, draft(deployment("kubia", { replicas, strategy: spec })), signal);
          await world.settle();
          for (const [next, steps] of changes) {
            const body =
              "image" in next ? { spec: { template: { spec: { containers: [{ name: "main", image: next.image }] } } } } : { spec: next };
            await client.patch(DeploymentKind, ref, { type: "merge", body }, {}, signal);
            for (let step = 0; step < steps; step++) {
              await world.startPods(() => world.entropy.fraction() < 0.5);
              await world.clock.advance(1000);
            }
            if ("image" in next && how !== "Recreate") await withinLimits(next.image);
          }
          await client.patch(DeploymentKind, ref, { type: "merge", body: { spec: { paused: false } } }, {}, signal);
          await world.settle();

          const final = await client.get(DeploymentKind, ref, signal);
          const wanted = final.spec.replicas ?? 0;
          const sets = client.all(ReplicaSetKind).filter((rs) => (rs.spec.replicas ?? 0) > 0);
          expect(sets.map((rs) => rs.spec.replicas)).toEqual(wanted === 0 ? [] : [wanted]);
          expect(sets.map((rs) => rs.spec.template?.spec?.containers[0]?.image)).toEqual(
            wanted === 0 ? [] : [final.spec.template.spec?.containers[0]?.image],
          );
          expect(client.all<Pod>(PodKind).filter(isActive)).toHaveLength(wanted);
          expect(final.status?.replicas ?? 0).toBe(wanted);
          expect(final.status?.availableReplicas ?? 0).toBe(wanted);
          const written = client.writes;
          await world.clock.advance(1_200_000);
          expect(client.writes).toBe(written);

          /** A rollout alone, from a settled state: limits hold after every step. */
          async function withinLimits(image: string): Promise<void> {
            await client.patch(DeploymentKind, ref, { type: "merge", body: { spec: { paused: false } } }, {}, signal);
            await world.settle();
            const other = image === "v1" ? "v2" : "v1";
            const template = { spec: { containers: [{ name: "main", image: other }] } };
            const current = await client.patch(DeploymentKind, ref, { type: "merge", body: { spec: { template } } }, {}, signal);
            const { desired, maxSurge, maxUnavailable } = limitsOf(current);
            for (let step = 0; step < 40; step++) {
              await world.clock.advance(500);
              const pods = client.all<Pod>(PodKind).filter(isActive);
              const available = pods.filter((p) => p.status?.podIP !== undefined).length;
              expect(pods.length).toBeLessThanOrEqual(desired + maxSurge);
              expect(available).toBeGreaterThanOrEqual(desired - maxUnavailable);
              await world.startPods(() => world.entropy.fraction() < 0.5);
            }
          }
        },
      ),
      { numRuns: 15 },
    );
  }, 60_000);

  test("endpoint slices: every ready pod once, at most 100 to a slice, no write without need", async () => {
    const step = fc.record({ add: fc.nat(150), remove: fc.nat(120), unready: fc.nat(5) });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 4 }), fc.nat(), async (steps, seed) => {
        await using world = await startFakeWorld([endpointSliceController], { seed });
        const { client, signal } = world;
        await client.create(ServiceKind, draft(service("kubia")), signal);
        let next = 0;
        for (const { add, remove, unready } of steps) {
          for (let i = 0; i < add; i++, next++) {
            await client.create(
              PodKind,
              draft(pod(`p${next}`, { labels: { app: "kubia" }, ready: true, ip: `10.0.${next >> 8}.${next & 255}` })),
              signal,
            );
          }
          const present = client.all<Pod>(PodKind);
          for (const p of present.slice(0, remove))
            await client.delete(PodKind, { name: p.metadata.name, namespace: "default" }, {}, signal);
          for (const p of present.slice(remove, remove + unready)) {
            const conditions = [{ type: "Ready", status: "False" }];
            await client.patch(
              PodKind,
              { name: p.metadata.name, namespace: "default" },
              { type: "merge", body: { status: { conditions } } },
              {},
              signal,
            );
          }
          await world.settle({ startPods: false });
          const slices = client.all(EndpointSliceKind);
          const endpoints = slices.flatMap((slice) => slice.endpoints ?? []);
          const expected = client.all<Pod>(PodKind).map((p) => `${p.status?.podIP} ${p.status?.conditions?.[0]?.status === "True"}`);
          expect(endpoints.map(({ addresses, conditions }) => `${addresses[0]} ${conditions?.ready}`).sort()).toEqual(expected.sort());
          expect(slices.length).toBeGreaterThan(0);
          for (const slice of slices) expect(slice.endpoints?.length ?? 0).toBeLessThanOrEqual(100);
          expect(slices.filter((slice) => (slice.endpoints ?? []).length === 0)).toHaveLength(expected.length === 0 ? 1 : 0);
        }
        const written = client.writes;
        await world.clock.advance(600_000);
        expect(client.writes).toBe(written);
      }),
      { numRuns: 10 },
    );
  }, 60_000);
});
