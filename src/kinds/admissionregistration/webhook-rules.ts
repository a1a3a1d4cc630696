import type {
  MatchCondition,
  MutatingWebhook,
  RuleWithOperations,
  ValidatingWebhook,
  WebhookClientConfig,
} from "#machinery/api/admissionregistration-v1.ts";
import { duplicateField, type FieldError, invalidField, requiredField } from "#machinery/field-error.ts";
import { isDns1123Subdomain, isLabelKey } from "#machinery/names.ts";
import { type Errors, follows, isMissing, optionalEnum, requiredEnum, validateLabelSelector } from "../validation.ts";

type Webhook = ValidatingWebhook | MutatingWebhook;

const OPERATIONS: readonly string[] = ["*", "CONNECT", "CREATE", "DELETE", "UPDATE"];
const REVIEW_VERSIONS: readonly string[] = ["v1", "v1beta1"];
const MAX_CONDITIONS = 64;

/** Failing closed, on every object that equivalent rules match, within ten seconds. */
export function defaultWebhook<W extends Webhook>(webhook: W): W {
  const { service } = webhook.clientConfig ?? {};
  return {
    ...webhook,
    ...(service === undefined ? {} : { clientConfig: { ...webhook.clientConfig, service: { ...service, port: service.port ?? 443 } } }),
    ...(webhook.rules === undefined ? {} : { rules: webhook.rules.map(defaultRule) }),
    failurePolicy: webhook.failurePolicy ?? "Fail",
    matchPolicy: webhook.matchPolicy ?? "Equivalent",
    namespaceSelector: webhook.namespaceSelector ?? {},
    objectSelector: webhook.objectSelector ?? {},
    timeoutSeconds: webhook.timeoutSeconds ?? 10,
  };
}

export function defaultRule<R extends RuleWithOperations>(rule: R): R {
  return { ...rule, scope: rule.scope ?? "*" };
}

export function validateWebhooks(webhooks: readonly Webhook[]): Errors {
  const names = new Set<string>();
  return webhooks.flatMap((webhook, i) => {
    const at = `webhooks[${i}]`;
    const errors: FieldError[] = [...validateWebhook(webhook, at)];
    if (!isMissing(webhook.name) && names.has(webhook.name)) errors.push(duplicateField(`${at}.name`, webhook.name));
    names.add(webhook.name);
    return errors;
  });
}

function validateWebhook(webhook: Webhook, path: string): Errors {
  const { name, admissionReviewVersions, timeoutSeconds } = webhook;
  const errors: FieldError[] = [...fullyQualified(name, `${path}.name`)];
  errors.push(...optionalEnum(webhook.failurePolicy, ["Fail", "Ignore"], `${path}.failurePolicy`));
  errors.push(...optionalEnum(webhook.matchPolicy, ["Equivalent", "Exact"], `${path}.matchPolicy`));
  errors.push(...requiredEnum(webhook.sideEffects, ["None", "NoneOnDryRun"], `${path}.sideEffects`));
  if ("reinvocationPolicy" in webhook) {
    errors.push(...optionalEnum(webhook.reinvocationPolicy, ["IfNeeded", "Never"], `${path}.reinvocationPolicy`));
  }
  if (timeoutSeconds !== undefined && (timeoutSeconds < 1 || timeoutSeconds > 30)) {
    errors.push(invalidField(`${path}.timeoutSeconds`, timeoutSeconds, "the timeout value must be between 1 and 30 seconds"));
  }
  errors.push(...validateVersions(admissionReviewVersions, `${path}.admissionReviewVersions`));
  for (const [i, rule] of (webhook.rules ?? []).entries()) errors.push(...validateRule(rule, `${path}.rules[${i}]`));
  errors.push(...validateLabelSelector(webhook.namespaceSelector, `${path}.namespaceSelector`));
  errors.push(...validateLabelSelector(webhook.objectSelector, `${path}.objectSelector`));
  errors.push(...validateClientConfig(webhook.clientConfig ?? {}, `${path}.clientConfig`));
  return [...errors, ...validateMatchConditions(webhook.matchConditions ?? [], `${path}.matchConditions`)];
}

/** `hook.example.com`: at least three parts. */
function fullyQualified(name: string, path: string): Errors {
  if (name === "") return [requiredField(path)];
  const errors = follows(isDns1123Subdomain, name, path);
  if (errors.length > 0) return errors;
  return name.split(".").length < 3 ? [invalidField(path, name, "should be a domain with at least three segments separated by dots")] : [];
}

