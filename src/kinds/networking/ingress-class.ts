import type { IngressClass, IngressClassParametersReference } from "#machinery/api/networking-v1.ts";
import { type FieldError, forbiddenField, invalidField, requiredField } from "#machinery/field-error.ts";
import { isDns1123Label, isDns1123Subdomain, isHttpPath } from "#machinery/names.ts";
import { defineKind } from "../kind.ts";
import { ageColumn, column, nameColumn, NONE } from "../printing.ts";
import { type Errors, immutable, isMissing, optionalEnum } from "../validation.ts";

export const IngressClassKind = defineKind<IngressClass>({
  group: "networking.k8s.io",
  version: "v1",
  kind: "IngressClass",
  plural: "ingressclasses",
  scope: "Cluster",
  typeName: "io.k8s.api.networking.v1.IngressClass",
  columns: [
    nameColumn,
    column("Controller", "Controller that is responsible for handling this class", ({ spec }) => spec?.controller ?? ""),
    column("Parameters", "A reference to a resource with additional parameters", ({ spec }) => parametersText(spec?.parameters)),
    ageColumn,
  ],
  strategy: {
    generation: "spec",
    default: (ingressClass) => ({
      ...ingressClass,
      spec: {
        ...ingressClass.spec,
        ...(ingressClass.spec?.parameters === undefined
          ? {}
          : { parameters: { ...ingressClass.spec.parameters, scope: ingressClass.spec.parameters.scope ?? "Cluster" } }),
      },
    }),
    validate: ({ spec }) => [...validateController(spec?.controller ?? ""), ...validateParameters(spec?.parameters)],
    validateUpdate: (next, previous) => immutable(next.spec?.controller, previous.spec?.controller, "spec.controller"),
  },
});

function parametersText(reference: IngressClassParametersReference | undefined): string {
  if (reference === undefined) return NONE;
  return `${reference.kind}${reference.apiGroup === undefined ? "" : `.${reference.apiGroup}`}/${reference.name}`;
}

function validateController(controller: string): Errors {
  const path = "spec.controller";
  if (controller === "") return [requiredField(path)];
  if (controller.length > 250) return [{ type: "TooLong", field: path, max: 250 }];
  const [domain = "", ...segments] = controller.split("/");
  const where = segments.join("/");
  if (domain === "" || where === "") return [invalidField(path, controller, 'must be a domain-prefixed path (such as "acme.io/foo")')];
  return [...isDns1123Subdomain(domain), ...isHttpPath(where)].map((message) => invalidField(path, controller, message));
}

function validateParameters(parameters: IngressClassParametersReference | undefined): Errors {
  if (parameters === undefined) return [];
  const path = "spec.parameters";
  const errors: FieldError[] = [];
  if (parameters.apiGroup !== undefined) {
    errors.push(
      ...isDns1123Subdomain(parameters.apiGroup).map((message) => invalidField(`${path}.apiGroup`, parameters.apiGroup, message)),
    );
  }
  for (const field of ["kind", "name"] as const) {
    if (isMissing(parameters[field])) errors.push(requiredField(`${path}.${field}`, `${field} is required`));
  }
  const { scope, namespace } = parameters;
  if (scope === undefined) return [...errors, requiredField(`${path}.scope`)];
  errors.push(...optionalEnum(scope, ["Cluster", "Namespace"], `${path}.scope`));
  if (scope === "Namespace") {
    if (isMissing(namespace)) errors.push(requiredField(`${path}.namespace`, "`parameters.scope` is set to 'Namespace'"));
    else errors.push(...isDns1123Label(namespace).map((message) => invalidField(`${path}.namespace`, namespace, message)));
  } else if (scope === "Cluster" && namespace !== undefined) {
    errors.push(forbiddenField(`${path}.namespace`, "`parameters.scope` is set to 'Cluster'"));
  }
  return errors;
}
