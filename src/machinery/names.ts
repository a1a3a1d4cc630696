/**
 * What names may look like. Every rule returns the complaints about `value` in upstream's words; an empty list means it is valid.
 * Lengths are counted in UTF-8 bytes.
 */
export type NameRule = (value: string) => string[];

const LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";
const LABEL_UNDERSCORE = "_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?";
const SUBDOMAIN = `${LABEL}(\\.${LABEL})*`;
const SUBDOMAIN_UNDERSCORE = `${LABEL_UNDERSCORE}(\\.${LABEL_UNDERSCORE})*`;
const LABEL_1035 = "[a-z]([-a-z0-9]*[a-z0-9])?";
const WILDCARD = `\\*\\.${SUBDOMAIN}`;
const KEY_NAME = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]";
const LABEL_VALUE = `(${KEY_NAME})?`;
const C_IDENTIFIER = "[A-Za-z_][A-Za-z0-9_]*";
const CONFIG_KEY = "[-._a-zA-Z0-9]+";
const HEADER = "[-A-Za-z0-9]+";
const PERCENT = "[0-9]+%";
const HTTP_PATH = "[A-Za-z0-9/\\-._~%!$&'()*+,;=:]+";

const LABEL_RE = whole(LABEL);
const SUBDOMAIN_RE = whole(SUBDOMAIN);
const SUBDOMAIN_UNDERSCORE_RE = whole(SUBDOMAIN_UNDERSCORE);
const LABEL_1035_RE = whole(LABEL_1035);
const WILDCARD_RE = whole(WILDCARD);
const KEY_NAME_RE = whole(KEY_NAME);
const LABEL_VALUE_RE = whole(LABEL_VALUE);
const C_IDENTIFIER_RE = whole(C_IDENTIFIER);
const CONFIG_KEY_RE = whole(CONFIG_KEY);
const HEADER_RE = whole(HEADER);
const PERCENT_RE = whole(PERCENT);
const HTTP_PATH_RE = whole(HTTP_PATH);

const SUBDOMAIN_TEXT =
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character";
const KEY_NAME_TEXT = "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character";

/** `my-name`: containers, namespaces, volumes, ... */
export const isDns1123Label: NameRule = (value) => {
  const errors = longerThan(value, 63, "characters");
  if (LABEL_RE.test(value)) return errors;
  if (SUBDOMAIN_RE.test(value)) return [...errors, "must not contain dots"];
  const text =
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character";
  return [...errors, regexError(text, LABEL, "my-name", "123-abc")];
};

/** `example.com`: most object names. */
export const isDns1123Subdomain: NameRule = (value) => subdomain(value, "characters");

/** Like a subdomain, each label may contain underscores. */
export const isDns1123SubdomainWithUnderscore: NameRule = (value) => {
  const text =
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '_', '-' or '.', and must start and end with an alphanumeric character";
  return [
    ...longerThan(value, 253, "characters"),
    ...unlessMatches(SUBDOMAIN_UNDERSCORE_RE, value, text, SUBDOMAIN_UNDERSCORE, "example.com"),
  ];
};

/** `my-name`, not starting with a digit: Services. */
export const isDns1035Label: NameRule = (value) => {
  const text =
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character";
  return [...longerThan(value, 63, "characters"), ...unlessMatches(LABEL_1035_RE, value, text, LABEL_1035, "my-name", "abc-123")];
};

/** `*.example.com`: hosts of an Ingress. */
export const isWildcardDns1123Subdomain: NameRule = (value) => {
  const text =
    "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character";
  return [...longerThan(value, 253, "characters"), ...unlessMatches(WILDCARD_RE, value, text, WILDCARD, "*.example.com")];
};

/** `example.com/MyName`, prefix optional: keys of labels, annotations, taints, finalizers, resources. */
export const isLabelKey: NameRule = (value) => {
  const parts = value.split("/");
  const nameError = regexError(KEY_NAME_TEXT, KEY_NAME, "MyName", "my.name", "123-abc");
  if (parts.length > 2) {
    return [`a valid label key ${nameError} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')`];
  }
  const errors: string[] = [];
  const [prefix, name = ""] = parts.length === 2 ? parts : [undefined, value];
  if (prefix === "") errors.push("prefix part must be non-empty");
  else if (prefix !== undefined) errors.push(...subdomain(prefix, "bytes").map((error) => `prefix part ${error}`));
  if (name === "") errors.push("name part must be non-empty");
  else errors.push(...longerThan(name, 63, "bytes").map((error) => `name part ${error}`));
  if (!KEY_NAME_RE.test(name)) errors.push(`name part ${nameError}`);
  return errors;
};

