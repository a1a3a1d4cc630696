import type { Kind, Subresource, Verb } from "#kinds/kind.ts";
import { typeNameOfKind } from "#machinery/schema/schema.ts";

/** One operation of one path: what both OpenAPI versions are written from. */
export interface Operation {
  readonly path: string;
  readonly method: "get" | "post" | "put" | "patch" | "delete";
  readonly id: string;
  readonly description: string;
  readonly action: string;
  readonly gvk: { readonly group: string; readonly kind: string; readonly version: string };
  readonly tag: string;
  readonly parameters: readonly Parameter[];
  /** Type of the body; PATCH_BODY for PATCH. */
  readonly body: string | undefined;
  /** Type of a successful answer; undefined is a plain string. */
  readonly answer: string | undefined;
  readonly statuses: readonly number[];
}

export interface Parameter {
  readonly name: string;
  readonly in: "path" | "query";
  readonly type: "string" | "integer" | "boolean";
  readonly description: string;
  readonly required?: true;
}

/** Stands for the body of any PATCH. */
export const PATCH_BODY = "patch";

const META = "io.k8s.apimachinery.pkg.apis.meta.v1";
const STATUS = `${META}.Status`;
const DELETE_OPTIONS = `${META}.DeleteOptions`;

const query = (name: string, type: Parameter["type"], description: string): Parameter => ({ name, in: "query", type, description });

const PRETTY = query("pretty", "string", "Whether the answer is indented.");
const DRY_RUN = query("dryRun", "string", 'With "All" every step is done but nothing is stored.');
const FIELD_MANAGER = query("fieldManager", "string", "Name that the changed fields are tracked under.");
const FIELD_VALIDATION = query("fieldValidation", "string", 'What unknown and duplicate fields lead to: "Ignore", "Warn" or "Strict".');
const FORCE = query("force", "boolean", "Takes fields from other managers; for apply patches only.");
const LIST: readonly Parameter[] = [
  query("allowWatchBookmarks", "boolean", "Whether BOOKMARK events are wanted."),
  query("continue", "string", "Where the next part of a list begins."),
  query("fieldSelector", "string", "Restricts the answer by the objects' fields."),
  query("labelSelector", "string", "Restricts the answer by the objects' labels."),
  query("limit", "integer", "Greatest number of objects in one answer."),
  query("resourceVersion", "string", "Which state of the cluster is wanted."),
  query("resourceVersionMatch", "string", "How resourceVersion is meant."),
  query("sendInitialEvents", "boolean", "Whether a watch begins with the present objects."),
  query("timeoutSeconds", "integer", "How long the call may take."),
];
const WATCH = query("watch", "boolean", "Changes as they happen instead of a list.");
const DELETE: readonly Parameter[] = [
  DRY_RUN,
  query("gracePeriodSeconds", "integer", "Seconds until the object is deleted."),
  query("orphanDependents", "boolean", "Old form of propagationPolicy."),
  query("propagationPolicy", "string", "What happens to dependents: Orphan, Background or Foreground."),
];
const WRITE = [DRY_RUN, FIELD_MANAGER, FIELD_VALIDATION];

/** Pure: all operations of a kind and its subresources. */
export function operationsOf(kind: Kind): readonly Operation[] {
  const operations: Operation[] = [];
  const { group, version, plural, typeName } = kind;
  const root = group === "" ? `/api/${version}` : `/apis/${group}/${version}`;
  const namespaced = kind.scope === "Namespaced";
  const collection = namespaced ? `${root}/namespaces/{namespace}/${plural}` : `${root}/${plural}`;
  const item = `${collection}/{name}`;
  const inPath = (path: string) => pathParameters(path, kind.kind);
  const gvk = { group, kind: kind.kind, version };
  const tag = tagOf(group, version);
  const name = `${namespaced ? "Namespaced" : ""}${kind.kind}`;
  const list = typeNameOfKind(group, version, kind.listKind) ?? typeName;
  const has = (verb: Verb) => kind.verbs.includes(verb);
  const add = (operation: Omit<Operation, "gvk" | "tag" | "id"> & { readonly idVerb: string; readonly suffix?: string }) => {
    const { idVerb, suffix = name, ...rest } = operation;
    operations.push({
      ...rest,
      gvk,
      tag,
      id: `${idVerb}${idPrefix(group, version)}${suffix}`,
      parameters: [...inPath(rest.path), ...rest.parameters],
    });
  };

  if (has("list")) {
    add({
      path: collection,
      method: "get",
      idVerb: "list",
      action: "list",
      description: `list or watch objects of kind ${kind.kind}`,
      parameters: [PRETTY, ...LIST, WATCH],
      body: undefined,
      answer: list,
      statuses: [200],
    });
    if (namespaced) {
      add({
        path: `${root}/${plural}`,
        method: "get",
        idVerb: "list",
        suffix: `${kind.kind}ForAllNamespaces`,
        action: "list",
        description: `list or watch objects of kind ${kind.kind}`,
        parameters: [PRETTY, ...LIST, WATCH],
        body: undefined,
        answer: list,
        statuses: [200],
      });
    }
  }
  if (has("create")) {
    add({
      path: collection,
      method: "post",
      idVerb: "create",
      action: "post",
      description: `create a ${kind.kind}`,
      parameters: [PRETTY, ...WRITE],
      body: typeName,
      answer: typeName,
      statuses: [200, 201, 202],
    });
  }
  if (has("deletecollection")) {
    add({
      path: collection,
      method: "delete",
      idVerb: "delete",
      suffix: `Collection${name}`,
      action: "deletecollection",
      description: `delete collection of ${kind.kind}`,
      parameters: [PRETTY, ...LIST, ...DELETE],
      body: DELETE_OPTIONS,
      answer: STATUS,
      statuses: [200],
    });
  }
  if (has("get")) {
    add({
      path: item,
      method: "get",
      idVerb: "read",
      action: "get",
      description: `read the specified ${kind.kind}`,
      parameters: [PRETTY],
      body: undefined,
      answer: typeName,
      statuses: [200],
    });
  }
  if (has("update")) {
    add({
      path: item,
      method: "put",
      idVerb: "replace",
      action: "put",
      description: `replace the specified ${kind.kind}`,
      parameters: [PRETTY, ...WRITE],
      body: typeName,
      answer: typeName,
      statuses: [200, 201],
    });
  }
  if (has("patch")) {
    add({
      path: item,
      method: "patch",
      idVerb: "patch",
      action: "patch",
      description: `partially update the specified ${kind.kind}`,
      parameters: [PRETTY, ...WRITE, FORCE],
      body: PATCH_BODY,
      answer: typeName,
      statuses: [200, 201],
    });
  }
  if (has("delete")) {
    add({
      path: item,
      method: "delete",
      idVerb: "delete",
      action: "delete",
      description: `delete a ${kind.kind}`,
      parameters: [PRETTY, ...DELETE],
      body: DELETE_OPTIONS,
      answer: STATUS,
      statuses: [200, 202],
    });
  }
  for (const subresource of kind.subresources) operations.push(...subresourceOperations(kind, subresource, item, name, tag));
  return operations;
}

