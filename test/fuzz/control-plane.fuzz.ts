import { describe, test } from "vitest";
import { seededEntropy } from "#base/entropy.ts";
import { type Transport, TransportError } from "#client/transport.ts";
import { DeploymentKind } from "#kinds/apps/deployment.ts";
import { ReplicaSetKind } from "#kinds/apps/replica-set.ts";
import { EndpointsKind } from "#kinds/core/endpoints.ts";
import { NodeKind } from "#kinds/core/node.ts";
import { PodKind } from "#kinds/core/pod.ts";
import { ReplicationControllerKind } from "#kinds/core/replication-controller.ts";
import { ServiceKind } from "#kinds/core/service.ts";
import { EndpointSliceKind } from "#kinds/discovery/endpoint-slice.ts";
import { StatusError } from "#machinery/status.ts";
import { type ControlPlane, startControlPlane } from "#testing/control-plane.ts";

const never = new AbortController().signal;
const namespace = "default";
const SECONDS = Number(process.env.SOAK_SECONDS ?? 5);
const SEED = Number(process.env.SEED ?? Date.now() % 100_000);

describe("random work on a whole control plane", () => {
  test.each([
    ["good connections", 0],
    ["connections that break all the time", 0.03],
  ])("with %s: everything comes to what was asked for, and nothing is left over", async (_name, breaking) => {
    console.log(`seed ${SEED}`);
    const { fraction } = seededEntropy(SEED);
    const below = (n: number) => Math.floor(fraction() * n);
    let flaky = false;
    await using plane = await startControlPlane({
      nodes: ["n1", "n2", "n3"],
      wrapTransport: (transport) => breakable(transport, () => flaky && fraction() < breaking),
    });
    const { client } = plane;
    await plane.eventually(
      () => client.list(NodeKind, {}, never),
      ({ items }) => items.length === 3 && items.every(({ spec }) => (spec.taints ?? []).length === 0),
    );
    flaky = breaking > 0;
    const until = Date.now() + SECONDS * 1000;
    while (Date.now() < until) await forgiving(operation());
    flaky = false;
    await plane.eventually(
      () => complaints(plane),
      (found) => found.length === 0,
      60_000,
    );

    async function operation(): Promise<unknown> {
      const name = `d${below(4)}`;
      const labels = { app: name };
      const template = (version: number, own = labels as Record<string, string>) => ({
        metadata: { labels: own },
        spec: { containers: [{ name: "web", image: `v${version}`, ports: [{ name: "http", containerPort: 8080 }] }] },
      });
      const ref = { name, namespace };
      switch (below(9)) {
        case 0: {
          const strategy = below(4) === 0 ? ({ type: "Recreate" } as const) : ({ type: "RollingUpdate" } as const);
          const spec = { replicas: below(6), selector: { matchLabels: labels }, template: template(below(3)), strategy };
          return client.create(DeploymentKind, { apiVersion: "apps/v1", kind: "Deployment", metadata: ref, spec }, never);
        }
        case 1:
          return client.patch(DeploymentKind, ref, { type: "merge", body: { spec: { replicas: below(8) } } }, {}, never);
        case 2:
          return client.patch(DeploymentKind, ref, { type: "merge", body: { spec: { template: template(below(3)) } } }, {}, never);
        case 3:
          if (below(3) > 0) return undefined;
          return client.delete(DeploymentKind, ref, { propagationPolicy: below(2) === 0 ? "Background" : "Foreground" }, never);
        case 4: {
          const spec = { selector: labels, ports: [{ port: 80, targetPort: "http" }] };
          return client.create(ServiceKind, { apiVersion: "v1", kind: "Service", metadata: ref, spec }, never);
        }
        case 5:
          return below(3) > 0 ? undefined : client.delete(ServiceKind, ref, {}, never);
        case 6: {
          const { items } = await client.list(PodKind, { namespace }, never);
          const victim = items[below(items.length)];
          return victim === undefined
            ? undefined
            : client.delete(PodKind, { name: victim.metadata.name, namespace }, { gracePeriodSeconds: below(2) }, never);
        }
        case 7: {
          const own = { rc: name };
          const spec = { replicas: below(5), selector: own, template: template(0, own) };
          return client.create(
            ReplicationControllerKind,
            { apiVersion: "v1", kind: "ReplicationController", metadata: { name: `r${name}`, namespace }, spec },
            never,
          );
        }
        default:
          return below(3) > 0
            ? undefined
            : client.delete(ReplicationControllerKind, { name: `r${name}`, namespace }, { propagationPolicy: "Background" }, never);
      }
    }
  });
});

/** Refusals are part of the game. */
async function forgiving(work: Promise<unknown>): Promise<void> {
  try {
    await work;
  } catch (cause) {
    if (!(cause instanceof StatusError || cause instanceof TransportError)) throw cause;
  }
}

