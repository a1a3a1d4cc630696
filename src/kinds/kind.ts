import type { FieldError } from "#machinery/field-error.ts";
import type { KubeObject } from "#machinery/object.ts";
import { ageColumn, nameColumn } from "./printing.ts";

/** Identifies a kind and carries its TypeScript type. */
export interface KindRef<T extends KubeObject = KubeObject> {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  /** The resource: `pods`. */
  readonly plural: string;
  readonly scope: "Namespaced" | "Cluster";
  /** Type carrier only; never set. */
  readonly type?: T;
}

export type Verb = "create" | "delete" | "deletecollection" | "get" | "list" | "patch" | "update" | "watch";

export const ALL_VERBS: readonly Verb[] = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];

/** A printed column. `cell` sees the object and the time (for ages); it returns what upstream's printers print. */
export interface Column<T> {
  readonly name: string;
  readonly type: "string" | "integer" | "number" | "boolean" | "date";
  readonly format?: string;
  readonly description: string;
  /** Shown with `-o wide` only (priority 1). */
  readonly wide?: true;
  readonly cell: (object: T, now: number) => string | number | boolean | null;
}

export type SubresourceName =
  | "status" | "scale" | "binding" | "eviction" | "log" | "exec" | "attach" | "portforward" | "proxy" | "ephemeralcontainers" | "resize"
  | "finalize" | "approval" | "token"; // biome-ignore format: one glance

export interface Subresource {
  readonly name: SubresourceName;
  readonly verbs: readonly string[];
  /** Kind of its body where it differs from the parent's. */
  readonly kind?: { readonly group: string; readonly version: string; readonly kind: string };
}

/** Rules that no table holds. All functions are pure; none changes its input. */
export interface Strategy<T extends KubeObject> {
  /** Defaulting rules beyond the table's `+default` markers, on every decoded object (create, update, patch result). */
  readonly default?: (object: T) => T;
  /** Clears what a client may not set at creation (status, say) and sets what creation sets. Name, uid and creation time are there. */
  readonly prepareForCreate?: (object: T) => T;
  /** Keeps what an update of the main resource may not change (status, say). `next` has the old object's uid and creation time. */
  readonly prepareForUpdate?: (next: T, previous: T) => T;
  /** The same for `/status` (default: everything but status and the metadata that status writers own is kept). */
  readonly prepareForStatusUpdate?: (next: T, previous: T) => T;
  readonly validate?: (object: T) => readonly FieldError[];
  /** In addition to `validate(next)`: immutability and transitions. */
  readonly validateUpdate?: (next: T, previous: T) => readonly FieldError[];
  readonly validateStatusUpdate?: (next: T, previous: T) => readonly FieldError[];
  /** Texts for `Warning` headers. */
  readonly warnings?: (next: T, previous: T | undefined) => readonly string[];
  /** Selectable fields besides metadata.name and metadata.namespace: path -> value ("" when unset). */
  readonly fields?: (object: T) => Readonly<Record<string, string>>;
  /** Fields whose change makes a new generation. `spec` unless said otherwise; undefined for kinds without generation. */
  readonly generation?: "spec" | "none" | ((next: T, previous: T) => boolean);
  /** Name rule. @default "subdomain" */
  readonly nameRule?: "subdomain" | "label" | "label1035" | "path" | "any";
  /**
   * Graceful deletion: seconds to wait when none were asked for, or undefined to delete at once (with `asked` the client's wish).
   * Only pods have it.
   */
  readonly gracePeriod?: (object: T, asked: number | undefined) => number | undefined;
  /** Whether PUT on a missing object creates it (upstream allows it for a few kinds). */
  readonly createOnUpdate?: true;
  /** Whether an update without resourceVersion is accepted. @default true */
  readonly unconditionalUpdate?: boolean;
}

/** One kind, whole: identity, discovery facts, storage place, rules, columns. */
export interface Kind<T extends KubeObject = KubeObject> extends KindRef<T> {
  readonly singular: string;
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  /** OpenAPI name of its type in the schema table. */
  readonly typeName: string;
  readonly listKind: string;
  readonly verbs: readonly Verb[];
  readonly subresources: readonly Subresource[];
  /** `/registry/services/specs`: upstream's etcd layout, without trailing slash. */
  readonly storagePrefix: string;
  readonly strategy: Strategy<T>;
  readonly deprecated?: Deprecation;
  readonly columns: readonly Column<T>[];
}

export interface Deprecation {
  readonly since: string;
  /** `discovery.k8s.io/v1 EndpointSlice` */
  readonly use?: string;
}

export interface KindDefinition<T extends KubeObject> {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly plural: string;
  readonly scope: "Namespaced" | "Cluster";
  readonly typeName: string;
  readonly shortNames?: readonly string[];
  readonly categories?: readonly string[];
  readonly verbs?: readonly Verb[];
  readonly subresources?: readonly Subresource[];
  /** @default "/registry/<plural>" */
  readonly storagePrefix?: string;
  readonly strategy?: Strategy<T>;
  /** Since which minor version upstream calls it deprecated, and what takes its place; every answer carries a `Warning` that says so. */
  readonly deprecated?: Deprecation;
  /** @default Name and Age */
  readonly columns?: readonly Column<T>[];
}

export function defineKind<T extends KubeObject>(definition: KindDefinition<T>): Kind<T> {
  const { kind, plural } = definition;
  return {
    singular: kind.toLowerCase(),
    listKind: `${kind}List`,
    shortNames: [],
    categories: [],
    verbs: ALL_VERBS,
    subresources: [],
    storagePrefix: `/registry/${plural}`,
    strategy: {},
    columns: [nameColumn, ageColumn],
    ...definition,
  };
}

/** `v1`, `apps/v1`. */
export function apiVersionOf(kind: { readonly group: string; readonly version: string }): string {
  return kind.group === "" ? kind.version : `${kind.group}/${kind.version}`;
}

export const STATUS: Subresource = { name: "status", verbs: ["get", "patch", "update"] };
export const SCALE: Subresource = {
  name: "scale",
  verbs: ["get", "patch", "update"],
  kind: { group: "autoscaling", version: "v1", kind: "Scale" },
};

/** The kind without its TypeScript type, for code that is generic over kinds and hands each kind only its own objects. */
export function erased<T extends KubeObject>(kind: Kind<T>): Kind {
  return kind as unknown as Kind;
}
