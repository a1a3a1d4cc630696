import type { APIGroup, APIGroupList, APIResource, APIResourceList, APIVersions } from "#machinery/api/meta-v1.ts";
import { apiVersionOf, type Kind } from "#kinds/kind.ts";
import { createHash } from "node:crypto";

/** One group with its versions, best first, in the order of discovery. */
interface Group {
  readonly name: string;
  readonly versions: readonly string[];
}

export interface Discovery {
  readonly coreVersions: APIVersions;
  readonly groups: APIGroupList;
  group(name: string): APIGroup | undefined;
  resources(group: string, version: string): APIResourceList | undefined;
  /** `apidiscovery.k8s.io` lists of `/api` and of `/apis`. */
  aggregated(version: "v2" | "v2beta1", core: boolean): object;
}

/** Pure: what the discovery documents say about these kinds. */
export function createDiscovery(kinds: readonly Kind[], serverAddress: string): Discovery {
  const groups = groupsOf(kinds);
  const named = groups.filter(({ name }) => name !== "").map(apiGroup);
  const serverAddressByClientCIDRs = [{ clientCIDR: "0.0.0.0/0", serverAddress }];
  return {
    coreVersions: { kind: "APIVersions", versions: ["v1"], serverAddressByClientCIDRs },
    groups: { kind: "APIGroupList", apiVersion: "v1", groups: named },
    group: (name) => {
      const found = named.find((group) => group.name === name);
      return found === undefined ? undefined : { kind: "APIGroup", apiVersion: "v1", ...found };
    },
    resources: (group, version) => {
      const own = kinds.filter((kind) => kind.group === group && kind.version === version);
      if (own.length === 0) return undefined;
      const groupVersion = group === "" ? version : `${group}/${version}`;
      const resources = own.flatMap(resourcesOf).toSorted((a, b) => (a.name < b.name ? -1 : 1));
      return { kind: "APIResourceList", apiVersion: "v1", groupVersion, resources };
    },
    aggregated: (version, core) => ({
      kind: "APIGroupDiscoveryList",
      apiVersion: `apidiscovery.k8s.io/${version}`,
      metadata: {},
      items: groups.filter(({ name }) => (name === "") === core).map((group) => aggregatedGroup(group, kinds)),
    }),
  };
}

function groupsOf(kinds: readonly Kind[]): readonly Group[] {
  const versions = new Map<string, string[]>();
  for (const { group, version } of kinds) {
    const known = versions.get(group) ?? [];
    if (!known.includes(version)) known.push(version);
    versions.set(group, known);
  }
  return [...versions].map(([name, of]) => ({ name, versions: of }));
}

function apiGroup({ name, versions }: Group): APIGroup {
  const all = versions.map((version) => ({ groupVersion: `${name}/${version}`, version }));
  const [preferredVersion] = all;
  return { name, versions: all, ...(preferredVersion === undefined ? {} : { preferredVersion }) };
}

function resourcesOf(kind: Kind): APIResource[] {
  const { plural, singular, scope, shortNames, categories, verbs, subresources } = kind;
  const namespaced = scope === "Namespaced";
  const stored = verbs.includes("get");
  return [
    {
      name: plural,
      singularName: singular,
      namespaced,
      kind: kind.kind,
      verbs: [...verbs].toSorted(),
      ...(shortNames.length === 0 ? {} : { shortNames }),
      ...(categories.length === 0 ? {} : { categories }),
      ...(stored ? { storageVersionHash: storageVersionHash(kind) } : {}),
    },
    ...subresources.map(({ name, verbs: own, kind: body }) => ({
      name: `${plural}/${name}`,
      singularName: "",
      namespaced,
      ...(body === undefined || (body.group === kind.group && body.version === kind.version)
        ? {}
        : { group: body.group, version: body.version }),
      kind: body?.kind ?? kind.kind,
      verbs: [...own].toSorted(),
    })),
  ];
}

function aggregatedGroup({ name, versions }: Group, kinds: readonly Kind[]): object {
  return {
    metadata: { name, creationTimestamp: null },
    versions: versions.map((version) => ({
      version,
      resources: kinds
        .filter((kind) => kind.group === name && kind.version === version)
        .toSorted((a, b) => (a.plural < b.plural ? -1 : 1))
        .map(aggregatedResource),
      freshness: "Current",
    })),
  };
}

function aggregatedResource(kind: Kind): object {
  const { group, version, plural, singular, scope, shortNames, categories, verbs, subresources } = kind;
  return {
    resource: plural,
    responseKind: { group, version, kind: kind.kind },
    scope,
    singularResource: singular,
    verbs: [...verbs].toSorted(),
    ...(shortNames.length === 0 ? {} : { shortNames }),
    ...(categories.length === 0 ? {} : { categories }),
    ...(subresources.length === 0
      ? {}
      : {
          subresources: subresources
            .toSorted((a, b) => (a.name < b.name ? -1 : 1))
            .map(({ name, verbs: own, kind: body }) => ({
              subresource: name,
              responseKind: body ?? { group, version, kind: kind.kind },
              verbs: [...own].toSorted(),
            })),
        }),
  };
}

/** Opaque, but the same for the same storage version, as clients use it to tell kinds apart that share their objects. */
function storageVersionHash(kind: Kind): string {
  return createHash("sha512")
    .update(`${kind.group}/${apiVersionOf(kind)}/${kind.kind}`)
    .digest()
    .subarray(0, 8)
    .toString("base64");
}