/** Fails requests before they are sent, answers after they took effect, and watches in the middle. */
function breakable(transport: Transport, breaks: () => boolean): Transport {
  const broken = () => new TransportError("broken by the test", false);
  return {
    async send(request, lane, signal) {
      if (breaks()) throw broken();
      const response = await transport.send(request, lane, signal);
      if (lane === "call") {
        if (!breaks()) return response;
        for await (const _chunk of response.body) void _chunk;
        throw broken();
      }
      return { ...response, body: cut(response.body) };
    },
    [Symbol.asyncDispose]: () => transport[Symbol.asyncDispose](),
  };

  async function* cut(body: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const chunk of body) {
      if (breaks()) throw broken();
      yield chunk;
    }
  }
}

/** What is not as it should be in the end. */
async function complaints({ client }: ControlPlane): Promise<readonly string[]> {
  const [deployments, sets, controllers, pods, services, endpoints, slices] = await Promise.all([
    client.list(DeploymentKind, { namespace }, never),
    client.list(ReplicaSetKind, { namespace }, never),
    client.list(ReplicationControllerKind, { namespace }, never),
    client.list(PodKind, { namespace }, never),
    client.list(ServiceKind, { namespace }, never),
    client.list(EndpointsKind, { namespace }, never),
    client.list(EndpointSliceKind, { namespace }, never),
  ]);
  const found: string[] = [];
  const owners = new Set([...deployments.items, ...sets.items, ...controllers.items].map(({ metadata }) => metadata.uid));
  const ownerOf = ({ metadata }: { readonly metadata: { readonly ownerReferences?: readonly { readonly uid: string }[] } }) =>
    metadata.ownerReferences?.[0]?.uid;
  for (const object of [...sets.items, ...pods.items]) {
    if (!owners.has(ownerOf(object) ?? "")) found.push(`${object.kind} ${object.metadata.name} has no owner`);
  }
  for (const { metadata, kind } of [...deployments.items, ...sets.items, ...controllers.items]) {
    if (metadata.deletionTimestamp !== undefined) found.push(`${kind} ${metadata.name} is still being deleted`);
  }
  for (const owner of [...sets.items, ...controllers.items]) {
    const running = pods.items.filter((pod) => ownerOf(pod) === owner.metadata.uid && pod.status?.phase === "Running").length;
    if (running !== owner.spec.replicas || (owner.status?.readyReplicas ?? 0) !== running) {
      found.push(
        `${owner.kind} ${owner.metadata.name} has ${running} pods, says ${owner.status?.readyReplicas}, wants ${owner.spec.replicas}`,
      );
    }
  }
  for (const { metadata, spec, status } of deployments.items) {
    const scaled = sets.items.filter((set) => ownerOf(set) === metadata.uid && (set.spec.replicas ?? 0) > 0);
    const rolledOut = scaled.length <= 1 && (scaled[0]?.spec.replicas ?? 0) === spec.replicas;
    if (!rolledOut || (status?.availableReplicas ?? 0) !== spec.replicas || status?.observedGeneration !== metadata.generation) {
      found.push(`Deployment ${metadata.name} has ${scaled.length} sets and status ${JSON.stringify(status)}`);
    }
  }
  const serviceOf = ({ metadata }: (typeof slices.items)[number]) => metadata.labels?.["kubernetes.io/service-name"];
  for (const { metadata } of services.items.filter(({ spec }) => spec.selector !== undefined)) {
    const wanted = new Set(pods.items.filter((pod) => pod.metadata.labels?.app === metadata.name).map(({ status }) => status?.podIP ?? ""));
    const listed = endpoints.items
      .filter((object) => object.metadata.name === metadata.name)
      .flatMap(({ subsets = [] }) => subsets.flatMap(({ addresses = [] }) => addresses.map(({ ip }) => ip)));
    const sliced = slices.items
      .filter((slice) => serviceOf(slice) === metadata.name)
      .flatMap((slice) => (slice.endpoints ?? []).map(({ addresses }) => addresses[0] ?? ""));
    for (const shown of [listed, sliced]) {
      if (shown.length !== wanted.size || shown.some((address) => !wanted.has(address)))
        found.push(`Service ${metadata.name} shows ${shown.join()} of ${[...wanted].join()}`);
    }
  }
  const names = new Set(services.items.map(({ metadata }) => metadata.name));
  for (const object of endpoints.items) if (!names.has(object.metadata.name)) found.push(`Endpoints ${object.metadata.name} are left over`);
  for (const slice of slices.items) if (!names.has(serviceOf(slice) ?? "")) found.push(`EndpointSlice ${slice.metadata.name} is left over`);
  return found;
}
