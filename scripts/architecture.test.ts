import { existsSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";

const text = readFileSync("ARCHITECTURE.md", "utf8");
const links = [...text.matchAll(/\[(`([^`]+)`[^\]]*|[^\]]+)\]\(([^)]+)\)/g)].map((m) => ({
  label: m[1] ?? "",
  name: m[2],
  path: m[3] ?? "",
}));

test("ARCHITECTURE.md links the steps of the walk", () => {
  expect(links.length).toBeGreaterThan(15);
});

test.each(links)("ARCHITECTURE.md: $label leads to $path, which has that name in it", ({ name, path }) => {
  expect(existsSync(path), `${path} does not exist`).toBe(true);
  if (name !== undefined) expect(readFileSync(path, "utf8")).toContain(name.split(" ")[0]);
});
