import { expect, test } from "vitest";
import { createClaims } from "./claims.ts";
import type { Unit } from "./ruleset.ts";

const unit = (name: string, ...keys: readonly string[]): Unit => ({
  sets: [],
  chains: [],
  elements: keys.map((key) => ({ map: "service-ips", key, verdict: `goto ext-${name}` })),
});
const keysOf = (settled: ReadonlyMap<string, Unit | undefined>) =>
  Object.fromEntries([...settled].map(([name, found]) => [name, found?.elements.map(({ key }) => key)]));

test("the first to claim an address has it, and the next gets it when it lets go", () => {
  const claims = createClaims();
  expect(keysOf(claims.settle(new Map([["a", unit("a", "203.0.113.1 . tcp . 80")]])))).toEqual({ a: ["203.0.113.1 . tcp . 80"] });
  expect(keysOf(claims.settle(new Map([["b", unit("b", "203.0.113.1 . tcp . 80", "203.0.113.2 . tcp . 80")]])))).toEqual({
    b: ["203.0.113.2 . tcp . 80"],
  });
  expect(keysOf(claims.settle(new Map([["a", undefined]])))).toEqual({
    a: undefined,
    b: ["203.0.113.1 . tcp . 80", "203.0.113.2 . tcp . 80"],
  });
});

test("an owner that changes keeps its place before those who wait", () => {
  const claims = createClaims();
  claims.settle(new Map([["a", unit("a", "x")], ["b", unit("b", "x")]])); // biome-ignore format: one glance
  expect(keysOf(claims.settle(new Map([["a", unit("a2", "x")]])))).toEqual({ a: ["x"] });
});

test("two that change hands in one change end with one owner each", () => {
  const claims = createClaims();
  claims.settle(new Map([["a", unit("a", "x")], ["b", unit("b", "y")]])); // biome-ignore format: one glance
  expect(keysOf(claims.settle(new Map([["a", unit("a", "y")], ["b", unit("b", "x")]])))).toEqual({ a: ["y"], b: ["x"] }); // biome-ignore format: one glance
});

test("elements of sets are shared", () => {
  const claims = createClaims();
  const hairpin: Unit = { sets: [], chains: [], elements: [{ map: "hairpin", key: "10.0.1.2 . 10.0.1.2" }] };
  expect(keysOf(claims.settle(new Map([["a", hairpin], ["b", hairpin]])))).toEqual({ a: ["10.0.1.2 . 10.0.1.2"], b: ["10.0.1.2 . 10.0.1.2"] }); // biome-ignore format: one glance
});
