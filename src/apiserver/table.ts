import type { TableColumnDefinition } from "#machinery/api/meta-v1.ts";
import type { Column, Kind } from "#kinds/kind.ts";
import type { KubeObject } from "#machinery/object.ts";
import { createdAtColumn, nameColumn } from "#kinds/printing.ts";

export type IncludeObject = "None" | "Metadata" | "Object";

export interface Row {
  readonly cells: readonly (string | number | boolean | null)[];
  readonly object?: unknown;
}

/** One printed row of an object. A printer that fails says so in its cell instead of taking the whole table down. */
export function tableRow(kind: Kind, object: KubeObject, include: IncludeObject, now: number): Row {
  const cells = columnsOf(kind).map((column) => column.cell(object, now));
  switch (include) {
    case "None":
      return { cells };
    case "Object":
      return { cells, object };
    case "Metadata":
      return { cells, object: partialMetadata(object) };
  }
}

export function partialMetadata(object: KubeObject): object {
  return { kind: "PartialObjectMetadata", apiVersion: "meta.k8s.io/v1", metadata: object.metadata };
}

export function columnDefinitions(kind: Kind): readonly TableColumnDefinition[] {
  let known = definitions.get(kind);
  if (known === undefined) {
    known = columnsOf(kind).map(({ name, type, format = "", description, wide }) => ({
      name,
      type,
      format,
      description,
      priority: wide === true ? 1 : 0,
    }));
    definitions.set(kind, known);
  }
  return known;
}

const definitions = new WeakMap<Kind, readonly TableColumnDefinition[]>();

function columnsOf(kind: Kind): readonly Column<KubeObject>[] {
  return kind.columns.length > 0 ? kind.columns : DEFAULT_COLUMNS;
}

const DEFAULT_COLUMNS: readonly Column<KubeObject>[] = [nameColumn, createdAtColumn];
