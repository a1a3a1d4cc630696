import type { Secret } from "#machinery/api/core-v1.ts";
import { type FieldError, forbiddenField, invalidField, requiredField, tooLongField } from "#machinery/field-error.ts";
import { isConfigMapKey } from "#machinery/names.ts";
import { defineKind } from "../kind.ts";
import { ageColumn, column, nameColumn } from "../printing.ts";
import { type Errors, immutable, same } from "../validation.ts";
import { decodedBytes, MAX_DATA_BYTES } from "./config-map.ts";

export const SecretKind = defineKind<Secret>({
  group: "",
  version: "v1",
  kind: "Secret",
  plural: "secrets",
  scope: "Namespaced",
  typeName: "io.k8s.api.core.v1.Secret",
  columns: [
    nameColumn,
    column("Type", "What the secret is for.", ({ type = "" }) => type),
    column("Data", "Number of its keys.", ({ data = {} }) => Object.keys(data).length),
    ageColumn,
  ],
  strategy: {
    default: withPlainStrings,
    validate: validateSecret,
    validateUpdate: validateSecretUpdate,
    fields: ({ type = "" }) => ({ type }),
  },
});

/** `stringData` is how clients write `data` without encoding it; it is never stored. */
function withPlainStrings({ stringData, ...secret }: Secret): Secret {
  const written = Object.entries(stringData ?? {}).map(([key, value]) => [key, Buffer.from(value).toString("base64")] as const);
  const data = { ...secret.data, ...Object.fromEntries(written) };
  return { ...secret, ...(secret.data === undefined && written.length === 0 ? {} : { data }), type: secret.type || "Opaque" };
}

/** Keys without which a secret of a type is of no use. */
const REQUIRED_KEYS: Readonly<Record<string, readonly string[]>> = {
  "kubernetes.io/dockercfg": [".dockercfg"],
  "kubernetes.io/dockerconfigjson": [".dockerconfigjson"],
  "kubernetes.io/ssh-auth": ["ssh-privatekey"],
  "kubernetes.io/tls": ["tls.crt", "tls.key"],
};

function validateSecret({ metadata, data = {}, type = "" }: Secret): Errors {
  const errors: FieldError[] = [];
  let size = 0;
  for (const [key, value] of Object.entries(data)) {
    errors.push(...isConfigMapKey(key).map((message) => invalidField(`data[${key}]`, key, message)));
    size += decodedBytes(value);
  }
  if (size > MAX_DATA_BYTES) errors.push(tooLongField("data", MAX_DATA_BYTES));
  if (type === "kubernetes.io/service-account-token" && !metadata.annotations?.["kubernetes.io/service-account.name"]) {
    errors.push(requiredField("metadata.annotations[kubernetes.io/service-account.name]"));
  }
  if (type === "kubernetes.io/basic-auth" && !("username" in data) && !("password" in data)) {
    errors.push(requiredField("data[username]"), requiredField("data[password]"));
  }
  for (const key of REQUIRED_KEYS[type] ?? []) {
    const value = data[key];
    if (value === undefined) errors.push(requiredField(`data[${key}]`));
    else if (key.startsWith(".docker") && !isJson(value)) {
      errors.push(invalidField(`data[${key}]`, "<secret contents redacted>", "unexpected end of JSON input"));
    }
  }
  return errors;
}

function isJson(base64: string): boolean {
  try {
    JSON.parse(Buffer.from(base64, "base64").toString());
    return true;
  } catch (cause) {
    if (cause instanceof SyntaxError) return false;
    throw cause;
  }
}

function validateSecretUpdate(next: Secret, previous: Secret): Errors {
  const errors: FieldError[] = [...immutable(next.type, previous.type, "type")];
  if (previous.immutable !== true) return errors;
  if (next.immutable !== true) errors.push(forbiddenField("immutable", "field is immutable when `immutable` is set"));
  if (!same(next.data, previous.data)) errors.push(forbiddenField("data", "field is immutable when `immutable` is set"));
  return errors;
}
