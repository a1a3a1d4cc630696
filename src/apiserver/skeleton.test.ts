import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { apiVersionOf } from "#kinds/kind.ts";
import { KINDS } from "#kinds/registry.ts";
import type { KubeObject } from "#machinery/object.ts";
import { anyObject } from "#machinery/schema/testing.ts";
import { encodeObject } from "#machinery/schema/encode.ts";
import { decodeStored } from "./codec.ts";
import { decodeSkeleton } from "./skeleton.ts";

const bytesOf = (text: string) => new TextEncoder().encode(text);

describe("decodeSkeleton()", () => {
  test.each(KINDS.map((kind) => [`${kind.group}/${kind.version} ${kind.kind}`, kind] as const))(
    "%s: labels and selectable fields are those of the whole object",
    (_, kind) => {
      fc.assert(
        fc.property(fc.infiniteStream(fc.nat(1000)), (stream) => {
          const bytes = encodeObject(anyObject(kind.typeName, apiVersionOf(kind), kind.kind, () => stream.next().value ?? 0));
          const [whole, skeleton] = [decodeStored(bytes), decodeSkeleton(bytes) as KubeObject];
          expect([skeleton.metadata.name, skeleton.metadata.namespace, skeleton.metadata.labels]).toEqual([
            whole.metadata.name,
            whole.metadata.namespace,
            whole.metadata.labels,
          ]);
          expect(kind.strategy.fields?.(skeleton)).toEqual(kind.strategy.fields?.(whole));
        }),
        { numRuns: 20 },
      );
    },
  );

  test("is the object with empty lists, whatever is in its texts", () => {
    const withoutLists = (value: unknown): unknown => {
      if (Array.isArray(value)) return [];
      if (typeof value !== "object" || value === null) return value;
      return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, name === "podIPs" ? inner : withoutLists(inner)]));
    };
    const text = fc.oneof(fc.constantFrom('"', "\\", '\\"', "[", "]", "}", '"podIPs":', "ü€🙂", '["'), fc.string({ unit: "grapheme" }));
    const value = fc.letrec((tie) => ({
      any: fc.oneof({ depthSize: "medium" }, text, fc.constantFrom(null, true, -1.5e300), tie("object"), fc.array(tie("any"))),
      object: fc.dictionary(
        text.filter((name) => name !== "__proto__" && !name.endsWith('"podIPs')),
        tie("any"),
      ),
    })).object;
    fc.assert(
      fc.property(value, (object) => {
        expect(decodeSkeleton(bytesOf(JSON.stringify(object)))).toEqual(withoutLists(object));
      }),
      { numRuns: 500 },
    );
  });

  test("keeps the addresses of a pod", () => {
    const status = { conditions: [{ type: "Ready" }], podIPs: [{ ip: "10.0.1.2" }, { ip: "fd00::1" }] };
    expect(decodeSkeleton(bytesOf(JSON.stringify({ status })))).toEqual({ status: { ...status, conditions: [] } });
  });

  test("holds objects larger than any before", () => {
    const long = "x".repeat(100_000);
    expect(decodeSkeleton(bytesOf(JSON.stringify({ long, list: [long] })))).toEqual({ long, list: [] });
  });

  test.each(["", "k8s\0", "[]", "null", "1", '{"a":[', '{"a":[}]}', '{"a":["]}', '{"a":"b', '{"a":"\\"', '{"a":1', '{"a":[]}}'])(
    "refuses %j",
    (text) => {
      expect(() => decodeSkeleton(bytesOf(text))).toThrow(SyntaxError);
    },
  );
});
