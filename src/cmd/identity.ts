import { randomBytes, randomInt } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { hasCode, writeFileAtomic } from "#base/node/files.ts";
import { createCa } from "#pki/ca.ts";

const TOKEN_ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789";

export interface ClusterCa {
  readonly cert: string;
  readonly key: string;
}

/** The cluster's CA below `<dir>/pki`, made on first use. */
export async function ensureClusterCa(dir: string): Promise<ClusterCa> {
  const [certFile, keyFile] = [join(dir, "pki", "ca.crt"), join(dir, "pki", "ca.key")];
  const [cert, key] = await Promise.all([readIfThere(certFile), readIfThere(keyFile)]);
  if (cert !== undefined && key !== undefined) return { cert, key };
  const ca = await createCa({ commonName: `navarch-ca-${randomBytes(4).toString("hex")}` });
  await writeFileAtomic(keyFile, ca.key);
  await writeFileAtomic(certFile, ca.cert, { mode: 0o644 });
  return ca;
}

/** The cluster's join token, `<6 characters>.<16 characters>` as kubeadm's, made on first use. */
export async function ensureJoinToken(file: string): Promise<string> {
  const known = await readIfThere(file);
  if (known !== undefined) return known.trim();
  const text = (length: number) => Array.from({ length }, () => TOKEN_ALPHABET[randomInt(TOKEN_ALPHABET.length)]).join("");
  const token = `${text(6)}.${text(16)}`;
  await writeFileAtomic(file, `${token}\n`);
  return token;
}

export async function readIfThere(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, "utf8");
  } catch (cause) {
    if (hasCode(cause, "ENOENT", "ENOTDIR")) return undefined;
    throw cause;
  }
}
