import { expect, test } from "vitest";
import { missingPackages } from "./install.ts";
import { findMissing } from "./preflight.ts";

test("findMissing() looks in PATH and at absolute paths", async () => {
  const there = { program: "sh", debianPackage: "dash" };
  const absolute = { program: "/bin/sh", debianPackage: "dash" };
  const gone = { program: "no-such-program", debianPackage: "nothing" };
  const goneAbsolute = { program: "/no/such/program", debianPackage: "nothing" };
  expect(await findMissing([there, absolute, gone, goneAbsolute])).toEqual([gone, goneAbsolute]);
  expect(await missingPackages([there, gone, goneAbsolute])).toEqual(["nothing"]);
});
