import { forbidden, STATUS_CODES, StatusError } from "#machinery/status.ts";
import type { Exchange } from "../http/exchange.ts";
import type { User } from "./user.ts";

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
}

export interface Decision {
  readonly allowed: boolean;
  /** For whoever asks why; "" where there is nothing to say. */
  readonly reason: string;
}

export type Authorizer = (attributes: Attributes) => Promise<Decision>;

export function attributesOf({ user, info }: Exchange): Attributes {
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
  };
}

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
