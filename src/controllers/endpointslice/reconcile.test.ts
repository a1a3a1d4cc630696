import { describe, expect, test } from "vitest";
import type { Endpoint, EndpointSlice } from "#machinery/api/discovery-v1.ts";
import type { Stored } from "#machinery/object.ts";
import { meta } from "#testing/builders.ts";
import type { Action } from "../action.ts";
import { type EndpointGroup, reconcileSlices } from "./reconcile.ts";

const template = {
  namespace: "default",
  name: "web",
  labels: { "kubernetes.io/service-name": "web" },
  owner: { apiVersion: "v1", kind: "Service", name: "web", uid: "service-web", controller: true, blockOwnerDeletion: true },
};
const ports = [{ name: "", protocol: "TCP", port: 8080 }] as const;
const endpoint = (id: number, ready = true): Endpoint => ({
  addresses: [`10.0.0.${id}`],
  conditions: { ready },
  targetRef: { kind: "Pod", uid: `u${id}` },
});
const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => endpoint(from + i));
const group = (endpoints: readonly Endpoint[], port = 8080): EndpointGroup => ({
  addressType: "IPv4",
  ports: [{ name: "", protocol: "TCP", port }],
  endpoints,
});
const slice = (name: string, endpoints: readonly Endpoint[], more: Partial<EndpointSlice> = {}): Stored<EndpointSlice> => ({
  apiVersion: "discovery.k8s.io/v1",
  kind: "EndpointSlice",
  addressType: "IPv4",
  ports,
  endpoints,
  ...more,
  metadata: meta("slice", name, { namespace: "default", labels: template.labels, ownerReferences: [template.owner], ...more.metadata }),
});

function told(actions: readonly Action[]): readonly string[] {
  return actions.map((action) => {
    if (action.do === "delete") return `delete ${action.object.name}`;
    if (action.do !== "create" && action.do !== "update") return action.do;
    const { endpoints = [], metadata } = action.object as EndpointSlice;
    return `${action.do} ${metadata.name ?? metadata.generateName} ${endpoints.length}`;
  });
}
const plan = (groups: readonly EndpointGroup[], existing: readonly Stored<EndpointSlice>[], max = 3) =>
  told(reconcileSlices(groups, existing, template, max));

describe("reconcileSlices()", () => {
  test.each<[string, readonly EndpointGroup[], readonly Stored<EndpointSlice>[], readonly string[]]>([
    ["R1: fills slices to their size", [group(range(0, 7))], [], ["create web- 3", "create web- 3", "create web- 1"]],
    ["R4: nothing to say", [group(range(0, 5))], [slice("a", range(0, 3)), slice("b", range(3, 5))], []],
    [
      "R2: a new endpoint goes to the fullest slice with room",
      [group(range(0, 4))],
      [slice("a", range(0, 1)), slice("b", range(1, 3))],
      ["update b 3"],
    ],
    [
      "R2: a slice that is written anyway takes the new one",
      [group([endpoint(1), endpoint(2), endpoint(3), endpoint(9)])],
      [slice("a", range(0, 2)), slice("b", range(2, 4))],
      ["update a 2"],
    ],
    ["a changed endpoint is one update", [group([endpoint(0, false), endpoint(1)])], [slice("a", range(0, 2))], ["update a 2"]],
    ["an emptied slice is deleted", [group(range(0, 2))], [slice("a", range(0, 2)), slice("b", range(5, 6))], ["delete b"]],
    ["R3: a slice is reused for other ports", [group(range(0, 2), 9090)], [slice("a", range(0, 2))], ["update a 2"]],
    ["the last endpoint leaves an empty slice", [group([])], [slice("a", range(0, 1))], ["update a 0"]],
    ["an empty Service has one empty slice", [group([])], [], ["create web- 0"]],
    ["surplus empty slices go", [group([])], [slice("a", []), slice("b", [])], ["delete b"]],
    [
      "changed labels are written to every slice",
      [group(range(0, 2))],
      [slice("a", range(0, 2), { metadata: { labels: { old: "x" } } })],
      ["update a 2"],
    ],
  ])("%s", (_name, groups, existing, expected) => {
    expect(plan(groups, existing)).toEqual(expected);
  });
});
