// Bundles the command line into dist/: one entry, split along its dynamic imports, and the control plane's worker; beside them
// the texts of `kubectl explain`.
// Native packages and those that load files of their own stay in node_modules.
import { execFile } from "node:child_process";
import { chmod, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { build } from "esbuild";

const root = new URL("..", import.meta.url).pathname;
process.chdir(root);

if (process.argv.includes("--if-stale") && !(await isStale())) process.exit(0);

const started = Date.now();
const { version } = JSON.parse(await readFile("package.json", "utf8"));
await rm("dist", { recursive: true, force: true });
await build({
  entryPoints: { navarch: "src/cmd/navarch.ts", "control-worker": "src/cmd/control-worker.ts", index: "src/index.ts" },
  outdir: "dist",
  bundle: true,
  splitting: true,
  format: "esm",
  platform: "node",
  target: "node20",
  sourcemap: "linked",
  legalComments: "none",
  define: { "process.env.NAVARCH_VERSION": JSON.stringify(version) },
  external: ["lmdb"],
  loader: { ".json": "json" },
  banner: { js: 'import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);' },
  logLevel: "warning",
});
await chmod("dist/navarch.js", 0o755);
await promisify(execFile)(process.execPath, ["--import", "tsx", "scripts/gen-descriptions.ts", "dist/descriptions.json"]);
await writeFile("dist/.built", new Date().toISOString());
console.log(`built dist/ in ${Date.now() - started} ms`);

/** Whether a source is newer than the last build. */
async function isStale() {
  let builtAt;
  try {
    builtAt = (await stat("dist/.built")).mtimeMs;
  } catch (cause) {
    if (cause.code !== "ENOENT") throw cause;
    return true;
  }
  const folders = ["src", "examples"];
  for (const folder of folders)
    for (const entry of await readdir(folder, { recursive: true, withFileTypes: true }))
      if (entry.isFile() && (await stat(join(entry.parentPath, entry.name))).mtimeMs > builtAt) return true;
  return (await stat("package.json")).mtimeMs > builtAt;
}
