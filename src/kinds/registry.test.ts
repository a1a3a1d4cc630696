import { assert, nat, property } from "fast-check";
import { describe, expect, test } from "vitest";
import type { KubeObject } from "#machinery/object.ts";
import { formatFieldError } from "#machinery/field-error.ts";
import { decodeObject } from "#machinery/schema/decode.ts";
import { applyTableDefaults } from "#machinery/schema/defaults.ts";
import { type StructType, structType, type ValueType } from "#machinery/schema/schema.ts";
import { apiVersionOf, type Kind } from "./kind.ts";
import { validateObjectMeta, validateObjectMetaUpdate } from "./object-meta.ts";
import { KINDS } from "./registry.ts";

const NOW = Date.parse("2030-01-01T00:00:00Z");

/** What `kubectl api-resources` knows: `group/version plural[:C][:verbs] [+subresource...] [shortNames]`. */
const DISCOVERY = `
v1 bindings:create | componentstatuses:C:get,list (cs) | configmaps (cm) | endpoints (ep) | events (ev) | limitranges (limits)
v1 namespaces:C:-deletecollection+finalize+status (ns) | nodes:C+proxy+status (no) | persistentvolumeclaims+status (pvc)
v1 persistentvolumes:C+status (pv) | podtemplates | replicationcontrollers+scale+status (rc) | resourcequotas+status (quota)
v1 pods+attach+binding+ephemeralcontainers+eviction+exec+log+portforward+proxy+resize+status (po)
v1 secrets | serviceaccounts+token (sa) | services+proxy+status (svc)
apps/v1 controllerrevisions | daemonsets+status (ds) | deployments+scale+status (deploy) | replicasets+scale+status (rs)
apps/v1 statefulsets+scale+status (sts)
batch/v1 cronjobs+status (cj) | jobs+status
autoscaling/v2 horizontalpodautoscalers+status (hpa)
autoscaling/v1 horizontalpodautoscalers+status (hpa)
policy/v1 poddisruptionbudgets+status (pdb)
networking.k8s.io/v1 ingressclasses:C | ingresses+status (ing) | ipaddresses:C (ip) | networkpolicies (netpol) | servicecidrs:C+status
discovery.k8s.io/v1 endpointslices
events.k8s.io/v1 events (ev)
coordination.k8s.io/v1 leases
node.k8s.io/v1 runtimeclasses:C
scheduling.k8s.io/v1 priorityclasses:C (pc)
rbac.authorization.k8s.io/v1 clusterroles:C | clusterrolebindings:C | roles | rolebindings
authentication.k8s.io/v1 tokenreviews:C:create | selfsubjectreviews:C:create
authorization.k8s.io/v1 subjectaccessreviews:C:create | selfsubjectaccessreviews:C:create | selfsubjectrulesreviews:C:create
authorization.k8s.io/v1 localsubjectaccessreviews:create
certificates.k8s.io/v1 certificatesigningrequests:C+approval+status (csr)
admissionregistration.k8s.io/v1 mutatingwebhookconfigurations:C | validatingwebhookconfigurations:C
admissionregistration.k8s.io/v1 validatingadmissionpolicies:C+status | validatingadmissionpolicybindings:C
admissionregistration.k8s.io/v1 mutatingadmissionpolicies:C | mutatingadmissionpolicybindings:C
apiextensions.k8s.io/v1 customresourcedefinitions:C+status (crd,crds)
apiregistration.k8s.io/v1 apiservices:C+status
flowcontrol.apiserver.k8s.io/v1 flowschemas:C+status | prioritylevelconfigurations:C+status
storage.k8s.io/v1 csidrivers:C | csinodes:C | csistoragecapacities | storageclasses:C (sc) | volumeattachments:C+status
storage.k8s.io/v1 volumeattributesclasses:C (vac)
resource.k8s.io/v1 deviceclasses:C | resourceclaims+status | resourceclaimtemplates | resourceslices:C
`;

const ALL = "create,delete,deletecollection,get,list,patch,update,watch";

function expectedDiscovery(): string[] {
  return DISCOVERY.trim()
    .split("\n")
    .flatMap((line) => {
      const [gv = "", ...rest] = line.split(" ");
      return rest
        .join(" ")
        .split("|")
        .map((entry) => {
          const [, plural = "", flags = "", subresources = "", shortNames = ""] =
            /^\s*([a-z]+)((?::[-A-Za-z,]+)*)((?:\+[a-z]+)*)\s*(?:\(([a-z,]+)\))?\s*$/.exec(entry) ?? [];
          const parts = flags.split(":").filter((flag) => flag !== "");
          const given = parts.find((flag) => flag !== "C") ?? ALL;
          const verbs = given.startsWith("-") ? ALL.split(",").filter((verb) => verb !== given.slice(1)) : given.split(",");
          return describeKind(
            gv,
            plural,
            parts.includes("C") ? "Cluster" : "Namespaced",
            verbs,
            subresources.split("+").slice(1),
            shortNames.split(","),
          );
        });
    });
}

