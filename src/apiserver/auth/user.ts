/** Who asks, as the authenticators found. */
export interface User {
  readonly name: string;
  readonly uid?: string;
  readonly groups: readonly string[];
  readonly extra?: Readonly<Record<string, readonly string[]>>;
}

export const ANONYMOUS: User = { name: "system:anonymous", groups: ["system:unauthenticated"] };

/** The server itself, for objects it makes at start. */
export const API_SERVER: User = { name: "system:apiserver", groups: ["system:masters", "system:authenticated"] };

export const MASTERS = "system:masters";
export const AUTHENTICATED = "system:authenticated";
export const SERVICE_ACCOUNT_PREFIX = "system:serviceaccount:";
export const NODE_PREFIX = "system:node:";
export const NODES_GROUP = "system:nodes";

/** The user with `system:authenticated`, as every authenticated request has it. */
export function authenticated(user: User): User {
  return user.groups.includes(AUTHENTICATED) ? user : { ...user, groups: [...user.groups, AUTHENTICATED] };
}

export function serviceAccountUser(namespace: string, name: string, uid: string, extra: Readonly<Record<string, readonly string[]>>): User {
  return {
    name: `${SERVICE_ACCOUNT_PREFIX}${namespace}:${name}`,
    uid,
    groups: ["system:serviceaccounts", `system:serviceaccounts:${namespace}`, AUTHENTICATED],
    extra,
  };
}

/** The node's name when the user is a kubelet with the credentials of its node. */
export function nodeNameOf(user: User): string | undefined {
  return user.name.startsWith(NODE_PREFIX) && user.groups.includes(NODES_GROUP) ? user.name.slice(NODE_PREFIX.length) : undefined;
}
