import "reflect-metadata";
import { createPrivateKey, createPublicKey, generateKeyPair, type KeyObject, webcrypto } from "node:crypto";
import { promisify } from "node:util";

const generate = promisify(generateKeyPair);

/** A private key and what is derived from it. Everything here is ECDSA P-256. */
export interface KeyMaterial {
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
  /** SEC 1 (`EC PRIVATE KEY`), which kubeconfig readers and Go's TLS take. */
  readonly keyPem: string;
}

/** A new key, made off the event loop. */
export async function createKey(): Promise<KeyMaterial> {
  const { privateKey, publicKey } = await generate("ec", { namedCurve: "P-256" });
  return { privateKey, publicKey, keyPem: exportKey(privateKey) };
}

/** Reads a private key in PEM (PKCS #8 or SEC 1). Throws when it is none. */
export function parseKey(keyPem: string): KeyMaterial {
  const privateKey = createPrivateKey(keyPem);
  return { privateKey, publicKey: createPublicKey(privateKey), keyPem };
}

function exportKey(key: KeyObject): string {
  return key.export({ type: "sec1", format: "pem" }).toString();
}

export const SIGNING = { name: "ECDSA", hash: "SHA-256" } as const;
const P256 = { name: "ECDSA", namedCurve: "P-256" } as const;

/** The pair as WebCrypto has it, for the certificate builder. */
export async function webPair(key: KeyMaterial): Promise<CryptoKeyPair> {
  const [privateKey, publicKey] = await Promise.all([
    webcrypto.subtle.importKey("pkcs8", key.privateKey.export({ type: "pkcs8", format: "der" }), P256, true, ["sign"]),
    webcrypto.subtle.importKey("spki", key.publicKey.export({ type: "spki", format: "der" }), P256, true, ["verify"]),
  ]);
  return { privateKey, publicKey };
}

type CryptoKeyPair = webcrypto.CryptoKeyPair;
