/**
 * Makes the schema table and the TypeScript types from the Go sources of the published API definitions.
 *
 * Usage: npm run gen -- DIR ORIGIN
 *   DIR     a directory that holds `api/`, `apimachinery/` and `apiextensions-apiserver/` (the k8s.io modules of one release)
 *   ORIGIN  what to record as the source, such as "k8s.io/api 0.36.4"
 */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { buildTable } from "./build-table.ts";
import { parseGoTypes } from "./go-types.ts";
import { APIREGISTRATION, PACKAGES } from "./packages.ts";
import { renderTypes } from "./render-types.ts";

const [dir, origin] = process.argv.slice(2);
if (dir === undefined || origin === undefined) {
  console.error('Cannot generate the schema table: arguments are missing, wanted "npm run gen -- DIR ORIGIN"');
  process.exit(2);
}

const sources = await Promise.all(
  PACKAGES.map(async (api) => ({
    api,
    go: parseGoTypes(
      api.files.length === 0 ? [APIREGISTRATION] : await Promise.all(api.files.map((f) => readFile(join(dir, api.dir, f), "utf8"))),
    ),
  })),
);
const table = buildTable(sources, origin);
await writeFile("src/machinery/schema/table.generated.json", `${JSON.stringify(table)}\n`);
for (const api of PACKAGES) await writeFile(`src/machinery/api/${api.module}.ts`, renderTypes(table, api, PACKAGES));
console.log(`${Object.keys(table.types).length} types, ${Object.keys(table.kinds).length} kinds`);
