/**
 * Enforces `layers.json`: who may import whom, relative imports that stay inside a layer and go up at most one folder,
 * and files that must be pure. Prints each violation as `file:line: reason`; exits 1 when there is one.
 */
import { readFile } from "node:fs/promises";
import { glob } from "./glob.ts";

interface Layers {
  readonly layers: Readonly<Record<string, readonly string[]>>;
  readonly pure: readonly string[];
  readonly impure: readonly (readonly [string, string])[];
}

/** Complaints about one source file; `path` is relative to `src`. */
export function checkFile(path: string, text: string, rules: Layers): string[] {
  const problems: string[] = [];
  const layer = path.split("/")[0] ?? "";
  const allowed = rules.layers[layer];
  const isTest = path.endsWith(".test.ts") || /(^|\/)(testing|conformance)\.ts$/.test(path);
  const isPure = !isTest && rules.pure.some((pattern) => new RegExp(pattern).test(path));
  const report = (line: number, reason: string) => problems.push(`src/${path}:${line + 1}: ${reason}`);

  for (const [index, line] of text.split("\n").entries()) {
    const target = /(?:from|import\()\s*"([^"]+)"/.exec(line)?.[1];
    if (target?.startsWith("#") === true) {
      const other = target.slice(1).split("/")[0] ?? "";
      if (allowed === undefined && path.includes("/")) report(index, `layer "${layer}" is not listed in layers.json`);
      else if (path.includes("/") && other !== layer && !isTest && !allowed?.includes(other))
        report(index, `layer "${layer}" imports "${other}", wanted one of: ${allowed?.join(", ")}`);
    }
    if (target?.startsWith("../../") === true) report(index, `import "${target}" goes up two folders, wanted "#layer/..."`);
    if (isPure && !line.trimStart().startsWith("*") && !line.trimStart().startsWith("//"))
      for (const [what, pattern] of rules.impure) if (new RegExp(pattern).test(line)) report(index, `pure file uses ${what}`);
  }
  return problems;
}

if (process.argv[1]?.endsWith("check-layers.ts") === true) {
  const rules = JSON.parse(await readFile("layers.json", "utf8")) as Layers;
  const files = await glob("src", ".ts");
  const problems = (
    await Promise.all(files.map(async (file) => checkFile(file.slice("src/".length), await readFile(file, "utf8"), rules)))
  ).flat();
  for (const problem of problems) console.error(problem);
  console.log(`layers: ${files.length} files, ${problems.length} violations`);
  process.exit(problems.length === 0 ? 0 : 1);
}
