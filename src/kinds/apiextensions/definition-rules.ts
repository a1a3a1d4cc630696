import type {
  CustomResourceColumnDefinition,
  CustomResourceDefinition,
  CustomResourceDefinitionNames,
  CustomResourceDefinitionSpec,
  CustomResourceDefinitionVersion,
  CustomResourceSubresourceScale,
} from "#machinery/api/apiextensions-v1.ts";
import { duplicateField, type FieldError, forbiddenField, invalidField, requiredField } from "#machinery/field-error.ts";
import { isDns1035Label, isDns1123Subdomain } from "#machinery/names.ts";
import { validateClientConfig } from "../admissionregistration/webhook-rules.ts";
import { type Errors, follows, isMissing, requiredEnum, same } from "../validation.ts";

const COLUMN_TYPES: readonly string[] = ["boolean", "date", "integer", "number", "string"];
const COLUMN_FORMATS: readonly string[] = ["binary", "bool", "byte", "date", "date-time", "double", "float", "int32", "int64", "password"];

export function defaultDefinition(definition: CustomResourceDefinition): CustomResourceDefinition {
  const { spec } = definition;
  const { names, conversion } = spec;
  const service = conversion?.webhook?.clientConfig?.service;
  return {
    ...definition,
    spec: {
      ...spec,
      names: {
        ...names,
        singular: names.singular || names.kind.toLowerCase(),
        listKind: names.listKind || (names.kind === "" ? "" : `${names.kind}List`),
      },
      conversion: {
        ...conversion,
        strategy: conversion?.strategy || "None",
        ...(conversion?.webhook?.clientConfig === undefined || service === undefined
          ? {}
          : {
              webhook: {
                ...conversion.webhook,
                clientConfig: { ...conversion.webhook.clientConfig, service: { ...service, port: service.port ?? 443 } },
              },
            }),
      },
    },
  };
}

/** A new definition has stored its storage version, and nothing else. */
export function initialDefinition(definition: CustomResourceDefinition): CustomResourceDefinition {
  const stored = (definition.spec.versions ?? []).filter(({ storage }) => storage).map(({ name }) => name);
  return {
    ...definition,
    status: { conditions: [], acceptedNames: { plural: "", kind: "" }, storedVersions: stored },
  };
}

export function withStoredVersions(next: CustomResourceDefinition, previous: CustomResourceDefinition): CustomResourceDefinition {
  const before = previous.status?.storedVersions ?? [];
  const added = next.spec.versions.filter(({ name, storage }) => storage && !before.includes(name)).map(({ name }) => name);
  return {
    ...next,
    status: {
      conditions: previous.status?.conditions ?? [],
      acceptedNames: previous.status?.acceptedNames ?? { plural: "", kind: "" },
      storedVersions: [...before, ...added],
    },
  };
}

export function validateDefinition({ metadata, spec, status }: CustomResourceDefinition): Errors {
  const errors: FieldError[] = [];
  const wanted = `${spec.names.plural}.${spec.group}`;
  if (metadata.name !== wanted) errors.push(invalidField("metadata.name", metadata.name ?? "", `must be spec.names.plural+"."+spec.group`));
  errors.push(...validateSpec(spec), ...protectedGroup(spec.group, metadata.annotations ?? {}));
  const names = new Set(spec.versions.map(({ name }) => name));
  for (const [i, version] of (status?.storedVersions ?? []).entries()) {
    if (!names.has(version)) errors.push(invalidField(`status.storedVersions[${i}]`, version, missingStored(version)));
  }
  return errors;
}

function missingStored(version: string): string {
  const until = `until a storage migration ensures no data remains persisted in ${version} and removes ${version} from status.storedVersions`;
  return `missing from spec.versions; ${version} was previously a storage version, and must remain in spec.versions ${until}`;
}

