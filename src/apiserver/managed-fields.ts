import { formatTime } from "#base/clock.ts";
import type { KubeObject } from "#machinery/object.ts";
import { applyConfiguration, trackUpdate, type Writer } from "#machinery/patch/apply.ts";
import { type FieldSet, setOf } from "#machinery/patch/field-set.ts";
import { tableObjectSchema } from "#machinery/patch/merge-schema.ts";
import { apiVersionOf, type Kind } from "#kinds/kind.ts";

/** Who writes, through which subresource, and when. */
export interface ManagerOf {
  readonly manager: string;
  readonly now: number;
  readonly subresource?: string;
}

const SPEC = setOf(["spec"]);
const STATUS = setOf(["status"]);

/** The object with managedFields that give all its fields to the creator. */
export function createdFields(kind: Kind, object: KubeObject, by: ManagerOf): KubeObject {
  return trackUpdate({ ...writerOf(kind, by), live: undefined, next: object });
}

/** `next` with managedFields that give what differs from `previous` to the updater. */
export function updatedFields(kind: Kind, previous: KubeObject, next: KubeObject, by: ManagerOf): KubeObject {
  return trackUpdate({ ...writerOf(kind, by), live: previous, next });
}

/** Server-side apply. Throws StatusError for conflicts, PatchError for a configuration that does not fit. */
export function appliedFields(kind: Kind, live: KubeObject, applied: unknown, force: boolean, by: ManagerOf): KubeObject {
  const outcome = applyConfiguration({ ...writerOf(kind, by), live, applied, force });
  if (!outcome.ok) throw outcome.error;
  return outcome.object;
}

function writerOf(kind: Kind, { manager, now, subresource = "" }: ManagerOf): Writer {
  const resetFields = resetFieldsOf(kind, subresource);
  return {
    schema: tableObjectSchema(kind.typeName),
    manager,
    apiVersion: apiVersionOf(kind),
    subresource,
    ...(resetFields === undefined ? {} : { resetFields }),
    now: formatTime(now),
  };
}

/** What an endpoint resets belongs to nobody through it. */
function resetFieldsOf(kind: Kind, subresource: string): FieldSet | undefined {
  if (subresource === "status") return SPEC;
  return subresource === "" && kind.subresources.some(({ name }) => name === "status") ? STATUS : undefined;
}
