import { JsonSyntaxError, parseJson } from "#machinery/json.ts";
import type { KubeObject } from "#machinery/object.ts";
import { applyJsonPatch } from "#machinery/patch/json.ts";
import { applyMergePatch } from "#machinery/patch/merge.ts";
import { PatchError } from "#machinery/patch/patch-error.ts";
import { applyStrategicMergePatch } from "#machinery/patch/strategic.ts";
import { isPlainObject } from "#machinery/plain.ts";
import { decodeObject } from "#machinery/schema/decode.ts";
import { parseYaml, YamlError } from "#machinery/yaml.ts";
import { forbiddenField, requiredField } from "#machinery/field-error.ts";
import { badRequest, invalid, STATUS_CODES, StatusError, unsupportedMediaType } from "#machinery/status.ts";
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
import { appliedFields } from "../managed-fields.ts";
import { isTrue } from "../http/request-info.ts";
import { checkNamespace, writeContextOf } from "./write-options.ts";

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
  if (mediaType === APPLY) return applyObject(served, exchange, resource, rules, body);
  if (exchange.query.has("force")) throw invalid(PATCH_OPTIONS, "", [forbiddenField("force", "may not be specified for non-apply patch")]);
  const apply = patchOf(mediaType, kind.typeName, body);
  const { entry, created } = await updateEntry(
    served,
    resource,
    {
      namespace: info.namespace,
      name: info.name,
      rules,
      pinned: false,
      build: (current) =>
        withDefaults(type, decodeTyped({ value: apply(current), complaints: [], bytes: body }, type, validation, context.warn)),
    },
    context,
  );
  return objectAnswer(exchange, resource, entry, served.clock.now(), created ? 201 : 200);
}

const APPLY = "application/apply-patch+yaml";
const PATCH_OPTIONS = { group: "meta.k8s.io", kind: "PatchOptions" };

/** Server-side apply: creates what is not there. */
async function applyObject(served: Served, exchange: Exchange, resource: Resource, rules: UpdateRules, body: Uint8Array): Promise<Answer> {
  const { info, query } = exchange;
  const { kind } = resource;
  if ((query.get("fieldManager") ?? "") === "") {
    throw invalid(PATCH_OPTIONS, "", [requiredField("fieldManager", "is required for apply patch")]);
  }
  const context = writeContextOf(exchange, "PatchOptions");
  const type = { apiVersion: apiVersionOf(kind), kind: kind.kind, typeName: kind.typeName, defaults: kind };
  const validation = fieldValidationOf(exchange);
  const applied = appliedValue(body);
  const decoded = decodeTyped({ value: applied, complaints: [], bytes: body }, type, validation, context.warn);
  checkNamespace(resource, info.namespace, decoded);
  const name = decoded.metadata.name ?? "";
  if (name !== "" && name !== info.name)
    throw badRequest(`the name of the object (${name}) does not match the name on the URL (${info.name})`);
  const manager = {
    manager: context.fieldManager,
    now: served.clock.now(),
    ...(rules.subresource === "" ? {} : { subresource: rules.subresource }),
  };
  const merge = (live: KubeObject) => {
    const object = applying(() => appliedFields(kind, live, applied, isTrue(query.get("force")), manager));
    return withDefaults(type, decodeTyped({ value: object, complaints: [], bytes: body }, type, "Ignore", context.warn));
  };
  const { entry, created } = await updateEntry(
    served,
    resource,
    {
      namespace: info.namespace,
      name: info.name,
      rules,
      pinned: false,
      tracked: true,
      build: merge,
      ...(rules.subresource === "" ? { missing: async () => merge(emptyObject(kind, info.namespace, info.name)) } : {}),
    },
    context,
  );
  return objectAnswer(exchange, resource, entry, served.clock.now(), created ? 201 : 200);
}

function emptyObject(kind: Kind, namespace: string, name: string): KubeObject {
  const metadata = kind.scope === "Namespaced" ? { name, namespace } : { name };
  return decodeObject(kind.typeName, { kind: kind.kind, apiVersion: apiVersionOf(kind), metadata }).object;
}

function appliedValue(body: Uint8Array): unknown {
  try {
    return parseYaml(Buffer.from(body).toString()).value;
  } catch (cause) {
    if (cause instanceof YamlError) throw badRequest(`error decoding YAML: ${cause.message}`);
    throw cause;
  }
}

function applying(apply: () => KubeObject): KubeObject {
  try {
    return apply();
  } catch (cause) {
    if (!(cause instanceof PatchError)) throw cause;
    if (cause.because === "bad") throw badRequest(cause.message);
    // Upstream lets this error through as it is: a 500 without a reason.
    throw new StatusError({ reason: "", code: 500, message: cause.message });
  }
}

/** The patch as a function of the current object. Throws 400, 413 or 415; so does the function, and 422. */
export function patchOf(mediaType: string, typeName: string, body: Uint8Array): (current: KubeObject) => unknown {
  switch (mediaType) {
    case "application/json-patch+json": {
      const patch = patchValue(body);
      return (current) => patching(() => applyJsonPatch(current, patch));
    }
    case "application/merge-patch+json": {
      const patch = mergePatchValue(body);
      return (current) => patching(() => applyMergePatch(current, patch));
    }
    case "application/strategic-merge-patch+json": {
      const patch = mergePatchValue(body);
      return (current) => patching(() => applyStrategicMergePatch(typeName, current, patch));
    }
    default:
      throw unsupportedMediaType(`the body of the request was in an unknown format - accepted media types include: ${ACCEPTED}`);
  }
}

function mergePatchValue(body: Uint8Array) {
  const patch = patchValue(body);
  if (!isPlainObject(patch)) throw badRequest(`json: cannot unmarshal ${goKind(patch)} into Go value of type map[string]interface {}`);
  return patch;
}

function patchValue(body: Uint8Array): unknown {
  try {
    return parseJson(Buffer.from(body).toString()).value;
  } catch (cause) {
    if (cause instanceof JsonSyntaxError) throw badRequest(`error decoding patch: ${cause.message}`);
    throw cause;
  }
}

function patching(apply: () => unknown): unknown {
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
        // Upstream does not tell what was wrong.
        throw new StatusError({
          reason: "Invalid",
          code: STATUS_CODES.Invalid,
          message: "the server rejected our request due to an error in our request",
          details: {},
        });
    }
  }
}

function goKind(value: unknown): string {
  if (value === null) return "null";
  return Array.isArray(value) ? "array" : typeof value === "boolean" ? "bool" : typeof value;
}
