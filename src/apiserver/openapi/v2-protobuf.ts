import { createWriter, type WireWriter } from "#machinery/protobuf-wire.ts";
import type { Json } from "./schemas.ts";

/** Writes the fields of one message, last field first, as the writer wants them. */
type Write = (writer: WireWriter, value: Json) => void;

/**
 * The OpenAPI 2 document as the `openapi.v2.Document` message that Go clients read. Numbers are those of the message's fields; what
 * this server's documents never hold has no line here.
 */
export function encodeOpenApiV2(document: Json): Uint8Array {
  const writer = createWriter();
  message(writer, 13, object(document["securityDefinitions"]), (w, all) => entries(w, 1, all, securityDefinition));
  messages(writer, 12, document["security"], (w, all) => entries(w, 1, all, () => undefined));
  message(writer, 9, object(document["definitions"]), (w, all) => entries(w, 1, all, schema));
  message(writer, 8, object(document["paths"]), (w, all) => entries(w, 2, all, pathItem));
  message(writer, 2, object(document["info"]), info);
  text(writer, 1, document["swagger"]);
  return writer.finish();
}

const info: Write = (w, { title, version }) => {
  text(w, 2, version);
  text(w, 1, title);
};

const securityDefinition: Write = (w, definition) => {
  message(w, 2, definition, (inner, { type, name, in: place, description }) => {
    text(inner, 4, description);
    text(inner, 3, place);
    text(inner, 2, name);
    text(inner, 1, type);
  });
};

const METHODS = [["patch", 8], ["delete", 5], ["post", 4], ["put", 3], ["get", 2]] as const; // biome-ignore format: one glance

const pathItem: Write = (w, item) => {
  for (const [method, n] of METHODS) if (item[method] !== undefined) message(w, n, object(item[method]), operation);
};

const operation: Write = (w, value) => {
  extensions(w, 13, value);
  texts(w, 10, value["schemes"]);
  message(w, 9, object(value["responses"]), (inner, all) => entries(inner, 1, all, response));
  messages(w, 8, value["parameters"], (inner, parameter) => message(inner, 1, parameter, parameterKind));
  texts(w, 7, value["consumes"]);
  texts(w, 6, value["produces"]);
  text(w, 5, value["operationId"]);
  text(w, 3, value["description"]);
  texts(w, 1, value["tags"]);
};

const parameterKind: Write = (w, parameter) => {
  if (parameter["in"] === "body") message(w, 1, parameter, bodyParameter);
  else message(w, 2, parameter, (inner, value) => message(inner, value["in"] === "path" ? 4 : 3, value, plainParameter));
};

const bodyParameter: Write = (w, value) => {
  message(w, 5, object(value["schema"]), schema);
  flag(w, 4, value["required"]);
  text(w, 3, value["in"]);
  text(w, 2, value["name"]);
  text(w, 1, value["description"]);
};

/** Query parameters have one field more than path parameters before their type. */
const plainParameter: Write = (w, value) => {
  const path = value["in"] === "path";
  flag(w, path ? 19 : 20, value["uniqueItems"]);
  text(w, path ? 5 : 6, value["type"]);
  text(w, 4, value["name"]);
  text(w, 3, value["description"]);
  text(w, 2, value["in"]);
  flag(w, 1, value["required"]);
};

const response: Write = (w, value) => {
  message(w, 1, value, (inner, { schema: of, description }) => {
    if (of !== undefined) message(inner, 2, object(of), (item, one) => message(item, 1, one, schema));
    text(inner, 1, description);
  });
};

function schema(w: WireWriter, value: Json): void {
  extensions(w, 31, value);
  if (value["properties"] !== undefined) message(w, 25, object(value["properties"]), (inner, all) => entries(inner, 1, all, schema));
  if (value["items"] !== undefined)
    message(w, 23, { items: value["items"] }, (inner, { items }) => message(inner, 1, object(items), schema));
  if (value["type"] !== undefined) message(w, 22, value, (inner, { type }) => text(inner, 1, type));
  if (value["additionalProperties"] !== undefined) {
    message(w, 21, value, (inner, { additionalProperties }) => message(inner, 1, object(additionalProperties), schema));
  }
  for (const one of list(value["enum"]).toReversed()) message(w, 20, { one }, (inner, { one: of }) => text(inner, 2, JSON.stringify(of)));
  texts(w, 19, value["required"]);
  if (value["default"] !== undefined) message(w, 5, value, (inner, { default: of }) => text(inner, 2, JSON.stringify(of)));
  text(w, 4, value["description"]);
  text(w, 2, value["format"]);
  text(w, 1, value["$ref"]);
}

/** `x-...` members, their values as YAML, of which JSON is a part. */
function extensions(w: WireWriter, n: number, value: Json): void {
  for (const [name, of] of Object.entries(value).toReversed()) {
    if (!name.startsWith("x-")) continue;
    message(w, n, { of }, (inner) => {
      message(inner, 2, { of }, (any, { of: one }) => text(any, 2, JSON.stringify(one)));
      text(inner, 1, name);
    });
  }
}

/** A map as a list of messages with a name and a value. */
function entries(w: WireWriter, n: number, all: Json, write: Write): void {
  for (const [name, value] of Object.entries(all).toReversed()) {
    message(w, n, object(value), (inner, of) => {
      message(inner, 2, of, write);
      text(inner, 1, name);
    });
  }
}

function message(w: WireWriter, n: number, value: Json, write: Write): void {
  const mark = w.mark();
  write(w, value);
  w.close(mark, n);
}

function messages(w: WireWriter, n: number, values: unknown, write: Write): void {
  for (const value of list(values).toReversed()) message(w, n, object(value), write);
}

function text(w: WireWriter, n: number, value: unknown): void {
  if (typeof value !== "string" || value === "") return;
  w.string(value);
  w.tag(n, 2);
}

function texts(w: WireWriter, n: number, values: unknown): void {
  for (const value of list(values).toReversed()) text(w, n, value);
}

function flag(w: WireWriter, n: number, value: unknown): void {
  if (value !== true) return;
  w.int64(1);
  w.tag(n, 0);
}

function object(value: unknown): Json {
  return typeof value === "object" && value !== null ? (value as Json) : {};
}

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
