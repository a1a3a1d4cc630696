import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { DeploymentKind } from "#kinds/apps/deployment.ts";
import { ReplicaSetKind } from "#kinds/apps/replica-set.ts";
import { ConfigMapKind } from "#kinds/core/config-map.ts";
import { EndpointsKind } from "#kinds/core/endpoints.ts";
import { EventKind } from "#kinds/core/event.ts";
import { NamespaceKind } from "#kinds/core/namespace.ts";
import { NodeKind } from "#kinds/core/node.ts";
import { PodKind } from "#kinds/core/pod.ts";
import { ReplicationControllerKind } from "#kinds/core/replication-controller.ts";
import { ServiceAccountKind } from "#kinds/core/service-account.ts";
import { ServiceKind } from "#kinds/core/service.ts";
import { EndpointSliceKind } from "#kinds/discovery/endpoint-slice.ts";
import type { Deployment, ReplicaSet } from "#machinery/api/apps-v1.ts";
import type { Pod } from "#machinery/api/core-v1.ts";
import type { ObjectRef } from "#machinery/object.ts";
import { type ControlPlane, startControlPlane } from "./control-plane.ts";

const never = new AbortController().signal;
let plane: ControlPlane;

beforeAll(async () => {
  plane = await startControlPlane({ nodes: ["n1", "n2"] });
  await plane.eventually(
    () => plane.client.list(NodeKind, {}, never),
    ({ items }) => items.length === 2 && items.every(({ spec }) => (spec.taints ?? []).length === 0),
  );
});
afterAll(() => plane[Symbol.asyncDispose]());

async function namespace(name: string): Promise<void> {
  await plane.client.create(NamespaceKind, { apiVersion: "v1", kind: "Namespace", metadata: { name }, spec: {} }, never);
}

function webDeployment(name: string, space: string, replicas: number): Deployment {
  const labels = { app: name };
  const template = {
    metadata: { labels },
    spec: { containers: [{ name: "web", image: "v1", ports: [{ name: "http", containerPort: 8080 }] }] },
  };
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name, namespace: space },
    spec: { replicas, selector: { matchLabels: labels }, template },
  };
}

const available = async (ref: ObjectRef, replicas: number) =>
  plane.eventually(
    () => plane.client.get(DeploymentKind, ref, never),
    ({ status, metadata }) =>
      status?.availableReplicas === replicas && status.replicas === replicas && status.observedGeneration === metadata.generation,
  );
const podsIn = async (space: string): Promise<readonly Pod[]> => (await plane.client.list(PodKind, { namespace: space }, never)).items;
const setsIn = async (space: string): Promise<readonly ReplicaSet[]> =>
  (await plane.client.list(ReplicaSetKind, { namespace: space }, never)).items;

