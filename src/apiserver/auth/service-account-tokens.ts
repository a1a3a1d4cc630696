import { createHash, type KeyObject } from "node:crypto";
import { exportJWK, type JWK, jwtVerify, SignJWT } from "jose";
import { JOSEError } from "jose/errors";
import type { Clock } from "#base/clock.ts";
import { NodeKind } from "#kinds/core/node.ts";
import { PodKind } from "#kinds/core/pod.ts";
import { SecretKind } from "#kinds/core/secret.ts";
import { ServiceAccountKind } from "#kinds/core/service-account.ts";
import type { KeyMaterial } from "#pki/key.ts";
import type { Objects } from "../objects.ts";
import { serviceAccountUser, type User } from "./user.ts";

/** What a token stands for, besides its service account. */
export interface BoundTo {
  readonly kind: "Pod" | "Secret" | "Node";
  readonly name: string;
  readonly uid: string;
}

export interface TokenGrant {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly audiences: readonly string[];
  readonly expirationSeconds: number;
  readonly boundTo?: BoundTo;
  /** Node of the pod the token is bound to. */
  readonly node?: { readonly name: string; readonly uid: string };
  readonly id: string;
}

export interface TokenVerdict {
  readonly user: User;
  readonly audiences: readonly string[];
}

export interface ServiceAccountTokens {
  readonly issuer: string;
  /** Audience of tokens that name none. */
  readonly apiAudience: string;
  sign(grant: TokenGrant): Promise<string>;
  /**
   * The user of a token that we have signed, that is in its time, whose objects still exist and that is for one of `audiences`; undefined
   * for a token that is somebody else's; throws InvalidTokenError for ours when it must not be used.
   */
  verify(token: string, audiences: readonly string[]): Promise<TokenVerdict | undefined>;
  /** The public key as /openid/v1/jwks has it. */
  jwks(): Promise<{ readonly keys: readonly JWK[] }>;
}

/** One of our tokens, but expired, for others, or bound to something that is gone. */
export class InvalidTokenError extends Error {
  override readonly name = "InvalidTokenError";
}

export interface TokensDeps {
  readonly key: () => Promise<KeyMaterial>;
  readonly issuer: string;
  readonly clock: Clock;
  readonly objects: Objects;
}

interface Claims {
  readonly sub?: unknown;
  readonly aud?: unknown;
  readonly exp?: unknown;
  readonly nbf?: unknown;
  readonly jti?: unknown;
  readonly "kubernetes.io"?: {
    readonly namespace?: string;
    readonly serviceaccount?: ObjectClaim;
    readonly pod?: ObjectClaim;
    readonly secret?: ObjectClaim;
    readonly node?: ObjectClaim;
  };
}
interface ObjectClaim {
  readonly name?: string;
  readonly uid?: string;
}

/** Signatures checked already, by token: checking costs more than everything else a small request does. */
const CACHED = 4096;

