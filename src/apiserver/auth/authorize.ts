import { forbidden, STATUS_CODES, StatusError } from "#machinery/status.ts";
import type { Exchange } from "../http/exchange.ts";
import { MASTERS, type User } from "./user.ts";

/** What is to be done, as authorizers see it. */
export interface Attributes {
  readonly user: User;
  readonly verb: string;
  readonly isResource: boolean;
  readonly group: string;
  readonly version: string;
  readonly resource: string;
  readonly subresource: string;
  readonly namespace: string;
  readonly name: string;
  /** For requests that are about no resource. */
  readonly path: string;
  /** Of list, watch and deletecollection, as it was sent. */
  readonly fieldSelector?: string;
}

export interface Decision {
  readonly allowed: boolean;
  /** For whoever asks why; "" where there is nothing to say. */
  readonly reason: string;
}

export type Authorizer = (attributes: Attributes) => Promise<Decision>;

export function attributesOf({ user, info, query }: Exchange): Attributes {
  const fieldSelector = query.get("fieldSelector");
  return {
    user,
    verb: info.verb,
    isResource: info.isResource,
    group: info.group,
    version: info.version,
    resource: info.resource,
    subresource: info.subresource,
    namespace: info.namespace,
    name: info.name,
    path: info.path,
    ...(fieldSelector === null ? {} : { fieldSelector }),
  };
}

/** The first that allows decides; where none does, all their reasons are told. */
export function anyOf(authorizers: readonly Authorizer[]): Authorizer {
  return async (attributes) => {
    const reasons: string[] = [];
    for (const authorize of authorizers) {
      const decision = await authorize(attributes);
      if (decision.allowed) return decision;
      if (decision.reason !== "") reasons.push(decision.reason);
    }
    return { allowed: false, reason: reasons.join(", ") };
  };
}

/** Whoever is in system:masters may do anything, whatever the roles say. */
export const mastersAuthorizer: Authorizer = ({ user }) => Promise.resolve({ allowed: user.groups.includes(MASTERS), reason: "" });

/** 403 in upstream's words. */
export function forbiddenFor(attributes: Attributes, reason: string): StatusError {
  const { user, verb, isResource, group, resource, subresource, namespace, name, path } = attributes;
  const because = reason === "" ? "" : `: ${reason}`;
  if (!isResource) {
    const message = `forbidden: User ${JSON.stringify(user.name)} cannot ${verb} path ${JSON.stringify(path)}${because}`;
    return new StatusError({ reason: "Forbidden", code: STATUS_CODES.Forbidden, message, details: {} });
  }
  const what = subresource === "" ? resource : `${resource}/${subresource}`;
  const where = namespace === "" ? "at the cluster scope" : `in the namespace ${JSON.stringify(namespace)}`;
  const why = `User ${JSON.stringify(user.name)} cannot ${verb} resource ${JSON.stringify(what)} in API group ${JSON.stringify(group)} ${where}${because}`;
  return forbidden({ group, plural: resource }, name, why);
}