describe("a whole control plane", () => {
  test("a replication controller's pods spread over the nodes and stand behind the Service; a deleted one is replaced", async () => {
    const labels = { app: "kubia" };
    const ref = { name: "kubia", namespace: "default" };
    const template = { metadata: { labels }, spec: { containers: [{ name: "kubia", image: "kubia" }] } };
    await plane.client.create(
      ReplicationControllerKind,
      { apiVersion: "v1", kind: "ReplicationController", metadata: ref, spec: { replicas: 3, selector: labels, template } },
      never,
    );
    await plane.client.create(
      ServiceKind,
      { apiVersion: "v1", kind: "Service", metadata: ref, spec: { selector: labels, ports: [{ port: 80, targetPort: 8080 }] } },
      never,
    );
    const ready = () =>
      plane.eventually(
        () => plane.client.get(EndpointsKind, ref, never).catch(() => undefined),
        (endpoints) => endpoints?.subsets?.[0]?.addresses?.length === 3,
      );
    await ready();
    const pods = await podsIn("default");
    expect(new Set(pods.map(({ spec }) => spec.nodeName))).toEqual(new Set(["n1", "n2"]));
    const [victim] = pods;
    await plane.client.delete(PodKind, { name: victim?.metadata.name ?? "", namespace: "default" }, {}, never);
    const after = await plane.eventually(
      () => podsIn("default"),
      (present) =>
        present.length === 3 &&
        present.every(({ metadata, status }) => metadata.uid !== victim?.metadata.uid && status?.phase === "Running"),
    );
    await ready();
    const slices = await plane.client.list(
      EndpointSliceKind,
      { namespace: "default", labelSelector: "kubernetes.io/service-name=kubia" },
      never,
    );
    await plane.eventually(
      () => plane.client.list(EndpointSliceKind, { namespace: "default", labelSelector: "kubernetes.io/service-name=kubia" }, never),
      ({ items }) => items[0]?.endpoints?.filter(({ conditions }) => conditions?.ready).length === 3,
    );
    expect(slices.items).toHaveLength(1);
    const told = await plane.eventually(
      async () => (await plane.client.list(EventKind, { namespace: "default" }, never)).items.map(({ message }) => message),
      (messages) => after.every(({ metadata }) => messages.includes(`Created pod: ${metadata.name}`)),
    );
    for (const { metadata, spec } of after) expect(told).toContain(`Successfully assigned default/${metadata.name} to ${spec.nodeName}`);
  });

  test("a deployment rolls to a new template", async () => {
    await namespace("rollout");
    const ref = { name: "web", namespace: "rollout" };
    await plane.client.create(DeploymentKind, webDeployment("web", "rollout", 4), never);
    await available(ref, 4);
    const body = { spec: { template: { spec: { containers: [{ name: "web", image: "v2" }] } } } };
    await plane.client.patch(DeploymentKind, ref, { type: "strategic", body }, {}, never);
    const { metadata } = await plane.eventually(
      () => available(ref, 4),
      ({ status }) =>
        status?.updatedReplicas === 4 && status.conditions?.some(({ reason }) => reason === "NewReplicaSetAvailable") === true,
    );
    expect(metadata.annotations).toEqual({ "deployment.kubernetes.io/revision": "2" });
    expect(new Set((await setsIn("rollout")).map(({ spec }) => spec.replicas))).toEqual(new Set([0, 4]));
    await plane.eventually(
      () => podsIn("rollout"),
      (pods) => pods.length === 4,
    );
  });

  test("owners take their dependents along in the foreground and background, and leave orphans behind when asked to", async () => {
    await namespace("owners");
    for (const name of ["fore", "back", "orphan"]) await plane.client.create(DeploymentKind, webDeployment(name, "owners", 2), never);
    for (const name of ["fore", "back", "orphan"]) await available({ name, namespace: "owners" }, 2);
    const remove = (name: string, propagationPolicy: "Foreground" | "Background" | "Orphan") =>
      plane.client.delete(DeploymentKind, { name, namespace: "owners" }, { propagationPolicy }, never);
    await remove("fore", "Foreground");
    await remove("back", "Background");
    await remove("orphan", "Orphan");
    await plane.eventually(
      async () => ({
        deployments: (await plane.client.list(DeploymentKind, { namespace: "owners" }, never)).items.length,
        sets: await setsIn("owners"),
        pods: await podsIn("owners"),
      }),
      ({ deployments, sets, pods }) =>
        deployments === 0 && sets.length === 1 && sets[0]?.metadata.ownerReferences === undefined && pods.length === 2,
    );
  });

  test("a namespace has its account and root certificate, and goes with everything in it", async () => {
    await namespace("short");
    const content = async () => [
      ...(await plane.client.list(ServiceAccountKind, { namespace: "short" }, never)).items,
      ...(await plane.client.list(ConfigMapKind, { namespace: "short" }, never)).items,
    ];
    const found = await plane.eventually(content, (objects) => objects.length === 2);
    expect(found.map(({ metadata }) => metadata.name)).toEqual(["default", "kube-root-ca.crt"]);
    await plane.client.create(DeploymentKind, webDeployment("web", "short", 2), never);
    await available({ name: "web", namespace: "short" }, 2);
    await plane.client.delete(NamespaceKind, { name: "short", namespace: undefined }, {}, never);
    await plane.eventually(
      async () => (await plane.client.list(NamespaceKind, {}, never)).items.map(({ metadata }) => metadata.name),
      (names) => !names.includes("short"),
    );
    expect(await podsIn("short")).toEqual([]);
    expect(await content()).toEqual([]);
  });

  test("nodes have ranges for their pods", async () => {
    const nodes = await plane.client.list(NodeKind, {}, never);
    expect(new Set(nodes.items.map(({ spec }) => spec.podCIDR))).toEqual(new Set(["10.42.0.0/24", "10.42.1.0/24"]));
  });
});
