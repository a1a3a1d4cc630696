import { badRequest } from "#machinery/status.ts";
import {
  matchesFields,
  matchesLabels,
  type ParsedFieldSelector,
  type ParsedLabelSelector,
  parseFieldSelector,
  parseLabelSelector,
  SelectorError,
} from "#machinery/selector.ts";
import type { Kind } from "#kinds/kind.ts";
import type { Entry } from "#store/watch-hub.ts";
import type { Resource } from "./resource.ts";

/** Which objects of a resource a list, watch or deletecollection is about. */
export interface Selection {
  readonly labels: ParsedLabelSelector | undefined;
  readonly fields: ParsedFieldSelector;
}

/** Reads `labelSelector` and `fieldSelector`, in upstream's words where they are wrong. */
export function parseSelection(query: URLSearchParams, kind: Kind, name: string): Selection {
  const labelText = query.get("labelSelector") ?? "";
  const fieldText = query.get("fieldSelector") ?? "";
  const labels = labelText === "" ? undefined : parsing(() => parseLabelSelector(labelText));
  const fields = fieldText === "" ? [] : parsing(() => parseFieldSelector(fieldText));
  const known = selectableNames(kind);
  for (const { field } of fields) {
    if (!known.has(field)) throw badRequest(unknownField(kind, field));
  }
  return { labels, fields: name === "" || fields.length > 0 ? fields : [{ field: "metadata.name", operator: "=", value: name }] };
}

export function selects(selection: Selection, resource: Resource, entry: Entry): boolean {
  if (selection.labels !== undefined && !matchesLabels(selection.labels, entry.labels)) return false;
  return selection.fields.length === 0 || matchesFields(selection.fields, resource.fields(entry));
}

export function selectsAll(selection: Selection): boolean {
  return selection.labels === undefined && selection.fields.length === 0;
}

/** Kinds with a hand-written message for an unknown field; the others have the generic one. */
const OWN_LABEL_TEXT = new Set(["Pod", "Node", "Namespace", "ReplicationController", "Event", "Secret"]);

function unknownField(kind: Kind, field: string): string {
  return OWN_LABEL_TEXT.has(kind.kind)
    ? `field label not supported: ${field}`
    : `"${field}" is not a known field selector: only "metadata.name", "metadata.namespace"`;
}

/** The fields are those the kind names for any object, an empty one too. */
function selectableNames(kind: Kind): ReadonlySet<string> {
  let names = selectable.get(kind);
  if (names === undefined) {
    const probe = { apiVersion: kind.version, kind: kind.kind, metadata: {} };
    names = new Set(["metadata.name", "metadata.namespace", ...Object.keys(kind.strategy.fields?.(probe) ?? {})]);
    selectable.set(kind, names);
  }
  return names;
}

const selectable = new WeakMap<Kind, ReadonlySet<string>>();

function parsing<T>(parse: () => T): T {
  try {
    return parse();
  } catch (cause) {
    if (!(cause instanceof SelectorError)) throw cause;
    throw badRequest(cause.message);
  }
}
