import type { DeviceClass } from "#machinery/api/resource-v1.ts";
import { requiredField } from "#machinery/field-error.ts";
import { isDns1123Subdomain, isLabelKey } from "#machinery/names.ts";
import { defineKind } from "../kind.ts";
import { follows, requiredName } from "../validation.ts";
import { validateSelectors } from "./claim-rules.ts";

export const DeviceClassKind = defineKind<DeviceClass>({
  group: "resource.k8s.io",
  version: "v1",
  kind: "DeviceClass",
  plural: "deviceclasses",
  scope: "Cluster",
  typeName: "io.k8s.api.resource.v1.DeviceClass",
  strategy: {
    generation: "spec",
    validate: ({ spec }) => [
      ...validateSelectors(spec?.selectors ?? [], "spec.selectors"),
      ...(spec?.config ?? []).flatMap(({ opaque }, i) =>
        opaque === undefined
          ? [requiredField(`spec.config[${i}].opaque`)]
          : requiredName(isDns1123Subdomain, opaque.driver, `spec.config[${i}].opaque.driver`),
      ),
      ...(spec?.extendedResourceName === undefined ? [] : follows(isLabelKey, spec.extendedResourceName, "spec.extendedResourceName")),
    ],
  },
});
