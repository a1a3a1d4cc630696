import type { RuntimeClass } from "#machinery/api/node-v1.ts";
import { isDns1123Label } from "#machinery/names.ts";
import { defineKind } from "../kind.ts";
import { ageColumn, column, nameColumn } from "../printing.ts";
import { type Errors, immutable, requiredName, validateLabels } from "../validation.ts";
import { validateTolerations } from "../core/affinity-rules.ts";
import { validateQuantity, validateResourceName } from "../core/resources.ts";

export const RuntimeClassKind = defineKind<RuntimeClass>({
  group: "node.k8s.io",
  version: "v1",
  kind: "RuntimeClass",
  plural: "runtimeclasses",
  scope: "Cluster",
  typeName: "io.k8s.api.node.v1.RuntimeClass",
  columns: [nameColumn, column("Handler", "The runtime configuration it stands for.", ({ handler }) => handler), ageColumn],
  strategy: {
    unconditionalUpdate: false,
    validate: validateRuntimeClass,
    validateUpdate: (next, previous) => immutable(next.handler, previous.handler, "handler"),
  },
});

function validateRuntimeClass({ handler, overhead, scheduling }: RuntimeClass): Errors {
  return [
    ...requiredName(isDns1123Label, handler, "handler"),
    ...Object.entries(overhead?.podFixed ?? {}).flatMap(([resource, amount]) => [
      ...validateResourceName(resource, `overhead.podFixed[${resource}]`),
      ...validateQuantity(resource, amount, `overhead.podFixed[${resource}]`),
    ]),
    ...validateLabels(scheduling?.nodeSelector, "scheduling.nodeSelector"),
    ...validateTolerations(scheduling?.tolerations ?? [], "scheduling.tolerations"),
  ];
}
