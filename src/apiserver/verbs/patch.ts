import { JsonSyntaxError, parseJson } from "#machinery/json.ts";
import type { KubeObject } from "#machinery/object.ts";
import { applyJsonPatch } from "#machinery/patch/json.ts";
import { applyMergePatch } from "#machinery/patch/merge.ts";
import { PatchError } from "#machinery/patch/patch-error.ts";
import { applyStrategicMergePatch } from "#machinery/patch/strategic.ts";
import { isPlainObject } from "#machinery/plain.ts";
import { badRequest, STATUS_CODES, StatusError, unsupportedMediaType } from "#machinery/status.ts";
import { apiVersionOf, type Kind } from "#kinds/kind.ts";
import { requestEntityTooLarge } from "../http/limits.ts";
import { mediaTypeOf } from "../http/body.ts";
import type { Answer, Exchange } from "../http/exchange.ts";
import { fieldValidationOf } from "../http/field-validation.ts";
import { decodeTyped, withDefaults } from "../codec.ts";
import { objectAnswer } from "../represent.ts";
import type { Resource } from "../resource.ts";
import type { Served } from "../served.ts";
import { mainRules, updateEntry, type UpdateRules } from "./update-entry.ts";
import { writeContextOf } from "./write-options.ts";

const ACCEPTED =
  "application/json-patch+json, application/merge-patch+json, application/strategic-merge-patch+json, application/apply-patch+yaml";

/** PATCH: the change is applied to the newest state, again if another write comes between. */
export async function patchObject(
  served: Served,
  exchange: Exchange,
  resource: Resource,
  rules: UpdateRules = mainRules(resource.kind),
): Promise<Answer> {
  const { info, headers } = exchange;
  const { kind } = resource;
  const context = writeContextOf(exchange, "PatchOptions");
  const type = { apiVersion: apiVersionOf(kind), kind: kind.kind, typeName: kind.typeName, defaults: kind };
  const mediaType = mediaTypeOf(headers["content-type"]);
  const validation = fieldValidationOf(exchange);
  const body = await exchange.body();
  const apply = patchOf(mediaType, kind, body);
  const { entry, created } = await updateEntry(
    served,
    resource,
    {
      namespace: info.namespace,
      name: info.name,
      rules,
      build: (current) =>
        withDefaults(type, decodeTyped({ value: apply(current), complaints: [], bytes: body }, type, validation, context.warn)),
    },
    context,
  );
  return objectAnswer(exchange, resource, entry, served.clock.now(), created ? 201 : 200);
}

/** The patch as a function of the current object. Throws 400, 413 or 415; so does the function, and 422. */
function patchOf(mediaType: string, kind: Kind, body: Uint8Array): (current: KubeObject) => unknown {
  switch (mediaType) {
    case "application/json-patch+json": {
      const patch = patchValue(body);
      return (current) => patching(() => applyJsonPatch(current, patch), kind, current);
    }
    case "application/merge-patch+json": {
      const patch = patchValue(body);
      if (!isPlainObject(patch)) throw badRequest(`json: cannot unmarshal ${goKind(patch)} into Go value of type map[string]interface {}`);
      return (current) => patching(() => applyMergePatch(current, patch), kind, current);
    }
    case "application/strategic-merge-patch+json": {
      const patch = patchValue(body);
      if (!isPlainObject(patch)) throw badRequest(`json: cannot unmarshal ${goKind(patch)} into Go value of type map[string]interface {}`);
      return (current) => patching(() => applyStrategicMergePatch(kind.typeName, current, patch), kind, current);
    }
    default:
      throw unsupportedMediaType(`the body of the request was in an unknown format - accepted media types include: ${ACCEPTED}`);
  }
}

function patchValue(body: Uint8Array): unknown {
  try {
    return parseJson(Buffer.from(body).toString()).value;
  } catch (cause) {
    if (cause instanceof JsonSyntaxError) throw badRequest(`error decoding patch: ${cause.message}`);
    throw cause;
  }
}

function patching(apply: () => unknown, kind: Kind, current: KubeObject): unknown {
  try {
    return apply();
  } catch (cause) {
    if (!(cause instanceof PatchError)) throw cause;
    switch (cause.because) {
      case "bad":
        throw badRequest(cause.message);
      case "tooLarge":
        throw requestEntityTooLarge(cause.message);
      case "unprocessable":
        throw new StatusError({
          reason: "Invalid",
          code: STATUS_CODES.Invalid,
          message: `the server rejected our request due to an error in our request`,
          details: { name: current.metadata.name ?? "", group: kind.group, kind: kind.plural, causes: [{ message: cause.message }] },
        });
    }
  }
}

function goKind(value: unknown): string {
  if (value === null) return "null";
  return Array.isArray(value) ? "array" : typeof value === "boolean" ? "bool" : typeof value;
}
