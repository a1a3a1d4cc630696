import { expect, test } from "vitest";
import { formatRule } from "./ruleset.ts";

const backends = (count: number) => Array.from({ length: count }, (_, i) => ({ ip: `10.0.1.${i + 1}`, port: 8080 }));

test("formatRule() gives each of a few backends the same chance, one after the other", () => {
  const lines = formatRule({ match: [{ on: "l4proto", is: "TCP" }], action: { do: "dnat", to: backends(3) }, comment: "web" }, "ip");

  expect(lines).toEqual([
    'meta l4proto tcp numgen random mod 3 0 dnat to 10.0.1.1:8080 comment "web"',
    'meta l4proto tcp numgen random mod 2 0 dnat to 10.0.1.2:8080 comment "web"',
    'meta l4proto tcp dnat to 10.0.1.3:8080 comment "web"',
  ]);
});

test("formatRule() chooses among many backends by a map", () => {
  const lines = formatRule({ match: [], action: { do: "dnat", to: backends(9) } }, "ip");

  expect(lines).toEqual([
    expect.stringMatching(/^dnat ip to numgen random mod 9 map { 0 : 10\.0\.1\.1 \. 8080, .* 8 : 10\.0\.1\.9 \. 8080 }$/),
  ]);
});

test("formatRule() chooses among chains in the same two ways", () => {
  const chains = (count: number) => Array.from({ length: count }, (_, i) => `ep-${i}`);

  expect(formatRule({ match: [], action: { do: "goto one of", chains: chains(2) } }, "ip")).toEqual([
    "numgen random mod 2 0 goto ep-0",
    "goto ep-1",
  ]);
  expect(formatRule({ match: [], action: { do: "goto one of", chains: chains(9) } }, "ip")).toEqual([
    expect.stringMatching(/^numgen random mod 9 vmap { 0 : goto ep-0, .* 8 : goto ep-8 }$/),
  ]);
});
