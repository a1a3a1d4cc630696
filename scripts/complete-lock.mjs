// Adds to package-lock.json the optional packages of other platforms that npm left out, which happens where the registry in use
// does not carry them: without their entries `npm ci` refuses the lock file. Run after every `npm install` that changes it.
import { readFile, writeFile } from "node:fs/promises";

const path = "package-lock.json";
const lock = JSON.parse(await readFile(path, "utf8"));
const CPUS = new Set(["x64", "arm64", "arm", "ia32", "ppc64", "riscv64", "s390x", "loong64", "mips64el"]);
let added = 0;

for (const [place, entry] of Object.entries(lock.packages)) {
  for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
    const nested = place === "" ? undefined : lock.packages[`${place}/node_modules/${name}`];
    if (nested !== undefined || lock.packages[`node_modules/${name}`] !== undefined) continue;
    if (!/^\d+\.\d+\.\d+/.test(version)) continue; // a range: npm finds by itself what satisfies it
    lock.packages[`node_modules/${name}`] = { version, ...platformOf(name), ...(entry.dev === true ? { dev: true } : {}), optional: true };
    added++;
  }
}
lock.packages = Object.fromEntries(Object.entries(lock.packages).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)));
await writeFile(path, `${JSON.stringify(lock, null, 2)}\n`);
console.log(`${added} packages of other platforms added`);

/** `@oxlint/binding-linux-arm-musleabihf` -> os linux, cpu arm, libc musl. */
function platformOf(name) {
  const parts = name.split("/").at(-1).split("-");
  const os = parts.find((part) =>
    ["android", "darwin", "win32", "freebsd", "openharmony", "linux", "aix", "netbsd", "openbsd", "sunos"].includes(part),
  );
  const cpu = parts.find((part) => CPUS.has(part));
  const libc = parts.some((part) => part.startsWith("musl")) ? "musl" : parts.some((part) => part.startsWith("gnu")) ? "glibc" : undefined;
  return {
    ...(cpu === undefined ? {} : { cpu: [cpu] }),
    ...(libc === undefined ? {} : { libc: [libc] }),
    ...(os === undefined ? {} : { os: [os] }),
  };
}
