import type { HTTPIngressPath, Ingress, IngressBackend, IngressRule, IngressTLS } from "#machinery/api/networking-v1.ts";
import { type FieldError, invalidField, requiredField, unsupportedField } from "#machinery/field-error.ts";
import { isDns1123Label, isDns1123Subdomain, isPortName, isWildcardDns1123Subdomain } from "#machinery/names.ts";
import { defineKind, STATUS } from "../kind.ts";
import { ageColumn, column, firstThree, nameColumn, NONE } from "../printing.ts";
import { ownStatus } from "../strategy.ts";
import { type Errors, follows, isMissing } from "../validation.ts";
import { parseIp } from "../ip.ts";
import { portNumber } from "../core/container-rules.ts";

export const IngressKind = defineKind<Ingress>({
  group: "networking.k8s.io",
  version: "v1",
  kind: "Ingress",
  plural: "ingresses",
  shortNames: ["ing"],
  scope: "Namespaced",
  typeName: "io.k8s.api.networking.v1.Ingress",
  storagePrefix: "/registry/ingress",
  subresources: [STATUS],
  columns: [
    nameColumn,
    column(
      "Class",
      "The name of the IngressClass resource that should be used for additional configuration",
      ({ metadata, spec }) => spec?.ingressClassName ?? metadata.annotations?.["kubernetes.io/ingress.class"] ?? NONE,
    ),
    column("Hosts", "Hosts that incoming requests are matched against before the ingress rule", ({ spec }) => hostsText(spec?.rules ?? [])),
    column("Address", "Address is a list containing ingress points for the load-balancer", ({ status }) =>
      [...new Set((status?.loadBalancer?.ingress ?? []).map(({ ip, hostname }) => ip || hostname || ""))]
        .filter((address) => address !== "")
        .sort()
        .join(","),
    ),
    column("Ports", "Ports of TLS configurations that open", ({ spec }) => ((spec?.tls?.length ?? 0) > 0 ? "80, 443" : "80")),
    ageColumn,
  ],
  strategy: {
    ...ownStatus<Ingress>({ loadBalancer: {} }),
    generation: "spec",
    default: (ingress) => ({ ...ingress, spec: ingress.spec ?? {} }),
    validate: validateIngress,
  },
});

function hostsText(rules: readonly IngressRule[]): string {
  return firstThree(rules.map(({ host = "" }) => host).filter((host) => host !== "")) || "*";
}

function validateIngress({ spec }: Ingress): Errors {
  const { rules = [], defaultBackend, tls = [], ingressClassName } = spec;
  const errors: FieldError[] = [];
  if (rules.length === 0 && defaultBackend === undefined) {
    errors.push(invalidField("spec", rules, "either `defaultBackend` or `rules` must be specified"));
  }
  for (const [i, { host = "", http }] of rules.entries()) {
    const path = `spec.rules[${i}]`;
    if (host !== "") errors.push(...validateHost(host, `${path}.host`));
    if (http !== undefined) errors.push(...validatePaths(http.paths ?? [], `${path}.http.paths`));
  }
  if (defaultBackend !== undefined) errors.push(...validateBackend(defaultBackend, "spec.defaultBackend"));
  errors.push(...validateTls(tls));
  if (ingressClassName !== undefined) errors.push(...follows(isDns1123Subdomain, ingressClassName, "spec.ingressClassName"));
  return errors;
}

function validateHost(host: string, path: string): Errors {
  if (parseIp(host) !== undefined) return [invalidField(path, host, "must be a DNS name, not an IP address")];
  return follows(host.includes("*") ? isWildcardDns1123Subdomain : isDns1123Subdomain, host, path);
}

function validatePaths(paths: readonly HTTPIngressPath[], path: string): Errors {
  if (paths.length === 0) return [requiredField(path)];
  return paths.flatMap((one, i) => [...validatePath(one, `${path}[${i}]`), ...validateBackend(one.backend ?? {}, `${path}[${i}].backend`)]);
}

const PATH_TYPES: readonly string[] = ["Exact", "ImplementationSpecific", "Prefix"];
const BAD_PARTS: readonly string[] = ["//", "/./", "/../", "%2f", "%2F"];
const BAD_ENDINGS: readonly string[] = ["/..", "/."];

function validatePath({ path: text = "", pathType }: HTTPIngressPath, path: string): Errors {
  if (pathType === undefined) return [requiredField(`${path}.pathType`, "pathType must be specified")];
  const at = `${path}.path`;
  const errors: FieldError[] = [];
  if (pathType === "Exact" || pathType === "Prefix") {
    if (!text.startsWith("/")) errors.push(invalidField(at, text, "must be an absolute path"));
    for (const part of BAD_PARTS) if (text.includes(part)) errors.push(invalidField(at, text, `must not contain '${part}'`));
    for (const end of BAD_ENDINGS) if (text.endsWith(end)) errors.push(invalidField(at, text, `cannot end with '${end}'`));
  } else if (pathType === "ImplementationSpecific") {
    if (text !== "" && !text.startsWith("/")) errors.push(invalidField(at, text, "must be an absolute path"));
  } else errors.push(unsupportedField(`${path}.pathType`, pathType, PATH_TYPES));
  return errors;
}

function validateBackend({ service, resource }: IngressBackend, path: string): Errors {
  if (service !== undefined && resource !== undefined) return [invalidField(path, "", "cannot set both resource and service backends")];
  if (resource !== undefined) {
    const errors: FieldError[] = [];
    for (const field of ["kind", "name"] as const) {
      if (isMissing(resource[field])) errors.push(requiredField(`${path}.resource.${field}`));
    }
    return errors;
  }
  if (service === undefined) return [requiredField(path, "either `resource` or `service` must be specified")];
  const at = `${path}.service`;
  const errors: FieldError[] = isMissing(service.name)
    ? [requiredField(`${at}.name`)]
    : [...follows(isDns1123Label, service.name, `${at}.name`)];
  const { name = "", number = 0 } = service.port ?? {};
  if (name !== "" && number !== 0) errors.push(invalidField(`${at}.port`, name, "cannot set both port name & port number"));
  else if (name !== "") errors.push(...follows(isPortName, name, `${at}.port.name`));
  else if (number === 0) errors.push(requiredField(`${at}.port`, "port name or number is required"));
  else errors.push(...portNumber(number, `${at}.port.number`));
  return errors;
}

function validateTls(tls: readonly IngressTLS[]): Errors {
  return tls.flatMap(({ hosts = [], secretName }, i) => [
    ...hosts.flatMap((host, h) =>
      follows(host.includes("*") ? isWildcardDns1123Subdomain : isDns1123Subdomain, host, `spec.tls[${i}].hosts[${h}]`),
    ),
    ...(isMissing(secretName) ? [] : follows(isDns1123Subdomain, secretName, `spec.tls[${i}].secretName`)),
  ]);
}