export const isLabelValue: NameRule = (value) => {
  const text =
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character";
  return [...longerThan(value, 63, "bytes"), ...unlessMatches(LABEL_VALUE_RE, value, text, LABEL_VALUE, "MyValue", "my_value", "12345")];
};

export const isCIdentifier: NameRule = (value) => {
  const text = "a valid C identifier must start with alphabetic character or '_', followed by a string of alphanumeric characters or '_'";
  return unlessMatches(C_IDENTIFIER_RE, value, text, C_IDENTIFIER, "my_name", "MY_NAME", "MyName");
};

/** What pods accept since 1.34: printable ASCII without `=`. */
export const isRelaxedEnvVarName: NameRule = (value) => {
  const errors = value === "" ? ["environment variable name must be non-empty"] : [];
  if (!/^[ -<>-~]*$/.test(value))
    errors.push("a valid environment variable name must consist only of printable ASCII characters other than '='");
  return errors;
};

/** IANA service names: named ports. */
export const isPortName: NameRule = (value) => {
  const errors = longerThan(value, 15, "characters");
  if (!/^[-a-z0-9]+$/.test(value)) errors.push("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)");
  if (!/[a-z]/.test(value)) errors.push("must contain at least one letter (a-z)");
  if (value.includes("--")) errors.push("must not contain consecutive hyphens");
  if (value.startsWith("-") || value.endsWith("-")) errors.push("must not begin or end with a hyphen");
  return errors;
};

export const isPortNumber = (port: number): string[] => isInRange(port, 1, 65535);

export const isInRange = (value: number, min: number, max: number): string[] =>
  value >= min && value <= max ? [] : [`must be between ${min} and ${max}, inclusive`];

/** User and group ids. */
export const isUserId = (id: number): string[] => isInRange(id, 0, 2147483647);

/** Keys of `data` in ConfigMaps and Secrets. */
export const isConfigMapKey: NameRule = (value) => {
  const text = "a valid config key must consist of alphanumeric characters, '-', '_' or '.'";
  return [
    ...longerThan(value, 253, "characters"),
    ...unlessMatches(CONFIG_KEY_RE, value, text, CONFIG_KEY, "key.name", "KEY_NAME", "key-name"),
    ...dotPrefix(value),
  ];
};

export const isHttpHeaderName: NameRule = (value) =>
  unlessMatches(HEADER_RE, value, "a valid HTTP header must consist of alphanumeric characters or '-'", HEADER, "X-Header-Name");

export const isPercent: NameRule = (value) =>
  unlessMatches(PERCENT_RE, value, "a valid percent string must be a numeric string followed by an ending '%'", PERCENT, "1%", "93%");

/** Names that stand in a URL path and follow no other rule: RBAC objects. */
export const isPathSegmentName: NameRule = (value) => {
  if (value === "." || value === "..") return [`may not be '${value}'`];
  return ["/", "%"].filter((text) => value.includes(text)).map((text) => `may not contain '${text}'`);
};

/** The path after the domain in `acme.io/foo`. */
export const isHttpPath: NameRule = (value) => unlessMatches(HTTP_PATH_RE, value, "Invalid path", HTTP_PATH);

/** Any rule, for a `generateName`: a trailing dash stands for the suffix to come. */
export function asPrefix(rule: NameRule): NameRule {
  return (value) => rule(value.endsWith("-") ? `${value.slice(0, -1)}a` : value);
}

/** `<text> (e.g. 'a',  or 'b', regex used for validation is '<regex>')`. */
export function regexError(text: string, regex: string, ...examples: readonly string[]): string {
  if (examples.length === 0) return `${text} (regex used for validation is '${regex}')`;
  return `${text} (e.g. ${examples.map((example) => `'${example}', `).join(" or ")}regex used for validation is '${regex}')`;
}

function subdomain(value: string, unit: "bytes" | "characters"): string[] {
  return [...longerThan(value, 253, unit), ...unlessMatches(SUBDOMAIN_RE, value, SUBDOMAIN_TEXT, SUBDOMAIN, "example.com")];
}

function unlessMatches(re: RegExp, value: string, text: string, regex: string, ...examples: readonly string[]): string[] {
  return re.test(value) ? [] : [regexError(text, regex, ...examples)];
}

function longerThan(value: string, max: number, unit: "bytes" | "characters"): string[] {
  return value.length > max || Buffer.byteLength(value) > max ? [`must be no more than ${max} ${unit}`] : [];
}

function dotPrefix(value: string): string[] {
  if (value === "." || value === "..") return [`must not be '${value}'`];
  return value.startsWith("..") ? ["must not start with '..'"] : [];
}

function whole(regex: string): RegExp {
  return new RegExp(`^(?:${regex})$`);
}