function validateVersions(versions: readonly string[], path: string): Errors {
  if (versions.length === 0) return [requiredField(path, `must specify one of ${REVIEW_VERSIONS.join(", ")}`)];
  const errors: FieldError[] = [];
  for (const [i, version] of versions.entries()) {
    if (versions.indexOf(version) < i) errors.push(invalidField(`${path}[${i}]`, version, "duplicate version"));
  }
  if (!versions.some((version) => REVIEW_VERSIONS.includes(version))) {
    errors.push(invalidField(path, versions, `must include at least one of ${REVIEW_VERSIONS.join(", ")}`));
  }
  return errors;
}

export function validateRule(rule: RuleWithOperations, path: string): Errors {
  const { operations = [], apiGroups = [], apiVersions = [], resources = [] } = rule;
  const errors: FieldError[] = [];
  for (const [field, list] of Object.entries({ operations, apiGroups, apiVersions, resources })) {
    if (list.length === 0) errors.push(requiredField(`${path}.${field}`));
    else if (field !== "resources" && list.length > 1 && (list as readonly string[]).includes("*")) {
      errors.push(invalidField(`${path}.${field}`, list, "if '*' is present, must not specify other " + PLURALS[field]));
    }
  }
  for (const [i, operation] of operations.entries()) errors.push(...optionalEnum(operation, OPERATIONS, `${path}.operations[${i}]`));
  for (const [i, version] of apiVersions.entries()) if (version === "") errors.push(requiredField(`${path}.apiVersions[${i}]`));
  for (const [i, resource] of resources.entries()) if (resource === "") errors.push(requiredField(`${path}.resources[${i}]`));
  if (resources.length > 1 && resources.includes("*/*")) {
    errors.push(invalidField(`${path}.resources`, resources, "if '*/*' is present, must not specify other resources"));
  }
  return [...errors, ...optionalEnum(rule.scope, ["*", "Cluster", "Namespaced"], `${path}.scope`)];
}

const PLURALS: Readonly<Record<string, string>> = { operations: "operations", apiGroups: "API groups", apiVersions: "API versions" };

/** A URL or a Service, over TLS. */
export function validateClientConfig({ url, service }: WebhookClientConfig, path: string): Errors {
  if ((url === undefined) === (service === undefined)) return [requiredField(path, "exactly one of url or service is required")];
  if (url !== undefined) return validateUrl(url, `${path}.url`);
  const errors: FieldError[] = [];
  for (const field of ["name", "namespace"] as const) {
    if (isMissing(service?.[field])) errors.push(requiredField(`${path}.service.${field}`, `service ${field} is required`));
  }
  const port = service?.port ?? 443;
  if (port < 1 || port > 65535) {
    errors.push(invalidField(`${path}.service.port`, port, "port is not valid: must be between 1 and 65535, inclusive"));
  }
  const where = service?.path;
  if (where !== undefined && where !== "" && !where.startsWith("/")) {
    errors.push(invalidField(`${path}.service.path`, where, "must start with a '/'"));
  }
  return errors;
}

function validateUrl(url: string, path: string): Errors {
  const form = "desired format: https://host[/path]";
  if (!URL.canParse(url)) return [requiredField(path, `url must be a valid URL: ${JSON.stringify(url)}; ${form}`)];
  const { protocol, hostname, username, search, hash } = new URL(url);
  const errors: FieldError[] = [];
  if (protocol !== "https:") errors.push(invalidField(path, protocol.slice(0, -1), `'https' is the only allowed URL scheme; ${form}`));
  if (hostname === "") errors.push(invalidField(path, hostname, `host must be specified; ${form}`));
  if (username !== "") errors.push(invalidField(path, username, "user information is not permitted in the URL"));
  if (hash !== "") errors.push(invalidField(path, hash.slice(1), "fragments are not permitted in the URL"));
  if (search !== "") errors.push(invalidField(path, search.slice(1), "query parameters are not permitted in the URL"));
  return errors;
}

export function validateMatchConditions(conditions: readonly MatchCondition[], path: string): Errors {
  const errors: FieldError[] = [];
  if (conditions.length > MAX_CONDITIONS) errors.push({ type: "TooMany", field: path, actual: conditions.length, max: MAX_CONDITIONS });
  const names = new Set<string>();
  for (const [i, { name, expression }] of conditions.entries()) {
    const at = `${path}[${i}]`;
    if (isMissing(expression?.trim())) errors.push(requiredField(`${at}.expression`));
    if (isMissing(name)) errors.push(requiredField(`${at}.name`));
    else {
      errors.push(...follows(isLabelKey, name, `${at}.name`));
      if (names.has(name)) errors.push(duplicateField(`${at}.name`, name));
      names.add(name);
    }
  }
  return errors;
}
