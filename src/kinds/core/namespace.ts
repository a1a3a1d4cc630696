import type { Namespace } from "#machinery/api/core-v1.ts";
import { type FieldError, invalidField } from "#machinery/field-error.ts";
import { isLabelKey } from "#machinery/names.ts";
import { ALL_VERBS, defineKind, STATUS } from "../kind.ts";
import { ageColumn, column, nameColumn } from "../printing.ts";
import { keepStatus, onlyStatus } from "../strategy.ts";
import { type Errors } from "../validation.ts";

export const NamespaceKind = defineKind<Namespace>({
  group: "",
  version: "v1",
  kind: "Namespace",
  plural: "namespaces",
  shortNames: ["ns"],
  scope: "Cluster",
  typeName: "io.k8s.api.core.v1.Namespace",
  verbs: ALL_VERBS.filter((verb) => verb !== "deletecollection"),
  subresources: [{ name: "finalize", verbs: ["update"] }, STATUS],
  columns: [nameColumn, column("Status", "The status of the namespace", ({ status }) => status?.phase ?? ""), ageColumn],
  strategy: {
    nameRule: "label",
    default: (namespace) => ({ ...namespace, metadata: withNameLabel(namespace.metadata), spec: namespace.spec ?? {} }),
    prepareForCreate: (namespace) => ({
      ...namespace,
      metadata: withNameLabel(namespace.metadata),
      spec: { ...namespace.spec, finalizers: [...new Set([...(namespace.spec?.finalizers ?? []), "kubernetes"])] },
      status: { phase: "Active" },
    }),
    prepareForUpdate: (next, previous) =>
      keepStatus({ ...next, metadata: withNameLabel(next.metadata), spec: previous.spec ?? {} }, previous),
    prepareForStatusUpdate: onlyStatus,
    validate: ({ spec }) => validateFinalizerNames(spec?.finalizers ?? []),
    fields: ({ metadata, status }) => ({ name: metadata.name ?? "", "status.phase": status?.phase ?? "" }),
  },
});

const NAME_LABEL = "kubernetes.io/metadata.name";

/** Every namespace carries its name as a label, so that selectors can name it. */
function withNameLabel(metadata: Namespace["metadata"]): Namespace["metadata"] {
  if (metadata.name === undefined || metadata.name === "") return metadata;
  return { ...metadata, labels: { ...metadata.labels, [NAME_LABEL]: metadata.name } };
}

function validateFinalizerNames(finalizers: readonly string[]): Errors {
  const errors: FieldError[] = [];
  for (const [index, finalizer] of finalizers.entries()) {
    const path = `spec.finalizers[${index}]`;
    errors.push(...isLabelKey(finalizer).map((message) => invalidField(path, finalizer, message)));
    if (!finalizer.includes("/") && finalizer !== "kubernetes" && finalizer !== "orphan" && finalizer !== "foregroundDeletion") {
      errors.push(invalidField(path, finalizer, "name is neither a standard finalizer name nor is it fully qualified"));
    }
  }
  return errors;
}