function protectedGroup(group: string, annotations: Readonly<Record<string, string>>): Errors {
  const isProtected = group === "k8s.io" || group === "kubernetes.io" || group.endsWith(".k8s.io") || group.endsWith(".kubernetes.io");
  if (!isProtected) return [];
  const key = "api-approved.kubernetes.io";
  const value = annotations[key] ?? "";
  const path = `metadata.annotations[${key}]`;
  if (value === "") {
    return [
      requiredField(
        path,
        'protected groups must have approval annotation "api-approved.kubernetes.io", see https://github.com/kubernetes/enhancements/pull/1111',
      ),
    ];
  }
  if (value.startsWith("unapproved") || URL.canParse(value)) return [];
  return [
    invalidField(
      path,
      value,
      `protected groups must have approval annotation "api-approved.kubernetes.io" with either a URL or a reason starting with "unapproved", see https://github.com/kubernetes/enhancements/pull/1111`,
    ),
  ];
}

function validateSpec(spec: CustomResourceDefinitionSpec): Errors {
  const errors: FieldError[] = isMissing(spec.group)
    ? [requiredField("spec.group")]
    : [...follows(isDns1123Subdomain, spec.group, "spec.group")];
  if (!isMissing(spec.group) && spec.group.split(".").length < 2) {
    errors.push(invalidField("spec.group", spec.group, "should be a domain with at least one dot"));
  }
  errors.push(...requiredEnum(spec.scope, ["Cluster", "Namespaced"], "spec.scope"));
  if (spec.preserveUnknownFields === true) {
    errors.push(
      invalidField(
        "spec.preserveUnknownFields",
        true,
        "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead",
      ),
    );
  }
  const versions = spec.versions ?? [];
  const stored = versions.filter(({ storage }) => storage);
  const seen = new Set<string>();
  for (const [i, version] of versions.entries()) {
    const at = `spec.versions[${i}]`;
    if (seen.has(version.name))
      errors.push(
        invalidField(
          "spec.versions",
          versions.map(({ name }) => name),
          "must contain unique version names",
        ),
      );
    seen.add(version.name);
    errors.push(...follows(isDns1035Label, version.name, `${at}.name`), ...validateVersion(version, at));
  }
  if (stored.length !== 1) {
    errors.push(invalidField("spec.versions", versions, "must have exactly one version marked as storage version"));
  }
  return [...errors, ...validateNames(spec.names, "spec.names"), ...validateConversion(spec)];
}

export function validateNames(names: CustomResourceDefinitionNames, path: string): Errors {
  const errors: FieldError[] = [];
  for (const field of ["plural", "singular"] as const) {
    const value = names[field];
    if (isMissing(value)) errors.push(requiredField(`${path}.${field}`));
    else errors.push(...follows(isDns1035Label, value, `${path}.${field}`));
  }
  for (const field of ["kind", "listKind"] as const) {
    const value = names[field];
    if (isMissing(value)) errors.push(requiredField(`${path}.${field}`));
    else
      errors.push(
        ...isDns1035Label(value.toLowerCase()).map((message) =>
          invalidField(`${path}.${field}`, value, `may have mixed case, but should otherwise match: ${message}`),
        ),
      );
  }
  for (const field of ["shortNames", "categories"] as const) {
    for (const [i, name] of (names[field] ?? []).entries()) errors.push(...follows(isDns1035Label, name, `${path}.${field}[${i}]`));
  }
  if (!isMissing(names.kind) && names.kind === names.listKind) {
    errors.push(invalidField(`${path}.listKind`, names.listKind, "kind and listKind may not be the same"));
  }
  return errors;
}

function validateVersion(version: CustomResourceDefinitionVersion, path: string): Errors {
  const errors: FieldError[] = [];
  if (version.deprecationWarning !== undefined && version.deprecated !== true) {
    errors.push(invalidField(`${path}.deprecationWarning`, version.deprecationWarning, "can only be set for deprecated versions"));
  }
  const schema = version.schema?.openAPIV3Schema;
  if (schema === undefined) errors.push(requiredField(`${path}.schema.openAPIV3Schema`, "schemas are required"));
  else if (schema.type !== "object") {
    const at = `${path}.schema.openAPIV3Schema.type`;
    errors.push(
      isMissing(schema.type)
        ? requiredField(at, "must not be empty at the root")
        : invalidField(at, schema.type, 'must be "object" at the root'),
    );
  }
  const scale = version.subresources?.scale;
  if (scale !== undefined) errors.push(...validateScale(scale, `${path}.subresources.scale`));
  for (const [i, column] of (version.additionalPrinterColumns ?? []).entries()) {
    errors.push(...validateColumn(column, `${path}.additionalPrinterColumns[${i}]`));
  }
  const fields = version.selectableFields ?? [];
  if (fields.length > 8) errors.push({ type: "TooMany", field: `${path}.selectableFields`, actual: fields.length, max: 8 });
  for (const [i, { jsonPath }] of fields.entries()) {
    const at = `${path}.selectableFields[${i}].jsonPath`;
    if (isMissing(jsonPath)) errors.push(requiredField(at));
    else if (fields.findIndex((other) => other.jsonPath === jsonPath) < i) errors.push(duplicateField(at, jsonPath));
  }
  return errors;
}

