import { timingSafeEqual } from "node:crypto";
import type { Clock } from "#base/clock.ts";
import { SecretKind } from "#kinds/core/secret.ts";
import type { Objects } from "../objects.ts";
import { AUTHENTICATED, type User } from "./user.ts";

const TOKEN = /^([a-z0-9]{6})\.([a-z0-9]{16})$/;
const EXTRA_GROUP = /^system:bootstrappers:[a-z0-9:-]{0,255}[a-z0-9]$/;

/** The user of a bootstrap token: a Secret `kube-system/bootstrap-token-<id>` that is in its time and meant for authentication. */
export async function bootstrapTokenUser(token: string, objects: Objects, clock: Clock): Promise<User | undefined> {
  const match = TOKEN.exec(token);
  if (match === null) return undefined;
  const [, id = "", secret = ""] = match;
  const found = await objects.get(SecretKind, "kube-system", `bootstrap-token-${id}`);
  if (found === undefined || found.type !== "bootstrap.kubernetes.io/token" || found.metadata.deletionTimestamp !== undefined)
    return undefined;
  const text = (key: string) => Buffer.from(found.data?.[key] ?? "", "base64").toString();
  if (text("token-id") !== id || !equal(text("token-secret"), secret)) return undefined;
  const expiration = text("expiration");
  if (expiration !== "" && !(Date.parse(expiration) > clock.now())) return undefined;
  if (text("usage-bootstrap-authentication") !== "true") return undefined;
  const groups = text("auth-extra-groups")
    .split(",")
    .map((group) => group.trim())
    .filter((group) => group !== "");
  if (!groups.every((group) => EXTRA_GROUP.test(group))) return undefined;
  return { name: `system:bootstrap:${id}`, groups: [...new Set(["system:bootstrappers", ...groups]), AUTHENTICATED] };
}

function equal(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)];
  return left.length === right.length && timingSafeEqual(left, right);
}
