import { describe, expect, test } from "vitest";
import * as names from "./names.ts";

const LABEL =
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const SUBDOMAIN =
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const KEY =
  "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
const VALUE =
  "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
const LABEL_1035 =
  "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')";
const CONFIG_KEY =
  "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')";

const RULES: Readonly<Record<string, names.NameRule>> = { ...names } as never;

describe("name rules", () => {
  test.each([
    ["isDns1123Label", "my-name", []],
    ["isDns1123Label", "1-a", []],
    ["isDns1123Label", "My", [LABEL]],
    ["isDns1123Label", "-a", [LABEL]],
    ["isDns1123Label", "", [LABEL]],
    ["isDns1123Label", "a.b", ["must not contain dots"]],
    ["isDns1123Label", "a".repeat(64), ["must be no more than 63 characters"]],
    ["isDns1123Label", "a\n", [LABEL]],
    ["isDns1123Subdomain", "a.b-c.1", []],
    ["isDns1123Subdomain", "a..b", [SUBDOMAIN]],
    ["isDns1123Subdomain", "a_b", [SUBDOMAIN]],
    ["isDns1123Subdomain", "a".repeat(254), ["must be no more than 253 characters"]],
    ["isDns1035Label", "a1", []],
    ["isDns1035Label", "1a", [LABEL_1035]],
    ["isLabelKey", "app", []],
    ["isLabelKey", "example.com/App_1", []],
    ["isLabelKey", "", ["name part must be non-empty", `name part ${KEY}`]],
    ["isLabelKey", "/a", ["prefix part must be non-empty"]],
    ["isLabelKey", "B/a", [`prefix part ${SUBDOMAIN}`]],
    ["isLabelKey", `${"a".repeat(254)}/b`, ["prefix part must be no more than 253 bytes"]],
    ["isLabelKey", "a/b/c", [`a valid label key ${KEY} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')`]],
    ["isLabelKey", "a".repeat(64), ["name part must be no more than 63 bytes"]],
    ["isLabelValue", "", []],
    ["isLabelValue", "a b", [VALUE]],
    ["isLabelValue", "ä".repeat(32), ["must be no more than 63 bytes", VALUE]],
    ["isConfigMapKey", "a.b_C-1", []],
    ["isConfigMapKey", "a/b", [CONFIG_KEY]],
    ["isConfigMapKey", "..", ["must not be '..'"]],
    ["isConfigMapKey", "..a", ["must not start with '..'"]],
    ["isRelaxedEnvVarName", "1 a!", []],
    ["isRelaxedEnvVarName", "a=b", ["a valid environment variable name must consist only of printable ASCII characters other than '='"]],
    ["isRelaxedEnvVarName", "", ["environment variable name must be non-empty"]],
    ["isPortName", "http", []],
    ["isPortName", "a--b", ["must not contain consecutive hyphens"]],
    ["isPortName", "-1", ["must contain at least one letter (a-z)", "must not begin or end with a hyphen"]],
    [
      "isPortName",
      "HTTP",
      ["must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)", "must contain at least one letter (a-z)"],
    ],
    ["isPortName", "averyveryverylong", ["must be no more than 15 characters"]],
    ["isPathSegmentName", "system:a", []],
    ["isPathSegmentName", "..", ["may not be '..'"]],
    ["isPathSegmentName", "a/b%", ["may not contain '/'", "may not contain '%'"]],
    [
      "isHttpHeaderName",
      "X Y",
      [
        "a valid HTTP header must consist of alphanumeric characters or '-' (e.g. 'X-Header-Name', regex used for validation is '[-A-Za-z0-9]+')",
      ],
    ],
    ["isPercent", "50%", []],
    ["isWildcardDns1123Subdomain", "*.example.com", []],
  ] as const)("%s(%j)", (rule, value, expected) => {
    expect(RULES[rule]?.(value)).toEqual(expected);
  });

  test("isPortNumber() and isUserId() give the range", () => {
    expect(names.isPortNumber(0)).toEqual(["must be between 1 and 65535, inclusive"]);
    expect(names.isPortNumber(65535)).toEqual([]);
    expect(names.isUserId(-1)).toEqual(["must be between 0 and 2147483647, inclusive"]);
  });

  test("asPrefix() lets a trailing dash stand for the suffix", () => {
    expect(names.asPrefix(names.isDns1123Subdomain)("web-")).toEqual([]);
    expect(names.asPrefix(names.isDns1123Subdomain)("Web-")).toEqual([SUBDOMAIN]);
  });
});
