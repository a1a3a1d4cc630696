import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "vitest";

/** Compares `text` with the golden file beside the test; `npm run golden` rewrites it. */
export function expectGolden(testUrl: string, name: string, text: string): void {
  const path = fileURLToPath(new URL(`testdata/${name}`, testUrl));
  if (process.env["UPDATE_GOLDEN"] === "1") {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  }
  expect(text).toBe(readFileSync(path, "utf8"));
}