function validateScale({ specReplicasPath, statusReplicasPath, labelSelectorPath }: CustomResourceSubresourceScale, path: string): Errors {
  const errors: FieldError[] = [];
  const check = (field: string, value: string | undefined, roots: readonly string[]) => {
    const at = `${path}.${field}`;
    if (isMissing(value)) errors.push(requiredField(at));
    else if (!roots.some((root) => value.startsWith(root))) {
      errors.push(invalidField(at, value, `should be a json path under ${roots.join(" or ")}`));
    }
  };
  check("specReplicasPath", specReplicasPath, [".spec"]);
  check("statusReplicasPath", statusReplicasPath, [".status"]);
  if (!isMissing(labelSelectorPath)) check("labelSelectorPath", labelSelectorPath, [".spec", ".status"]);
  return errors;
}

function validateColumn({ name, type, format, jsonPath }: CustomResourceColumnDefinition, path: string): Errors {
  const errors: FieldError[] = isMissing(name) ? [requiredField(`${path}.name`)] : [];
  if (isMissing(type)) errors.push(requiredField(`${path}.type`, `must be one of ${COLUMN_TYPES.join(",")}`));
  else if (!COLUMN_TYPES.includes(type)) errors.push(invalidField(`${path}.type`, type, `must be one of ${COLUMN_TYPES.join(",")}`));
  if (!isMissing(format) && !COLUMN_FORMATS.includes(format)) {
    errors.push(invalidField(`${path}.format`, format, `must be one of ${COLUMN_FORMATS.join(",")}`));
  }
  return isMissing(jsonPath) ? [...errors, requiredField(`${path}.jsonPath`)] : errors;
}

function validateConversion({ conversion }: CustomResourceDefinitionSpec): Errors {
  const { strategy = "", webhook } = conversion ?? {};
  const path = "spec.conversion";
  const errors: FieldError[] = [...requiredEnum(strategy, ["None", "Webhook"], `${path}.strategy`)];
  if (strategy !== "Webhook") {
    if (webhook !== undefined) errors.push(forbiddenField(`${path}.webhook`, "should not be set when strategy is not set to Webhook"));
    return errors;
  }
  if (webhook?.clientConfig === undefined)
    errors.push(requiredField(`${path}.webhook.clientConfig`, "required when strategy is set to Webhook"));
  else errors.push(...validateClientConfig(webhook.clientConfig, `${path}.webhook.clientConfig`));
  if ((webhook?.conversionReviewVersions ?? []).length === 0) errors.push(requiredField(`${path}.webhook.conversionReviewVersions`));
  return errors;
}

/** Names and scope stay once objects may exist under them. */
export function validateDefinitionUpdate(next: CustomResourceDefinition, previous: CustomResourceDefinition): Errors {
  const errors: FieldError[] = [];
  const established = previous.status?.conditions?.some(({ type, status }) => type === "Established" && status === "True") === true;
  const fix = (field: string, a: unknown, b: unknown) => {
    if (!same(a, b)) errors.push(invalidField(field, a, "field is immutable"));
  };
  fix("spec.group", next.spec.group, previous.spec.group);
  fix("spec.names.plural", next.spec.names.plural, previous.spec.names.plural);
  if (established) {
    fix("spec.scope", next.spec.scope, previous.spec.scope);
    fix("spec.names.kind", next.spec.names.kind, previous.spec.names.kind);
  }
  return errors;
}
