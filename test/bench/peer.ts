import { type ChildProcess, spawn } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { mkdtemp, open, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createCa, issueCertificate } from "#pki/certificate.ts";
import { type Access, call, openSession } from "./http.ts";
import type { Bench } from "./part.ts";
import { freePort, stopProcess } from "./processes.ts";

export interface PeerPrograms {
  readonly apiserver: string;
  readonly etcd: string;
}

/** Upstream's programs, where the user has named them. */
export function peerPrograms(env: Readonly<Record<string, string | undefined>>): PeerPrograms | undefined {
  const { KUBE_APISERVER: apiserver = "", ETCD: etcd = "" } = env;
  return apiserver === "" || etcd === "" ? undefined : { apiserver, etcd };
}

const START_MS = 60_000;

/** kube-apiserver on an etcd of its own, on loopback, with the settings that ours has too: TLS, client certificates, RBAC. */
export async function startPeer({ directory, signal }: Bench, programs: PeerPrograms) {
  const home = await mkdtemp(join(directory, "peer-"));
  const children: ChildProcess[] = [];
  try {
    const access = await start();
    return { access, pids: children.map(({ pid }) => pid ?? 0), [Symbol.asyncDispose]: close };
  } catch (cause) {
    await close();
    throw cause;
  }

  async function start(): Promise<Access> {
    const [clientPort, peerPort, port] = [await freePort(), await freePort(), await freePort()];
    const now = Date.now();
    const ca = await createCa({ cn: "bench-ca", days: 1, now });
    const [serving, admin] = await Promise.all([
      issueCertificate({ ca, cn: "kube-apiserver", sans: ["localhost", "127.0.0.1"], usages: ["server"], days: 1, now }),
      issueCertificate({ ca, cn: "bench", orgs: ["system:masters"], usages: ["client"], days: 1, now }),
    ]);
    const accountKey = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey.export({ type: "pkcs1", format: "pem" });
    const file = async (name: string, content: string | Buffer) => {
      await writeFile(join(home, name), content, { mode: 0o600 });
      return join(home, name);
    };
    const keyFile = await file("service-accounts.key", accountKey);
    const etcdUrl = `http://127.0.0.1:${clientPort}`;
    const peerUrl = `http://127.0.0.1:${peerPort}`;
    await run(programs.etcd, "etcd", {
      "data-dir": join(home, "etcd"),
      "listen-client-urls": etcdUrl,
      "advertise-client-urls": etcdUrl,
      "listen-peer-urls": peerUrl,
      "initial-advertise-peer-urls": peerUrl,
      "initial-cluster": `default=${peerUrl}`,
    });
    await run(programs.apiserver, "kube-apiserver", {
      "etcd-servers": etcdUrl,
      "bind-address": "127.0.0.1",
      "secure-port": String(port),
      "tls-cert-file": await file("serving.crt", serving.certPem),
      "tls-private-key-file": await file("serving.key", serving.keyPem),
      "client-ca-file": await file("ca.crt", ca.certPem),
      "authorization-mode": "Node,RBAC",
      "service-account-issuer": "https://kubernetes.default.svc",
      "service-account-key-file": keyFile,
      "service-account-signing-key-file": keyFile,
      "service-cluster-ip-range": "10.43.0.0/16",
      "watch-cache": "true",
    });
    const access: Access = { url: `https://127.0.0.1:${port}`, ca: ca.certPem, cert: admin.certPem, key: admin.keyPem };
    await ready(access);
    return access;
  }

  async function run(program: string, name: string, flags: Readonly<Record<string, string>>): Promise<void> {
    const log = await open(join(home, `${name}.log`), "w");
    const argv = Object.entries(flags).map(([flag, value]) => `--${flag}=${value}`);
    const child = spawn(program, argv, { stdio: ["ignore", log.fd, log.fd] });
    children.push(child);
    await new Promise<void>((resolve, reject) => child.once("spawn", resolve).once("error", reject));
    await log.close();
  }

  async function ready(access: Access): Promise<void> {
    const until = performance.now() + START_MS;
    for (;;) {
      signal.throwIfAborted();
      for (const child of children)
        if (child.exitCode !== null || child.signalCode !== null)
          throw new Error(`Cannot start ${child.spawnfile}: ${await lastLines(child.spawnfile)}`);
      try {
        const session = await openSession(access);
        try {
          await call(session, { method: "GET", path: "/readyz" });
          return;
        } finally {
          session.destroy();
        }
      } catch (cause) {
        if (performance.now() > until) throw new Error("Cannot start kube-apiserver: it is not ready in time", { cause });
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    }
  }

  async function lastLines(program: string): Promise<string> {
    const name = program === programs.etcd ? "etcd" : "kube-apiserver";
    return (await readFile(join(home, `${name}.log`), "utf8")).split("\n").slice(-5).join("\n");
  }

  /** The API server first: it complains loudly about a store that went away. */
  async function close(): Promise<void> {
    for (const child of children.toReversed()) await stopProcess(child);
    await rm(home, { recursive: true, force: true });
  }
}
