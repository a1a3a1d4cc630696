import * as fc from "fast-check";
import { expect, test } from "vitest";
import { ControllerRevisionKind } from "#kinds/apps/controller-revision.ts";
import { StatefulSetKind } from "#kinds/apps/stateful-set.ts";
import { PersistentVolumeClaimKind } from "#kinds/core/persistent-volume-claim.ts";
import { PodKind } from "#kinds/core/pod.ts";
import type { StatefulSet } from "#machinery/api/apps-v1.ts";
import { refOf } from "#machinery/object.ts";
import { startFakeWorld } from "#testing/fake-world.ts";
import { statefulSetController } from "./controller.ts";

const labels = { app: "web" };
const ref = { name: "web", namespace: "default" };

function statefulSet(spec: Partial<StatefulSet["spec"]>): StatefulSet {
  return {
    apiVersion: "apps/v1",
    kind: "StatefulSet",
    metadata: { ...ref },
    spec: {
      replicas: 3,
      serviceName: "web",
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { containers: [{ name: "main", image: "v1" }] } },
      updateStrategy: { type: "RollingUpdate", rollingUpdate: { partition: 0 } },
      volumeClaimTemplates: [
        { apiVersion: "v1", kind: "PersistentVolumeClaim", metadata: { name: "www" }, spec: { accessModes: ["ReadWriteOnce"] } },
      ],
      revisionHistoryLimit: 2,
      ...spec,
    },
  };
}

const change = fc.oneof(
  fc.record({ image: fc.constantFrom("v1", "v2", "v3") }),
  fc.record({ replicas: fc.nat(5) }),
  fc.record({ fail: fc.nat(5) }),
  fc.record({ remove: fc.nat(5) }),
);

test("pods with the right ordinals and the last image, then rest", async () => {
  const policy = fc.constantFrom("OrderedReady" as const, "Parallel" as const);
  const unavailable = fc.option(fc.constantFrom<number | string>(1, 2, "50%"), { nil: undefined });
  await fc.assert(
    fc.asyncProperty(
      policy,
      unavailable,
      fc.nat(2),
      fc.array(change, { maxLength: 6 }),
      fc.nat(),
      async (how, most, start, changes, seed) => {
        await using world = await startFakeWorld([statefulSetController], { seed });
        const { client, signal } = world;
        const rollingUpdate = { partition: 0, ...(most === undefined ? {} : { maxUnavailable: most }) };
        const spec = { podManagementPolicy: how, ordinals: { start }, updateStrategy: { type: "RollingUpdate" as const, rollingUpdate } };
        await client.create(StatefulSetKind, statefulSet(spec), signal);
        for (const next of changes) {
          const victim = "fail" in next ? client.all(PodKind)[next.fail] : "remove" in next ? client.all(PodKind)[next.remove] : undefined;
          if (victim !== undefined && "fail" in next) {
            const status = { phase: "Failed", podIP: "10.0.0.1" };
            await client.patch(PodKind, refOf(victim), { type: "merge", body: { status } }, {}, signal);
          } else if (victim !== undefined) await client.delete(PodKind, refOf(victim), {}, signal);
          else if ("image" in next) {
            const containers = [{ name: "main", image: next.image }];
            await client.patch(StatefulSetKind, ref, { type: "merge", body: { spec: { template: { spec: { containers } } } } }, {}, signal);
          } else if ("replicas" in next) await client.patch(StatefulSetKind, ref, { type: "merge", body: { spec: next } }, {}, signal);
          await world.startPods(() => world.entropy.fraction() < 0.5);
          await world.clock.advance(1000);
        }
        await world.settle();

        const set = await client.get(StatefulSetKind, ref, signal);
        const size = set.spec.replicas ?? 0;
        const names = Array.from({ length: size }, (_, i) => `web-${start + i}`);
        const pods = client.all(PodKind).toSorted((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
        expect(pods.map(({ metadata }) => metadata.name)).toEqual(names);
        expect(pods.map(({ spec }) => spec.containers[0]?.image)).toEqual(names.map(() => set.spec.template.spec?.containers[0]?.image));
        const claims = client.all(PersistentVolumeClaimKind).map(({ metadata }) => metadata.name);
        for (const name of names) expect(claims).toContain(`www-${name}`);
        expect(set.status).toMatchObject({ replicas: size, availableReplicas: size, observedGeneration: set.metadata.generation });
        expect(set.status?.currentRevision).toBe(set.status?.updateRevision);
        expect(client.all(ControllerRevisionKind).length).toBeLessThanOrEqual(3);
        const written = client.writes;
        await world.clock.advance(3_600_000);
        expect(client.writes).toBe(written);
      },
    ),
    { numRuns: 40 },
  );
}, 60_000);

test("ordered: a pod is made when those before it are available, and deleted when those after it are gone", async () => {
  await using world = await startFakeWorld([statefulSetController]);
  const { client, signal } = world;
  const names = () => client.all(PodKind).map(({ metadata }) => metadata.name);
  await client.create(StatefulSetKind, statefulSet({ minReadySeconds: 10 }), signal);
  await world.clock.advance(1_000);
  expect(names()).toEqual(["web-0"]);
  await world.clock.advance(60_000);
  expect(names()).toEqual(["web-0"]);
  await world.startPods();
  await world.clock.advance(9_000);
  expect(names()).toEqual(["web-0"]);
  await world.clock.advance(2_000);
  expect(names()).toEqual(["web-0", "web-1"]);
  await world.settle({ stepMs: 11_000 });
  expect(names()).toEqual(["web-0", "web-1", "web-2"]);
  expect(client.all(PodKind)[1]).toMatchObject({
    metadata: {
      generateName: "web-",
      labels: { ...labels, "apps.kubernetes.io/pod-index": "1", "statefulset.kubernetes.io/pod-name": "web-1" },
    },
    spec: { hostname: "web-1", subdomain: "web", volumes: [{ name: "www", persistentVolumeClaim: { claimName: "www-web-1" } }] },
  });
  expect(world.notes.slice(0, 2).map(({ reason, message }) => `${reason} ${message}`)).toEqual([
    "SuccessfulCreate create Claim www-web-0 Pod web-0 in StatefulSet web success",
    "SuccessfulCreate create Pod web-0 in StatefulSet web successful",
  ]);
});

test("a partition keeps lower ordinals at the old revision, also when they are made anew", async () => {
  await using world = await startFakeWorld([statefulSetController]);
  const { client, signal } = world;
  const images = () =>
    client
      .all(PodKind)
      .map(({ metadata, spec }) => `${metadata.name} ${spec.containers[0]?.image}`)
      .sort();
  const spec = { updateStrategy: { type: "RollingUpdate" as const, rollingUpdate: { partition: 2 } } };
  await client.create(StatefulSetKind, statefulSet(spec), signal);
  await world.settle();
  const containers = [{ name: "main", image: "v2" }];
  await client.patch(StatefulSetKind, ref, { type: "merge", body: { spec: { template: { spec: { containers } } } } }, {}, signal);
  await world.settle();
  expect(images()).toEqual(["web-0 v1", "web-1 v1", "web-2 v2"]);
  await client.delete(PodKind, { name: "web-0", namespace: "default" }, {}, signal);
  await world.settle();
  expect(images()).toEqual(["web-0 v1", "web-1 v1", "web-2 v2"]);
  expect((await client.get(StatefulSetKind, ref, signal)).status).toMatchObject({ currentReplicas: 2, updatedReplicas: 1 });
});
