import { apiVersionOf, type Deprecation, type Kind, type Verb } from "#kinds/kind.ts";
import { methodNotAllowed, pathNotFound } from "#machinery/status.ts";
import type { Answer, Exchange, Handler } from "./http/exchange.ts";
import type { Resource } from "./resource.ts";
import type { Served } from "./served.ts";
import { createObject } from "./verbs/create.ts";
import { deleteCollection } from "./verbs/deletecollection.ts";
import { deleteObject } from "./verbs/delete.ts";
import { getObject } from "./verbs/get.ts";
import { listObjects } from "./verbs/list.ts";
import { patchObject } from "./verbs/patch.ts";
import { updateObject } from "./verbs/update.ts";
import { watchObjects } from "./verbs/watch.ts";

export type VerbHandler = (served: Served, exchange: Exchange, resource: Resource) => Promise<Answer>;

/** The generic verbs. */
const VERBS: Readonly<Record<Verb, VerbHandler>> = {
  get: getObject,
  list: listObjects,
  watch: watchObjects,
  create: createObject,
  update: (served, exchange, resource) => updateObject(served, exchange, resource),
  patch: (served, exchange, resource) => patchObject(served, exchange, resource),
  delete: deleteObject,
  deletecollection: deleteCollection,
};

export interface RouterDeps {
  readonly served: Served;
  /** Paths that are about no resource; undefined where there is nothing. */
  readonly paths: (exchange: Exchange) => Promise<Answer> | undefined;
  /** `plural/subresource`, and the verbs of kinds that are answered, not stored (reviews, bindings): `plural`. */
  readonly special: ReadonlyMap<string, VerbHandler>;
}

/** The last stage: finds what a request is for, and answers it. */
export function createRouter({ served, paths, special }: RouterDeps): Handler {
  return async (exchange) => {
    const { info } = exchange;
    if (!info.isResource) {
      const answer = paths(exchange);
      if (answer === undefined) throw pathNotFound();
      return answer;
    }
    const kind = served.resources.find(info.group, info.version, info.resource);
    if (kind === undefined || !isPlaceOf(kind, info.namespace)) throw pathNotFound();
    const resource = await served.resources.open(kind);
    if (info.subresource !== "") {
      const subresource = kind.subresources.find(({ name }) => name === info.subresource);
      if (subresource === undefined) throw pathNotFound();
      const handler = special.get(`${kind.plural}.${kind.group}/${info.subresource}`) ?? special.get(`*/${info.subresource}`);
      if (handler === undefined) throw pathNotFound();
      if (!subresource.verbs.includes(info.verb)) throw methodNotAllowed();
      return handler(served, exchange, resource);
    }
    const verb = info.verb as Verb;
    if (!kind.verbs.includes(verb)) throw methodNotAllowed();
    // The verb tells whether there is a name, except for what is sent to the wrong place.
    if (verb === "create" ? info.name !== "" : NEEDS_NAME.has(verb) && info.name === "") throw methodNotAllowed();
    if (kind.deprecated !== undefined) exchange.warnings.add(deprecationText(kind, kind.deprecated));
    const own = special.get(`${kind.plural}.${kind.group}`);
    if (own !== undefined) return own(served, exchange, resource);
    if (kind.scope === "Namespaced" && info.namespace === "" && !ACROSS_NAMESPACES.has(verb)) throw methodNotAllowed();
    return VERBS[verb](served, exchange, resource);
  };
}

/** Verbs of single objects. */
const NEEDS_NAME: ReadonlySet<Verb> = new Set(["get", "update", "patch", "delete"]);

/** Verbs that a namespaced resource answers without a namespace. */
const ACROSS_NAMESPACES: ReadonlySet<Verb> = new Set(["list", "watch", "deletecollection"]);

function deprecationText(kind: Kind, { since, use }: Deprecation): string {
  return `${apiVersionOf(kind)} ${kind.kind} is deprecated in v${since}+${use === undefined ? "" : `; use ${use}`}`;
}

/** Cluster-scoped resources are not under a namespace; namespaces themselves look as if they were. */
function isPlaceOf(kind: Kind, namespace: string): boolean {
  return kind.scope === "Namespaced" || namespace === "" || kind.plural === "namespaces";
}
