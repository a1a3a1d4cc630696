import { expect, test } from "vitest";
import * as field from "./field-error.ts";
import { goQuote } from "./go-quote.ts";

test.each([
  [field.requiredField("spec.a"), "spec.a: Required value"],
  [field.requiredField("spec.a", "must be set"), "spec.a: Required value: must be set"],
  [field.invalidField("spec.a", "x\u0007\u007f", "no"), 'spec.a: Invalid value: "x\\a\\x7f": no'],
  [field.invalidField("spec.a", 5, "no"), "spec.a: Invalid value: 5: no"],
  [field.invalidField("spec.a", { b: [1] }, "no"), 'spec.a: Invalid value: {"b":[1]}: no'],
  [field.invalidField("spec.a", null, "no"), "spec.a: Invalid value: null: no"],
  [field.unsupportedField("spec.a", "x", ["A", "B"]), 'spec.a: Unsupported value: "x": supported values: "A", "B"'],
  [field.duplicateField("spec.a[1].name", "x"), 'spec.a[1].name: Duplicate value: "x"'],
  [field.forbiddenField("spec.a", "may not be set"), "spec.a: Forbidden: may not be set"],
  [field.notFoundField("spec.a", "v"), 'spec.a: Not found: "v"'],
  [field.tooLongField("spec.a", 63), "spec.a: Too long: may not be more than 63 bytes"],
  [field.tooLongField("spec.a", 1), "spec.a: Too long: may not be more than 1 byte"],
  [field.tooManyField("spec.a", 3, 2), "spec.a: Too many: 3: must have at most 2 items"],
  [field.tooManyField("spec.a", 2, 1), "spec.a: Too many: 2: must have at most 1 item"],
])("formatFieldError() gives upstream's words: %#", (error, expected) => {
  expect(field.formatFieldError(error)).toBe(expected);
});

test.each([
  ["plain ä 漢 😀", '"plain ä 漢 😀"'],
  ['a"b\\c', '"a\\"b\\\\c"'],
  ["\n\t\v\u0000\u007f", '"\\n\\t\\v\\x00\\x7f"'],
  ["\u00a0\u200b\u{e0001}", '"\\u00a0\\u200b\\U000e0001"'],
])("goQuote(%j)", (text, expected) => {
  expect(goQuote(text)).toBe(expected);
});