export function createServiceAccountTokens({ key, issuer, clock, objects }: TokensDeps): ServiceAccountTokens {
  const checked = new Map<string, Claims>();

  return {
    issuer,
    apiAudience: issuer,
    async sign({ namespace, name, uid, audiences, expirationSeconds, boundTo, node, id }) {
      const now = Math.floor(clock.now() / 1000);
      const { privateKey, publicKey } = await key();
      const claims = {
        "kubernetes.io": {
          namespace,
          ...(node === undefined ? {} : { node }),
          ...(boundTo === undefined ? {} : { [boundTo.kind.toLowerCase()]: { name: boundTo.name, uid: boundTo.uid } }),
          serviceaccount: { name, uid },
        },
      };
      return new SignJWT(claims)
        .setProtectedHeader({ alg: "ES256", kid: keyIdOf(publicKey) })
        .setIssuer(issuer)
        .setSubject(`system:serviceaccount:${namespace}:${name}`)
        .setAudience([...audiences])
        .setIssuedAt(now)
        .setNotBefore(now)
        .setExpirationTime(now + expirationSeconds)
        .setJti(id)
        .sign(privateKey);
    },
    async verify(token, audiences) {
      if (token.split(".").length !== 3 || issuerOf(token) !== issuer) return undefined;
      const claims = checked.get(token) ?? (await checkSignature(token));
      const now = clock.now() / 1000;
      if (typeof claims.exp !== "number" || claims.exp <= now) throw new InvalidTokenError("service account token has expired");
      if (typeof claims.nbf === "number" && claims.nbf > now + 60) throw new InvalidTokenError("service account token is not valid yet");
      const own = typeof claims.aud === "string" ? [claims.aud] : Array.isArray(claims.aud) ? (claims.aud as string[]) : [];
      const common = audiences.filter((audience) => own.includes(audience));
      if (common.length === 0) throw new InvalidTokenError("token audiences are not in the target audiences");
      return { user: await userOf(claims), audiences: common };
    },
    async jwks() {
      const { publicKey } = await key();
      return { keys: [{ use: "sig", ...(await exportJWK(publicKey)), kid: keyIdOf(publicKey), alg: "ES256" }] };
    },
  };

  async function checkSignature(token: string): Promise<Claims> {
    try {
      const { payload } = await jwtVerify(token, (await key()).publicKey, {
        issuer,
        algorithms: ["ES256"],
        currentDate: new Date(clock.now()),
        clockTolerance: 60,
      });
      if (checked.size >= CACHED) {
        const oldest = checked.keys().next().value;
        if (oldest !== undefined) checked.delete(oldest);
      }
      checked.set(token, payload);
      return payload;
    } catch (cause) {
      if (cause instanceof JOSEError) throw new InvalidTokenError(cause.message, { cause });
      throw cause;
    }
  }

  /** Everything the token is bound to must still be there, with the same uid. */
  async function userOf(claims: Claims): Promise<User> {
    const { namespace = "", serviceaccount, pod, secret, node } = claims["kubernetes.io"] ?? {};
    const name = serviceaccount?.name ?? "";
    const account = await objects.get(ServiceAccountKind, namespace, name);
    if (account === undefined || account.metadata.uid !== serviceaccount?.uid) {
      throw new InvalidTokenError("service account has been deleted or recreated");
    }
    if (secret !== undefined) {
      const found = await objects.get(SecretKind, namespace, secret.name ?? "");
      if (found?.metadata.uid !== secret.uid) throw new InvalidTokenError("service account token has been invalidated");
    }
    if (pod !== undefined) {
      const found = await objects.get(PodKind, namespace, pod.name ?? "");
      if (found?.metadata.uid !== pod.uid) throw new InvalidTokenError("service account token has been invalidated");
    } else if (node !== undefined) {
      const found = await objects.get(NodeKind, undefined, node.name ?? "");
      if (found?.metadata.uid !== node.uid) throw new InvalidTokenError("service account token has been invalidated");
    }
    const extra: Record<string, readonly string[]> = {};
    if (typeof claims.jti === "string") extra["authentication.kubernetes.io/credential-id"] = [`JTI=${claims.jti}`];
    if (pod !== undefined) {
      extra["authentication.kubernetes.io/pod-name"] = [pod.name ?? ""];
      extra["authentication.kubernetes.io/pod-uid"] = [pod.uid ?? ""];
    }
    if (node !== undefined) {
      extra["authentication.kubernetes.io/node-name"] = [node.name ?? ""];
      extra["authentication.kubernetes.io/node-uid"] = [node.uid ?? ""];
    }
    return serviceAccountUser(namespace, name, account.metadata.uid, extra);
  }
}

/** Read without checking, to tell our tokens from others. */
function issuerOf(token: string): string | undefined {
  try {
    const { iss } = JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString()) as { readonly iss?: unknown };
    return typeof iss === "string" ? iss : undefined;
  } catch (cause) {
    if (cause instanceof SyntaxError) return undefined;
    throw cause;
  }
}

function keyIdOf(publicKey: KeyObject): string {
  return createHash("sha256")
    .update(publicKey.export({ type: "spki", format: "der" }))
    .digest("base64url");
}
