import type { Scale } from "#machinery/api/autoscaling-v1.ts";
import type { LabelSelector } from "#machinery/api/meta-v1.ts";
import { invalidField } from "#machinery/field-error.ts";
import { formatLabelSelector, labelSelectorFrom, selectorFromMap } from "#machinery/selector.ts";
import type { KubeObject, Stored } from "#machinery/object.ts";
import { badRequest, invalid, notFound } from "#machinery/status.ts";
import { decodeTyped } from "../codec.ts";
import { mediaTypeOf, readTyped } from "../http/body.ts";
import type { Answer, Exchange } from "../http/exchange.ts";
import { fieldValidationOf } from "../http/field-validation.ts";
import { plainAnswer } from "../represent.ts";
import type { Resource } from "../resource.ts";
import type { Served } from "../served.ts";
import { namespaceOf } from "../verbs/get.ts";
import { patchOf } from "../verbs/patch.ts";
import { mainRules, updateEntry } from "../verbs/update-entry.ts";
import { writeContextOf } from "../verbs/write-options.ts";

const SCALE = { apiVersion: "autoscaling/v1", kind: "Scale", typeName: "io.k8s.api.autoscaling.v1.Scale" } as const;

/** Every kind with a scale subresource keeps its wish, its count and its selector at the same places. */
interface Scalable extends KubeObject {
  readonly spec?: { readonly replicas?: number; readonly selector?: LabelSelector | Readonly<Record<string, string>> };
  readonly status?: { readonly replicas?: number };
}

/** GET, PUT and PATCH of autoscaling/v1 Scale: a view of replicas that is the same for all kinds. */
export async function scaleSubresource(served: Served, exchange: Exchange, resource: Resource): Promise<Answer> {
  const { info, method } = exchange;
  if (info.verb === "get") {
    await resource.fresh(exchange.signal);
    const entry = resource.cache.get(resource.keyOf(namespaceOf(resource, info.namespace), info.name));
    if (entry === undefined) throw notFound(resource.name, info.name);
    return plainAnswer(exchange, scaleOf(resource.parse(entry)));
  }
  const context = writeContextOf(exchange, method === "PUT" ? "UpdateOptions" : "PatchOptions");
  const change = method === "PUT" ? await replacing(served, exchange) : await patching(exchange, context.warn);
  const { entry } = await updateEntry(
    served,
    resource,
    {
      namespace: info.namespace,
      name: info.name,
      rules: { ...mainRules(resource.kind), subresource: "scale" },
      pinned: method === "PUT",
      build: (current) => withScale(current, change(scaleOf(current)), info.name),
    },
    context,
  );
  return plainAnswer(exchange, scaleOf(resource.parse(entry)));
}

async function replacing(served: Served, exchange: Exchange): Promise<(current: Scale) => Scale> {
  const scale = (await readTyped(served, exchange, SCALE)) as Scale;
  return () => scale;
}

async function patching(exchange: Exchange, warn: (text: string) => void): Promise<(current: Scale) => Scale> {
  const body = await exchange.body();
  const validation = fieldValidationOf(exchange);
  const apply = patchOf(mediaTypeOf(exchange.headers["content-type"]), SCALE.typeName, body);
  return (current) => decodeTyped({ value: apply(current), complaints: [], bytes: body }, SCALE, validation, warn) as Scale;
}

function withScale(current: KubeObject, scale: Scale, name: string): KubeObject {
  const { metadata, spec } = scale;
  if ((metadata?.name ?? "") !== name) throw badRequest(`name in URL does not match name in Scale object`);
  const replicas = spec?.replicas ?? 0;
  if (replicas < 0) {
    throw invalid({ group: "autoscaling", kind: "Scale" }, name, [
      invalidField("spec.replicas", replicas, "must be greater than or equal to 0"),
    ]);
  }
  const { resourceVersion, uid } = metadata ?? {};
  return {
    ...current,
    metadata: { ...current.metadata, resourceVersion: resourceVersion ?? "", ...(uid === undefined || uid === "" ? {} : { uid }) },
    spec: { ...(current as Scalable).spec, replicas },
  } as KubeObject;
}

export function scaleOf(object: Stored<KubeObject>): Scale {
  const { spec, status } = object as Scalable;
  const { name, namespace, uid, resourceVersion, creationTimestamp } = object.metadata;
  return {
    kind: SCALE.kind,
    apiVersion: SCALE.apiVersion,
    metadata: { name, ...(namespace === undefined ? {} : { namespace }), uid, resourceVersion, creationTimestamp },
    spec: spec?.replicas === undefined || spec.replicas === 0 ? {} : { replicas: spec.replicas },
    status: { replicas: status?.replicas ?? 0, ...selectorText(object) },
  };
}

function selectorText({ kind, spec }: Scalable): { readonly selector?: string } {
  const parsed =
    kind === "ReplicationController"
      ? selectorFromMap(spec?.selector as Readonly<Record<string, string>> | undefined)
      : labelSelectorFrom(spec?.selector);
  const selector = formatLabelSelector(parsed);
  return selector === "" ? {} : { selector };
}
