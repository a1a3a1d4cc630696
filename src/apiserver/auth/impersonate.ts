import { internalError } from "#machinery/status.ts";
import type { Exchange } from "../http/exchange.ts";
import { type Attributes, type Authorizer, forbiddenFor } from "./authorize.ts";
import { AUTHENTICATED, SERVICE_ACCOUNT_PREFIX, type User } from "./user.ts";

const EXTRA = "impersonate-extra-";

/** The user that the request wants to act as, when the one who asks may; otherwise the one who asks. Throws 403. */
export async function impersonated(exchange: Exchange, authorize: Authorizer): Promise<User> {
  const { headers, user } = exchange;
  const name = one(headers["impersonate-user"]);
  const groups = many(headers["impersonate-group"]);
  const uid = one(headers["impersonate-uid"]);
  const extra = extraOf(headers);
  if (name === "") {
    if (groups.length > 0 || uid !== "" || Object.keys(extra).length > 0) {
      throw internalError(new Error(`requested ${JSON.stringify(groups)} without impersonating a user`));
    }
    return user;
  }
  const account = name.startsWith(SERVICE_ACCOUNT_PREFIX) ? name.slice(SERVICE_ACCOUNT_PREFIX.length).split(":") : undefined;
  const wanted: Partial<Attributes>[] = [
    account === undefined
      ? { resource: "users", name }
      : { resource: "serviceaccounts", namespace: account[0] ?? "", name: account[1] ?? "" },
    ...groups.map((group) => ({ resource: "groups", name: group })),
    ...(uid === "" ? [] : [{ group: "authentication.k8s.io", resource: "uids", name: uid }]),
    ...Object.entries(extra).flatMap(([key, values]) =>
      values.map((value) => ({ group: "authentication.k8s.io", resource: "userextras", subresource: key, name: value })),
    ),
  ];
  for (const part of wanted) {
    const attributes: Attributes = { ...BASE, user, ...part };
    const { allowed, reason } = await authorize(attributes);
    if (!allowed) throw forbiddenFor(attributes, reason);
  }
  const implied = account === undefined ? [] : ["system:serviceaccounts", `system:serviceaccounts:${account[0] ?? ""}`];
  const all = [...(groups.length === 0 ? implied : groups)];
  if (name !== "system:anonymous" && !all.includes(AUTHENTICATED)) all.push(AUTHENTICATED);
  return { name, groups: all, ...(uid === "" ? {} : { uid }), ...(Object.keys(extra).length === 0 ? {} : { extra }) };
}

const BASE = {
  verb: "impersonate",
  isResource: true,
  group: "",
  version: "v1",
  resource: "",
  subresource: "",
  namespace: "",
  name: "",
  path: "",
};

function one(value: string | string[] | undefined): string {
  return (Array.isArray(value) ? value[0] : value) ?? "";
}

/** Node joins repeated headers that it does not know with commas. */
function many(value: string | string[] | undefined): readonly string[] {
  if (value === undefined) return [];
  return (Array.isArray(value) ? value : value.split(",")).map((text) => text.trim()).filter((text) => text !== "");
}

function extraOf(headers: Exchange["headers"]): Readonly<Record<string, readonly string[]>> {
  const extra: Record<string, readonly string[]> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (name.startsWith(EXTRA)) extra[decodeURIComponent(name.slice(EXTRA.length))] = many(value);
  }
  return extra;
}
