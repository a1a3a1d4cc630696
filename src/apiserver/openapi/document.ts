import type { Kind } from "#kinds/kind.ts";
import { TABLE, typeNameOfKind } from "#machinery/schema/schema.ts";
import type { Descriptions } from "./descriptions.ts";
import { type Operation, operationsOf, type Parameter, PATCH_BODY } from "./operations.ts";
import { type Json, schemasOf } from "./schemas.ts";

const BODY_TYPES = ["application/json", "application/yaml", "application/vnd.kubernetes.protobuf"];
const STREAM_TYPES = ["application/json;stream=watch", "application/vnd.kubernetes.protobuf;stream=watch"];
const PATCH_TYPES = [
  "application/apply-patch+yaml", "application/json-patch+json", "application/merge-patch+json", "application/strategic-merge-patch+json",
]; // biome-ignore format: one glance
const PATCH = "io.k8s.apimachinery.pkg.apis.meta.v1.Patch";
const WATCH_EVENT = "io.k8s.apimachinery.pkg.apis.meta.v1.WatchEvent";
const PATCH_SCHEMA = {
  description: "Patch is provided to give a concrete name and type to the Kubernetes PATCH request body.",
  type: "object",
};
const WATCH_EVENT_SCHEMA = {
  description: "Event represents a single event to a watched resource.",
  type: "object",
  required: ["type", "object"],
  properties: { object: { type: "object" }, type: { type: "string" } },
};

/** Pure: the OpenAPI 3 document of one group version. */
export function openApiV3(kinds: readonly Kind[], version: string, descriptions: Descriptions): Json {
  const operations = kinds.flatMap(operationsOf);
  const schemas = schemasOf(rootsOf(operations, kinds), 3, descriptions);
  return {
    openapi: "3.0.0",
    info: { title: "Kubernetes", version },
    paths: grouped(operations, (operation) => operationV3(operation)),
    components: {
      schemas: { ...schemas, [PATCH]: PATCH_SCHEMA },
      securitySchemes: { BearerToken: { type: "apiKey", description: "Bearer Token authentication", name: "authorization", in: "header" } },
    },
  };
}

/** Pure: the OpenAPI 2 document of everything. */
export function openApiV2(kinds: readonly Kind[], version: string, descriptions: Descriptions): Json {
  const operations = kinds.flatMap(operationsOf);
  const definitions = schemasOf(rootsOf(operations, kinds), 2, descriptions);
  return {
    swagger: "2.0",
    info: { title: "Kubernetes", version },
    paths: grouped(operations, (operation) => operationV2(operation)),
    definitions: { ...definitions, [PATCH]: PATCH_SCHEMA, [WATCH_EVENT]: WATCH_EVENT_SCHEMA },
    securityDefinitions: {
      BearerToken: { description: "Bearer Token authentication", type: "apiKey", name: "authorization", in: "header" },
    },
    security: [{ BearerToken: [] }],
  };
}

function rootsOf(operations: readonly Operation[], kinds: readonly Kind[]): readonly string[] {
  const roots = new Set<string>();
  for (const { body, answer } of operations) {
    if (body !== undefined && body !== PATCH_BODY) roots.add(body);
    if (answer !== undefined) roots.add(answer);
  }
  for (const { group, version, listKind } of kinds) {
    const list = typeNameOfKind(group, version, listKind);
    if (list !== undefined) roots.add(list);
  }
  return [...roots].filter((name) => Object.hasOwn(TABLE.types, name));
}

function grouped(operations: readonly Operation[], write: (operation: Operation) => Json): Json {
  const paths = new Map<string, Record<string, Json>>();
  for (const operation of operations) {
    const path = paths.get(operation.path) ?? {};
    path[operation.method] = write(operation);
    paths.set(operation.path, path);
  }
  return Object.fromEntries([...paths].toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

function operationV3(operation: Operation): Json {
  const { parameters, body, answer, statuses } = operation;
  const schema = answer === undefined ? { type: "string" } : { $ref: `#/components/schemas/${answer}` };
  const types = operation.action === "list" ? [...BODY_TYPES, ...STREAM_TYPES] : answer === undefined ? ["*/*"] : BODY_TYPES;
  const content = Object.fromEntries(types.map((type) => [type, { schema }]));
  return {
    ...common(operation),
    parameters: parameters.map(({ type, ...parameter }: Parameter) => ({
      name: parameter.name,
      in: parameter.in,
      description: parameter.description,
      ...(parameter.required === undefined ? {} : { required: true }),
      schema: { type, uniqueItems: true },
    })),
    ...(body === undefined ? {} : { requestBody: requestBody(body) }),
    responses: {
      ...Object.fromEntries(statuses.map((status) => [String(status), { description: STATUS_TEXT[status], content }])),
      "401": { description: "Unauthorized" },
    },
  };
}

function requestBody(body: string): Json {
  const types = body === PATCH_BODY ? PATCH_TYPES : ["*/*"];
  const schema = { $ref: `#/components/schemas/${body === PATCH_BODY ? PATCH : body}` };
  return {
    content: Object.fromEntries(types.map((type) => [type, { schema }])),
    ...(body.endsWith(".DeleteOptions") ? {} : { required: true }),
  };
}

function operationV2(operation: Operation): Json {
  const { parameters, body, answer, statuses, action } = operation;
  const schema = answer === undefined ? { type: "string" } : { $ref: `#/definitions/${answer}` };
  const bodyParameter = {
    in: "body",
    name: "body",
    ...(body?.endsWith(".DeleteOptions") === true ? {} : { required: true }),
    schema: { $ref: `#/definitions/${body === PATCH_BODY ? PATCH : (body ?? "")}` },
  };
  return {
    ...common(operation),
    consumes: body === PATCH_BODY ? PATCH_TYPES : ["*/*"],
    produces: action === "list" ? [...BODY_TYPES, ...STREAM_TYPES] : answer === undefined ? ["*/*"] : BODY_TYPES,
    schemes: ["https"],
    parameters: [
      ...(body === undefined ? [] : [bodyParameter]),
      ...parameters.map(({ name, in: place, type, description, required }) => ({
        uniqueItems: true,
        type,
        description,
        name,
        in: place,
        ...(required === undefined ? {} : { required }),
      })),
    ],
    responses: {
      ...Object.fromEntries(statuses.map((status) => [String(status), { description: STATUS_TEXT[status], schema }])),
      "401": { description: "Unauthorized" },
    },
  };
}

function common({ description, tag, id, action, gvk }: Operation): Json {
  return { description, tags: [tag], operationId: id, "x-kubernetes-action": action, "x-kubernetes-group-version-kind": gvk };
}

const STATUS_TEXT: Readonly<Record<number, string>> = { 200: "OK", 201: "Created", 202: "Accepted" };