const METHODS: Readonly<
  Record<string, { readonly method: Operation["method"]; readonly id: string; readonly does: string; readonly action: string }>
> = {
  get: { method: "get", id: "read", does: "read", action: "get" },
  create: { method: "post", id: "create", does: "create", action: "post" },
  update: { method: "put", id: "replace", does: "replace", action: "put" },
  patch: { method: "patch", id: "patch", does: "partially update", action: "patch" },
  delete: { method: "delete", id: "delete", does: "delete", action: "delete" },
};
const STREAMS = new Set(["attach", "exec", "portforward", "proxy"]);

function subresourceOperations(kind: Kind, subresource: Subresource, item: string, name: string, tag: string): readonly Operation[] {
  const path = `${item}/${subresource.name}`;
  const of = subresource.kind ?? { group: kind.group, version: kind.version, kind: kind.kind };
  const typeName = typeNameOfKind(of.group, of.version, of.kind) ?? kind.typeName;
  const streams = STREAMS.has(subresource.name);
  const text = streams || subresource.name === "log";
  const suffix = `${name}${subresource.name.charAt(0).toUpperCase()}${subresource.name.slice(1)}`;
  return subresource.verbs.flatMap((verb): readonly Operation[] => {
    const how = METHODS[verb];
    if (how === undefined) return [];
    const { method, id, does, action } = how;
    const writes = method !== "get" && method !== "delete" && !streams;
    const parameters = [
      ...pathParameters(path, kind.kind),
      ...(text ? [] : [PRETTY]),
      ...(writes ? WRITE : []),
      ...(writes && method === "patch" ? [FORCE] : []),
    ];
    const body = !writes ? undefined : method === "patch" ? PATCH_BODY : typeName;
    return [
      {
        path,
        method,
        id: `${streams ? `connect${capital(method)}` : id}${idPrefix(kind.group, kind.version)}${suffix}`,
        description: streams
          ? `connect ${method.toUpperCase()} requests to ${subresource.name} of ${kind.kind}`
          : `${does} ${subresource.name} of the specified ${kind.kind}`,
        action: streams ? "connect" : action,
        gvk: { group: of.group, kind: of.kind, version: of.version },
        tag,
        parameters,
        body,
        answer: text ? undefined : typeName,
        statuses: method === "get" || streams ? [200] : method === "post" ? [200, 201, 202] : [200, 201],
      },
    ];
  });
}

function pathParameters(path: string, kind: string): readonly Parameter[] {
  const parameters: Parameter[] = [];
  if (path.includes("{name}"))
    parameters.push({ name: "name", in: "path", type: "string", description: `name of the ${kind}`, required: true });
  if (path.includes("{namespace}")) {
    parameters.push({
      name: "namespace",
      in: "path",
      type: "string",
      description: "object name and auth scope, such as for teams and projects",
      required: true,
    });
  }
  return parameters;
}

/** `core_v1`, `apps_v1`. */
function tagOf(group: string, version: string): string {
  return `${group === "" ? "core" : shortGroup(group)}_${version}`;
}

function idPrefix(group: string, version: string): string {
  return `${group === "" ? "Core" : shortGroup(group).split(/[._-]/).map(capital).join("")}${capital(version)}`;
}

function shortGroup(group: string): string {
  return group.replace(/(\.authorization)?(\.apiserver)?\.k8s\.io$/, (match) =>
    match.startsWith(".authorization") ? "Authorization" : match.startsWith(".apiserver") ? "Apiserver" : "",
  );
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
