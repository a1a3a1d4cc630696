import type { KubeObject } from "#machinery/object.ts";
import { unsupportedMediaType } from "#machinery/status.ts";
import { apiVersionOf, type Kind } from "#kinds/kind.ts";
import { type BodyFormat, decodeBody, type FieldValidation } from "../codec.ts";
import type { Served } from "../served.ts";
import type { Exchange } from "./exchange.ts";
import { fieldValidationOf } from "./field-validation.ts";

const FORMATS: Readonly<Record<string, BodyFormat>> = {
  "": "json",
  "application/json": "json",
  "application/yaml": "yaml",
  "application/vnd.kubernetes.protobuf": "protobuf",
};

export function mediaTypeOf(header: string | undefined): string {
  return (header ?? "").split(";", 1)[0]?.trim().toLowerCase() ?? "";
}

export function bodyFormatOf(header: string | undefined): BodyFormat {
  const format = FORMATS[mediaTypeOf(header)];
  if (format === undefined) {
    throw unsupportedMediaType(
      "the body of the request was in an unknown format - accepted media types include: application/json, application/yaml, application/vnd.kubernetes.protobuf",
    );
  }
  return format;
}

/** The body as an object of `kind`, decoded and defaulted; what strict validation finds is an error or a warning, as asked. */
export async function readObject(served: Served, exchange: Exchange, kind: Kind): Promise<KubeObject> {
  return readTyped(served, exchange, { apiVersion: apiVersionOf(kind), kind: kind.kind, typeName: kind.typeName, defaults: kind });
}

/** A type that a request body may have; `defaults` are the rules of a kind, where it is one. */
export interface BodyType {
  readonly apiVersion: string;
  readonly kind: string;
  readonly typeName: string;
  readonly defaults?: Kind;
  /** Every API version has the same type under this name (DeleteOptions). */
  readonly anyVersion?: true;
}

export async function readTyped(_served: Served, exchange: Exchange, type: BodyType): Promise<KubeObject> {
  const format = bodyFormatOf(exchange.headers["content-type"]);
  const validation: FieldValidation = fieldValidationOf(exchange);
  return decodeBody(await exchange.body(), format, type, validation, (text) => exchange.warnings.add(text));
}
