// `npm run check`: types, lint, format, layers, unused code and unit tests, without root and in under a minute.
import { spawn } from "node:child_process";

const steps = [
  ["types", "npx", "tsc", "--noEmit"],
  ["lint", "npx", "oxlint", "--type-aware", "--deny-warnings"],
  ["format", "npx", "biome", "format", "."],
  ["layers", "npx", "tsx", "scripts/check-layers.ts"],
  ["unused", "npx", "knip"],
  ["build", "node", "scripts/build.mjs"],
  ["package", "npx", "publint", "--strict"],
  ["unit", "npx", "vitest", "run", "--project", "unit"],
];
const only = process.argv.slice(2);
const started = Date.now();
let failed = 0;
for (const [name, ...argv] of steps) {
  if (only.length > 0 && !only.includes(name)) continue;
  const begin = Date.now();
  const { code, output } = await run(argv);
  console.log(`${code === 0 ? "ok    " : "FAILED"} ${name} (${((Date.now() - begin) / 1000).toFixed(1)} s)`);
  if (code !== 0) {
    failed++;
    console.log(output);
  } else if (name === "unit") console.log(output.split("\n").slice(-7).join("\n"));
}
console.log(`check took ${((Date.now() - started) / 1000).toFixed(1)} s`);
process.exit(failed === 0 ? 0 : 1);

function run([program, ...args]) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    child.stdout.on("data", (chunk) => (output += chunk));
    child.stderr.on("data", (chunk) => (output += chunk));
    child.on("error", reject);
    child.on("close", (code) => resolve({ code, output }));
  });
}
