import { randomBytes, randomInt } from "node:crypto";
import { join } from "node:path";
import type { Clock } from "#base/clock.ts";
import { readIfThere, writeFileAtomic } from "#base/node/files.ts";
import { type Ca, createCa, loadCa } from "#pki/certificate.ts";
import { createKey, type KeyMaterial, parseKey } from "#pki/key.ts";

const TOKEN_ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789";

const CA_DAYS = 3650;

/** The cluster's CA below `<dir>/pki`, made on first use. */
export async function ensureClusterCa(dir: string, clock: Clock): Promise<Ca> {
  const [certFile, keyFile] = [join(dir, "pki", "ca.crt"), join(dir, "pki", "ca.key")];
  const [certPem, keyPem] = await Promise.all([readIfThere(certFile), readIfThere(keyFile)]);
  if (certPem !== undefined && keyPem !== undefined) return loadCa({ certPem, keyPem });
  const ca = await createCa({ cn: `navarch-ca-${randomBytes(4).toString("hex")}`, days: CA_DAYS, now: clock.now() });
  await writeFileAtomic(keyFile, ca.keyPem);
  await writeFileAtomic(certFile, ca.certPem, { mode: 0o644 });
  return ca;
}

/** Signs service account tokens; kept, so that tokens outlive the server. */
export async function ensureServiceAccountKey(dir: string): Promise<KeyMaterial> {
  const file = join(dir, "pki", "sa.key");
  const known = await readIfThere(file);
  if (known !== undefined) return parseKey(known);
  const key = await createKey();
  await writeFileAtomic(file, key.keyPem);
  return key;
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
