import { realpathSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { readElfDynamics } from "./elf.ts";
import { elfDynamicsOf, readLibrarySearch, resolveLibraries } from "./libraries.ts";

const reader = (bytes: Buffer) => (offset: number, length: number) => Promise.resolve(bytes.subarray(offset, offset + length));

/** A header of 64 bytes with no program headers, changed by `edit`. */
function header(edit: (bytes: Buffer) => void = () => undefined): Buffer {
  const bytes = Buffer.alloc(64);
  bytes.write("\x7fELF\x02\x01\x01", "latin1");
  bytes.writeUInt16LE(56, 54);
  edit(bytes);
  return bytes;
}

describe("readElfDynamics()", () => {
  test("finds nothing to load in a file without segments", async () => {
    expect(await readElfDynamics(reader(header()))).toEqual({
      interpreter: undefined,
      needed: [],
      soname: undefined,
      rpath: [],
      runpath: [],
    });
  });

  test.each<[string, Buffer, string]>([
    ["a short file", Buffer.from("\x7fELF"), "its header is cut off"],
    ["another format", Buffer.alloc(64, 1), "it does not begin with the ELF magic number"],
    ["32 bits", header((bytes) => bytes.writeUInt8(1, 4)), "it is not 64-bit little-endian ELF"],
    ["missing program headers", header((bytes) => bytes.writeUInt16LE(3, 56)), "its program header table is cut off"],
    [
      "tiny program headers",
      header((bytes) => {
        bytes.writeUInt16LE(1, 56);
        bytes.writeUInt16LE(8, 54);
      }),
      "its program headers are 8 bytes long",
    ],
  ])("refuses %s", async (_, bytes, message) => {
    await expect(readElfDynamics(reader(bytes))).rejects.toThrow(message);
  });

  test("reads the program that runs this test", async () => {
    const elf = await elfDynamicsOf(realpathSync(process.execPath));
    expect(elf?.interpreter).toMatch(/ld-linux/);
    expect(elf?.needed).toContain("libc.so.6");
  });
});

test("resolveLibraries() follows libraries of libraries, each once, with the loader", async () => {
  const libraries = await resolveLibraries([process.execPath], await readLibrarySearch());
  const names = libraries.map(({ path }) => path.slice(path.lastIndexOf("/") + 1));
  expect(new Set(names).size).toBe(names.length);
  expect(names).toEqual(expect.arrayContaining(["libc.so.6", "libstdc++.so.6", "libm.so.6"]));
  expect(names.some((name) => name.startsWith("ld-linux"))).toBe(true);
});
