import type { APIService } from "#machinery/api/apiregistration-v1.ts";
import { type FieldError, invalidField, requiredField } from "#machinery/field-error.ts";
import { isDns1035Label, isDns1123Subdomain } from "#machinery/names.ts";
import { defineKind, STATUS } from "../kind.ts";
import { ageColumn, column, nameColumn } from "../printing.ts";
import { conditionOf } from "../conditions.ts";
import { ownStatus } from "../strategy.ts";
import { type Errors, follows, isMissing } from "../validation.ts";

export const APIServiceKind = defineKind<APIService>({
  group: "apiregistration.k8s.io",
  version: "v1",
  kind: "APIService",
  plural: "apiservices",
  categories: ["api-extensions"],
  scope: "Cluster",
  typeName: "io.k8s.kube-aggregator.pkg.apis.apiregistration.v1.APIService",
  storagePrefix: "/registry/apiregistration.k8s.io/apiservices",
  subresources: [STATUS],
  columns: [
    nameColumn,
    column("Service", "The reference to the service that hosts this API endpoint.", ({ spec }) =>
      spec?.service === undefined ? "Local" : `${spec.service.namespace ?? ""}/${spec.service.name ?? ""}`,
    ),
    column("Available", "Whether this service is available.", availableText),
    ageColumn,
  ],
  strategy: {
    unconditionalUpdate: false,
    ...ownStatus<APIService>({}),
    nameRule: "path",
    default: (service) => ({
      ...service,
      ...(service.spec?.service === undefined
        ? {}
        : { spec: { ...service.spec, service: { ...service.spec.service, port: service.spec.service.port ?? 443 } } }),
    }),
    validate: validateApiService,
  },
});

function availableText({ status }: APIService): string {
  const available = conditionOf(status?.conditions, "Available");
  if (available === undefined) return "Unknown";
  return available.status === "True" ? "True" : `${available.status} (${available.reason ?? ""})`;
}

function validateApiService({ metadata, spec }: APIService): Errors {
  const { group = "", version = "", service } = spec;
  const errors: FieldError[] = [];
  const wanted = `${version}.${group}`;
  if (metadata.name !== wanted) {
    errors.push(invalidField("metadata.name", metadata.name ?? "", `must be \`spec.version+"."+spec.group\`: ${JSON.stringify(wanted)}`));
  }
  if (group !== "") errors.push(...follows(isDns1123Subdomain, group, "spec.group"));
  errors.push(...follows(isDns1035Label, version, "spec.version"));
  const { groupPriorityMinimum, versionPriority } = spec;
  if (groupPriorityMinimum <= 0 || groupPriorityMinimum > 20_000) {
    errors.push(invalidField("spec.groupPriorityMinimum", groupPriorityMinimum, "must be positive and less than 20000"));
  }
  if (versionPriority <= 0 || versionPriority > 1000) {
    errors.push(invalidField("spec.versionPriority", versionPriority, "must be positive and less than 1000"));
  }
  const bundle = (spec.caBundle ?? "") !== "";
  if (service === undefined) {
    if (bundle)
      errors.push(invalidField("spec.caBundle", `${(spec.caBundle ?? "").length} bytes`, "local APIServices may not have a caBundle"));
    if (spec.insecureSkipTLSVerify === true) {
      errors.push(invalidField("spec.insecureSkipTLSVerify", true, "local APIServices may not have insecureSkipTLSVerify"));
    }
    return errors;
  }
  if (isMissing(service.namespace)) errors.push(requiredField("spec.service.namespace"));
  if (isMissing(service.name)) errors.push(requiredField("spec.service.name"));
  const port = service.port ?? 443;
  if (port < 1 || port > 65535)
    errors.push(invalidField("spec.service.port", port, "port is not valid: must be between 1 and 65535, inclusive"));
  if (spec.insecureSkipTLSVerify === true && bundle) {
    errors.push(invalidField("spec.insecureSkipTLSVerify", true, "may not be true if caBundle is present"));
  }
  return errors;
}