function describeKind(
  gv: string,
  plural: string,
  scope: string,
  verbs: readonly string[],
  subresources: readonly string[],
  short: readonly string[],
): string {
  const sorted = (list: readonly string[]) =>
    list
      .filter((text) => text !== "")
      .toSorted()
      .join(",");
  return `${gv} ${plural} ${scope} [${sorted(verbs)}] [${sorted(subresources)}] [${sorted(short)}]`;
}

describe("KINDS", () => {
  test("is what kubectl api-resources lists", () => {
    const actual = KINDS.map((kind) =>
      describeKind(
        apiVersionOf(kind),
        kind.plural,
        kind.scope,
        kind.verbs,
        kind.subresources.map(({ name }) => name),
        kind.shortNames,
      ),
    );
    expect(actual.toSorted()).toEqual(expectedDiscovery().toSorted());
  });

  test("has the members of the categories `all` and `api-extensions`", () => {
    const members = (category: string) => KINDS.filter(({ categories }) => categories.includes(category)).map(({ plural }) => plural);
    expect([...new Set(members("all"))].toSorted()).toEqual([
      "cronjobs",
      "daemonsets",
      "deployments",
      "horizontalpodautoscalers",
      "jobs",
      "pods",
      "replicasets",
      "replicationcontrollers",
      "services",
      "statefulsets",
    ]);
    expect(members("api-extensions").toSorted()).toEqual([
      "apiservices",
      "customresourcedefinitions",
      "mutatingadmissionpolicies",
      "mutatingadmissionpolicybindings",
      "mutatingwebhookconfigurations",
      "validatingadmissionpolicies",
      "validatingadmissionpolicybindings",
      "validatingwebhookconfigurations",
    ]);
  });

  test("keeps each kind in one place of the store, except other versions of it", () => {
    const places = new Map<string, string>();
    for (const kind of KINDS) {
      expect([undefined, kind.plural]).toContain(places.get(kind.storagePrefix));
      places.set(kind.storagePrefix, kind.plural);
    }
  });

  test.each(named(KINDS))("%s has a Name column", (_, kind) => {
    expect(kind.columns.filter(({ format }) => format === "name").map(({ name }) => name)).toContain("Name");
  });

  // The status of a definition has a shape of its own that its strategy rebuilds; see its own tests.
  const withStatus = KINDS.filter(
    ({ kind, subresources }) => kind !== "CustomResourceDefinition" && subresources.some(({ name }) => name === "status"),
  );
  test.each(named(withStatus))("%s keeps its status on updates", (_, kind) => {
    expect(kind.strategy.prepareForUpdate?.(marked(kind, 2), marked(kind, 1))).toHaveProperty("status.marker", 1);
  });

  // A kubelet registers its node with the status it has.
  test.each(named(withStatus.filter(({ kind }) => kind !== "Node")))("%s has no status of a client's on creation", (_, kind) => {
    expect(kind.strategy.prepareForCreate?.(marked(kind, 2))).not.toHaveProperty("status.marker");
  });
});

function marked(kind: Kind, marker: number): KubeObject {
  return { ...minimal(kind), status: { marker } } as KubeObject;
}

function named(kinds: readonly Kind[]): [string, Kind][] {
  return kinds.map((kind) => [`${apiVersionOf(kind)} ${kind.kind}`, kind]);
}

describe("strategies of all kinds", () => {
  test.each(named(KINDS))("%s: default is idempotent, nothing throws, inputs stay as they were", (_, kind) => {
    assert(
      property(nat(), nat(), (one, other) => {
        const [a, b] = [arbitraryObject(kind, one), arbitraryObject(kind, other)];
        const frozen = JSON.stringify(a);
        const once = defaulted(kind, a);
        expect(defaulted(kind, once)).toEqual(once);
        exercise(kind, once, defaulted(kind, b));
        expect(JSON.stringify(a)).toBe(frozen);
      }),
      { numRuns: 60 },
    );
  });

  test.each(named(KINDS))("%s: an empty object is handled", (_, kind) => {
    const empty = defaulted(kind, minimal(kind));
    exercise(kind, empty, empty);
    expect(kind.strategy.validateUpdate?.(empty, empty) ?? []).toEqual([]);
  });
});

