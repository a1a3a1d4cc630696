/**
 * Collects the field descriptions for `kubectl explain` from the declarations of @kubernetes/client-node:
 * `tsx scripts/gen-descriptions.ts dist/descriptions.json`. They are read at build time and never committed.
 */
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import table from "../src/machinery/schema/table.generated.json" with { type: "json" };

const MODELS = "node_modules/@kubernetes/client-node/dist/gen/models";

type Texts = Record<string, string>;

/** Field -> description of one declared class; the empty field is the class. */
export function readModel(source: string): Texts {
  const texts: Texts = {};
  const pattern = /\/\*\*\n((?:\s*\*[^\n]*\n)*?)\s*\*\/\n\s*(?:export declare class (\w+)|'([^']+)'\??:)/g;
  for (const [, comment = "", className, field] of source.matchAll(pattern)) {
    const text = comment
      .split("\n")
      .map((line) => line.replace(/^\s*\*\s?/, "").trimEnd())
      .filter((line) => line !== "")
      .join(" ")
      .replaceAll(/\\(['"`\\])/g, "$1");
    if (text !== "") texts[className === undefined ? (field ?? "") : ""] = text;
  }
  return texts;
}

/** `io.k8s.api.core.v1.Event` is called CoreV1Event or V1Event there. */
export function classNames(typeName: string): readonly string[] {
  const [name = "", version = "", group = ""] = typeName.split(".").toReversed();
  const capital = (text: string) => text.charAt(0).toUpperCase() + text.slice(1);
  return [`${capital(group)}${capital(version)}${name}`, `${capital(version)}${name}`, name];
}

async function main(target: string): Promise<void> {
  const files = new Set((await readdir(MODELS)).filter((file) => file.endsWith(".d.ts")));
  const descriptions: Record<string, Texts> = {};
  let found = 0;
  for (const typeName of Object.keys(table.types)) {
    const file = classNames(typeName)
      .map((name) => `${name}.d.ts`)
      .find((name) => files.has(name));
    if (file === undefined) continue;
    found++;
    descriptions[typeName] = readModel(await readFile(join(MODELS, file), "utf8"));
  }
  await writeFile(target, JSON.stringify(descriptions));
  console.log(`${target}: descriptions of ${found} of ${Object.keys(table.types).length} types`);
}

const [, script = "", target] = process.argv;
if (script.endsWith("gen-descriptions.ts")) await main(target ?? "dist/descriptions.json");
