import { expect, test } from "vitest";
import { checkFile } from "./check-layers.ts";

const rules = {
  layers: { base: [], store: ["base"], proxy: ["base"] },
  pure: ["(^|/)render\\.ts$"],
  impure: [["clock", "\\bDate\\.now\\("]] as const,
};

test.each([
  { name: "a lower layer", path: "store/a.ts", text: 'import { x } from "#base/x.ts";', problems: [] },
  {
    name: "a forbidden layer",
    path: "store/a.ts",
    text: '\nimport { x } from "#proxy/x.ts";',
    problems: ['src/store/a.ts:2: layer "store" imports "proxy", wanted one of: base'],
  },
  {
    name: "two folders up",
    path: "proxy/nft/a.ts",
    text: 'import { x } from "../../base/x.ts";',
    problems: ['src/proxy/nft/a.ts:1: import "../../base/x.ts" goes up two folders, wanted "#layer/..."'],
  },
  {
    name: "a clock in a pure file",
    path: "proxy/nft/render.ts",
    text: "const t = Date.now();",
    problems: ["src/proxy/nft/render.ts:1: pure file uses clock"],
  },
  { name: "a clock named in a comment of a pure file", path: "proxy/nft/render.ts", text: "// Date.now() is forbidden", problems: [] },
])("checkFile() with $name", ({ path, text, problems }) => {
  expect(checkFile(path, text, rules)).toEqual(problems);
});