function exercise(kind: Kind, next: KubeObject, previous: KubeObject): void {
  const { strategy } = kind;
  const created = strategy.prepareForCreate?.(next) ?? next;
  const updated = strategy.prepareForUpdate?.(next, previous) ?? next;
  const errors = [
    ...(strategy.validate?.(created) ?? []),
    ...(strategy.validate?.(updated) ?? []),
    ...(strategy.validateUpdate?.(updated, previous) ?? []),
    ...(strategy.validateStatusUpdate?.(strategy.prepareForStatusUpdate?.(next, previous) ?? next, previous) ?? []),
    ...validateObjectMeta(next.metadata, {
      scope: kind.scope,
      ...(strategy.nameRule === undefined ? {} : { nameRule: strategy.nameRule }),
    }),
    ...validateObjectMetaUpdate(next.metadata, previous.metadata),
  ];
  for (const error of errors) expect(typeof formatFieldError(error)).toBe("string");
  for (const value of Object.values(strategy.fields?.(next) ?? {})) expect(typeof value).toBe("string");
  const { generation } = strategy;
  expect(typeof generation === "function" && generation(next, next)).toBe(false);
  strategy.gracePeriod?.(next, undefined);
  strategy.warnings?.(next, previous);
  for (const column of kind.columns) {
    expect(["string", "number", "boolean", "object"], `${kind.kind} ${column.name}`).toContain(typeof column.cell(next, NOW));
  }
}

function defaulted(kind: Kind, object: KubeObject): KubeObject {
  const withTable = applyTableDefaults(kind.typeName, object);
  return kind.strategy.default?.(withTable) ?? withTable;
}

function minimal(kind: Kind): KubeObject {
  return decodeObject(kind.typeName, { apiVersion: apiVersionOf(kind), kind: kind.kind, metadata: { name: "a" } }).object;
}

/** An object of the kind's type with random members, as the decoder leaves it. */
function arbitraryObject(kind: Kind, seed: number): KubeObject {
  const random = mulberry(seed);
  const value = randomStruct(structType(kind.typeName), random, 0);
  return decodeObject(kind.typeName, { ...value, apiVersion: apiVersionOf(kind), kind: kind.kind }).object;
}

const TEXTS = [
  "",
  "a",
  "web-1",
  "UPPER",
  "a.b",
  "x/y",
  "10.0.0.1",
  "fd00::1",
  "10.0.0.0/8",
  "-",
  "ü",
  "25%",
  "None",
  "* * * * *",
  "cpu",
  "../up",
];

function randomStruct(struct: StructType, random: () => number, depth: number): Record<string, unknown> {
  const density = depth > 6 ? 0.05 : 0.5;
  return Object.fromEntries(
    struct.fields
      .filter(() => random() < density)
      .map((field) => [field.name, randomValue(field.type, field.facts.e ?? [], random, depth + 1)]),
  );
}

function randomValue(type: ValueType, enumeration: readonly string[], random: () => number, depth: number): unknown {
  const pick = <T>(list: readonly T[]): T | undefined => list[Math.floor(random() * list.length)];
  switch (type.is) {
    case "struct":
      return randomStruct(type.struct, random, depth);
    case "list":
      return Array.from({ length: Math.floor(random() * (depth > 5 ? 1.2 : 3)) }, () =>
        randomValue(type.of, enumeration, random, depth + 1),
      );
    case "map":
      return Object.fromEntries(
        Array.from({ length: Math.floor(random() * 3) }, () => [pick(TEXTS), randomValue(type.of, enumeration, random, depth + 1)]),
      );
    case "scalar":
      break;
  }
  switch (type.scalar) {
    case "string":
      return enumeration.length > 0 && random() < 0.8 ? pick(enumeration) : pick(TEXTS);
    case "boolean":
      return random() < 0.5;
    case "int32":
    case "int64":
    case "double":
      return pick([-1, 0, 1, 3, 80, 70_000]);
    case "bytes":
      return pick(["", "YQ=="]);
    case "quantity":
      return pick(["0", "1", "500m", "1Gi", "-1", 2]);
    case "intOrString":
      return pick([0, 1, -1, "25%", "150%", "http", ""]);
    case "time":
      return pick([null, "2029-12-31T23:00:00Z"]);
    case "microTime":
      return pick([null, "2029-12-31T23:00:00.000000Z"]);
    case "duration":
      return "1s";
    case "jsonSchemaOrBool":
      return true;
    case "jsonSchemaOrStringArray":
      return ["a"];
    case "raw":
    case "json":
    case "fieldsV1":
    case "jsonSchemaOrArray":
      return {};
  }
}

function mulberry(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}
