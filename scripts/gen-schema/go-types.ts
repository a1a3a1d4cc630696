/** What the generator reads of one Go source package of API types: structs, named types and constants, with their markers. */
export interface GoPackage {
  readonly structs: Map<string, GoStruct>;
  /** `type PodPhase string`, `type ResourceList map[ResourceName]resource.Quantity`, ... */
  readonly named: Map<string, { readonly underlying: string; readonly markers: readonly string[] }>;
  /** Constant values by their declared type. */
  readonly constants: Map<string, string[]>;
  /** Constant values by the constant's name. */
  readonly values: Map<string, string>;
}

export interface GoStruct {
  readonly name: string;
  readonly markers: readonly string[];
  readonly fields: readonly GoField[];
}

export interface GoField {
  readonly name: string;
  readonly type: string;
  readonly embedded: boolean;
  readonly tags: Readonly<Record<string, string>>;
  readonly markers: readonly string[];
}

/** Reads the declarations that API packages use; anything else in the file is passed over. */
export function parseGoTypes(sources: readonly string[]): GoPackage {
  const result: GoPackage = { structs: new Map(), named: new Map(), constants: new Map(), values: new Map() };
  for (const source of sources) parseFile(source, result);
  return result;
}

function parseFile(source: string, into: GoPackage): void {
  const lines = source.split("\n");
  let markers: string[] = [];
  for (let i = 0; i < lines.length; i++) {
    const line = lines[i] ?? "";
    const comment = /^\s*\/\/\s?(.*)$/.exec(line);
    if (comment !== null) {
      const text = (comment[1] ?? "").trim();
      if (text.startsWith("+")) markers.push(text.slice(1));
      continue;
    }
    const struct = /^type (\w+) struct ?\{(\})?/.exec(line);
    if (struct?.[1] !== undefined) {
      const name = struct[1];
      if (struct[2] !== undefined) into.structs.set(name, { name, markers, fields: [] });
      else {
        const [fields, end] = parseFields(lines, i + 1);
        into.structs.set(name, { name, markers, fields });
        i = end;
      }
      markers = [];
      continue;
    }
    const named = /^type (\w+) (?!struct|interface|func)([\w.[\]*]+)\s*$/.exec(line.replace(/\s*\/\/.*$/, ""));
    if (named?.[1] !== undefined && named[2] !== undefined) into.named.set(named[1], { underlying: named[2], markers });
    const constant = /^\s+(\w+)\s+(\w+)\s*=\s*"([^"]*)"/.exec(line) ?? /^const (\w+) (\w+) = "([^"]*)"/.exec(line);
    if (constant?.[1] !== undefined && constant[2] !== undefined && constant[3] !== undefined) {
      const [, name, type, value] = constant;
      const values = into.constants.get(type) ?? [];
      if (!values.includes(value)) values.push(value);
      into.constants.set(type, values);
      into.values.set(name, value);
    }
    if (line.trim() !== "" || line === "") markers = line.trim() === "" && markers.some((m) => m === "enum") ? markers : [];
  }
}

function parseFields(lines: readonly string[], start: number): [GoField[], number] {
  const fields: GoField[] = [];
  let markers: string[] = [];
  for (let i = start; i < lines.length; i++) {
    const line = lines[i] ?? "";
    if (line.startsWith("}")) return [fields, i];
    const comment = /^\s*\/\/\s?(.*)$/.exec(line);
    if (comment !== null) {
      const text = (comment[1] ?? "").trim();
      if (text.startsWith("+")) markers.push(text.slice(1));
      continue;
    }
    const field = /^\s+(\w+)\s+([^\s`]+)\s+`([^`]*)`/.exec(line);
    const embedded = /^\s+\*?([\w.]+)\s+`([^`]*)`/.exec(line);
    if (field?.[1] !== undefined && field[2] !== undefined) {
      fields.push({ name: field[1], type: field[2], embedded: false, tags: parseTags(field[3] ?? ""), markers });
    } else if (embedded?.[1] !== undefined) {
      fields.push({
        name: embedded[1].replace(/^.*\./, ""),
        type: embedded[1],
        embedded: true,
        tags: parseTags(embedded[2] ?? ""),
        markers,
      });
    }
    if (line.trim() !== "") markers = [];
  }
  throw new Error("Cannot parse Go struct: it has no end, wanted a closing brace");
}

function parseTags(text: string): Record<string, string> {
  return Object.fromEntries([...text.matchAll(/(\w+):"([^"]*)"/g)].map((m) => [m[1] ?? "", m[2] ?? ""]));
}
