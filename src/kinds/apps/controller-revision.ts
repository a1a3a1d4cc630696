import type { ControllerRevision } from "#machinery/api/apps-v1.ts";
import { requiredField } from "#machinery/field-error.ts";
import { defineKind } from "../kind.ts";
import { ageColumn, column, nameColumn, NONE } from "../printing.ts";
import { immutable, notNegative } from "../validation.ts";

export const ControllerRevisionKind = defineKind<ControllerRevision>({
  group: "apps",
  version: "v1",
  kind: "ControllerRevision",
  plural: "controllerrevisions",
  scope: "Namespaced",
  typeName: "io.k8s.api.apps.v1.ControllerRevision",
  columns: [
    nameColumn,
    column("Controller", "Controller of the object", controllerText),
    column("Revision", "Position in the history of its controller.", ({ revision }) => revision),
    ageColumn,
  ],
  strategy: {
    validate: ({ data, revision }) => [
      ...(data === undefined ? [requiredField("data", "data is mandatory")] : []),
      ...notNegative(revision, "revision"),
    ],
    validateUpdate: (next, previous) => immutable(next.data, previous.data, "data"),
  },
});

/** `statefulset.apps/web` */
function controllerText({ metadata }: ControllerRevision): string {
  const owner = metadata.ownerReferences?.find(({ controller }) => controller === true);
  if (owner === undefined) return NONE;
  const group = owner.apiVersion.includes("/") ? `.${owner.apiVersion.slice(0, owner.apiVersion.indexOf("/"))}` : "";
  return `${owner.kind.toLowerCase()}${group}/${owner.name}`;
}
