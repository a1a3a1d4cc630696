import type { VolumeAttachment } from "#machinery/api/storage-v1.ts";
import { type FieldError, forbiddenField, invalidField, requiredField } from "#machinery/field-error.ts";
import { isDns1123Subdomain } from "#machinery/names.ts";
import { defineKind, STATUS } from "../kind.ts";
import { ageColumn, column, nameColumn } from "../printing.ts";
import { ownStatus } from "../strategy.ts";
import { type Errors, immutable, isMissing } from "../validation.ts";

export const VolumeAttachmentKind = defineKind<VolumeAttachment>({
  group: "storage.k8s.io",
  version: "v1",
  kind: "VolumeAttachment",
  plural: "volumeattachments",
  scope: "Cluster",
  typeName: "io.k8s.api.storage.v1.VolumeAttachment",
  subresources: [STATUS],
  columns: [
    nameColumn,
    { ...column("Attacher", "The driver that attaches.", ({ spec }) => spec?.attacher ?? ""), format: "name" },
    column("PV", "The volume to attach.", ({ spec }) => spec?.source?.persistentVolumeName ?? ""),
    column("Node", "The node to attach it to.", ({ spec }) => spec?.nodeName ?? ""),
    column("Attached", "Whether it is attached.", ({ status }) => status?.attached ?? false, "boolean"),
    ageColumn,
  ],
  strategy: {
    unconditionalUpdate: false,
    ...ownStatus<VolumeAttachment>({ attached: false }),
    generation: "none",
    validate: validateAttachment,
    validateUpdate: (next, previous) => immutable(next.spec, previous.spec, "spec"),
    fields: ({ spec }) => ({ "spec.nodeName": spec?.nodeName ?? "", "spec.attacher": spec?.attacher ?? "" }),
  },
});

function validateAttachment({ spec }: VolumeAttachment): Errors {
  const errors: FieldError[] = [];
  if (isMissing(spec.attacher)) errors.push(requiredField("spec.attacher"));
  else
    errors.push(...isDns1123Subdomain(spec.attacher.toLowerCase()).map((message) => invalidField("spec.attacher", spec.attacher, message)));
  const { persistentVolumeName, inlineVolumeSpec } = spec.source ?? {};
  if (isMissing(persistentVolumeName) && inlineVolumeSpec === undefined)
    errors.push(requiredField("spec.source", "must specify exactly one of inlineVolumeSpec and persistentVolumeName"));
  if (!isMissing(persistentVolumeName) && inlineVolumeSpec !== undefined) {
    errors.push(forbiddenField("spec.source", "must specify exactly one of inlineVolumeSpec and persistentVolumeName"));
  }
  if (isMissing(spec.nodeName)) errors.push(requiredField("spec.nodeName"));
  else errors.push(...isDns1123Subdomain(spec.nodeName).map((message) => invalidField("spec.nodeName", spec.nodeName, message)));
  return errors;
}
