import { notAcceptable } from "#machinery/status.ts";

export type Format = "json" | "yaml" | "protobuf";
export type Transform = "none" | "Table" | "PartialObjectMetadata" | "PartialObjectMetadataList";

/** How an answer is to be written. */
export interface Representation {
  readonly format: Format;
  readonly transform: Transform;
  /** `application/json;stream=watch` was asked for (protobuf clients say so). */
  readonly stream: boolean;
  readonly pretty: boolean;
}

export interface AcceptClause {
  readonly type: string;
  readonly params: Readonly<Record<string, string>>;
  readonly q: number;
}

const FORMATS: Readonly<Record<string, Format>> = {
  "application/json": "json",
  "application/yaml": "yaml",
  "application/vnd.kubernetes.protobuf": "protobuf",
  "application/*": "json",
  "*/*": "json",
};

export const MEDIA_TYPES: Readonly<Record<Format, string>> = {
  json: "application/json",
  yaml: "application/yaml",
  protobuf: "application/vnd.kubernetes.protobuf",
};

const ACCEPTED = "application/json, application/yaml, application/vnd.kubernetes.protobuf";

/** Clauses of an Accept header, best quality first, otherwise in order. */
export function parseAccept(header: string | undefined): readonly AcceptClause[] {
  if (header === undefined || header.trim() === "") return [{ type: "*/*", params: {}, q: 1 }];
  const known = cache.get(header);
  if (known !== undefined) return known;
  const clauses = header.split(",").map((text): AcceptClause => {
    const [type = "", ...rest] = text.split(";").map((part) => part.trim());
    const params: Record<string, string> = {};
    for (const part of rest) {
      const equals = part.indexOf("=");
      if (equals > 0) params[part.slice(0, equals).trim().toLowerCase()] = part.slice(equals + 1).trim();
    }
    const q = params["q"] === undefined ? 1 : Number(params["q"]);
    return { type: type.toLowerCase(), params, q: Number.isFinite(q) ? q : 0 };
  });
  const sorted = clauses.filter((clause) => clause.q > 0).toSorted((a, b) => b.q - a.q);
  if (cache.size > 500) cache.clear(); // headers are the client's: never more than a few kinds in good use
  cache.set(header, sorted);
  return sorted;
}

const cache = new Map<string, readonly AcceptClause[]>();

export interface NegotiateOptions {
  readonly transforms: readonly Transform[];
  readonly formats?: readonly Format[];
  readonly pretty?: boolean;
}

/** The first clause of the Accept header that this server can serve; throws 406. */
export function negotiate(accept: string | undefined, options: NegotiateOptions): Representation {
  const { transforms, formats = ["json", "yaml", "protobuf"], pretty = false } = options;
  for (const { type, params } of parseAccept(accept)) {
    const format = FORMATS[type];
    if (format === undefined || !formats.includes(format)) continue;
    const as = params["as"];
    const transform = as === undefined ? "none" : transforms.find((candidate) => candidate === as);
    if (transform === undefined) continue;
    if (transform === "Table" && format === "protobuf") continue;
    if (as !== undefined && (params["g"] !== "meta.k8s.io" || params["v"] !== "v1")) continue;
    return { format, transform, stream: params["stream"] === "watch", pretty: format === "json" && pretty };
  }
  throw notAcceptable(`only the following media types are accepted: ${ACCEPTED}`);
}

export function contentTypeOf(representation: Representation, watching = false): string {
  const { format, stream } = representation;
  return watching && (stream || format === "protobuf") ? `${MEDIA_TYPES[format]};stream=watch` : MEDIA_TYPES[format];
}

/** People with a browser, curl or wget get indented JSON, as upstream gives them. */
export function wantsPretty(query: URLSearchParams, userAgent: string | undefined): boolean {
  const asked = query.get("pretty");
  if (asked !== null) return asked !== "false" && asked !== "0";
  return userAgent !== undefined && /^(curl|Wget|Mozilla\/5\.0)/.test(userAgent);
}
