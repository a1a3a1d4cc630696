import {
  type Answer,
  AUTHORITATIVE_ANSWER,
  decode,
  encode,
  type Packet,
  RECURSION_AVAILABLE,
  RECURSION_DESIRED,
  TRUNCATED_RESPONSE,
} from "dns-packet";
import { answer, type DnsRecord, type ZoneView } from "./zone.ts";

/** What to do with one query. */
export type Handled =
  | { readonly do: "answer"; readonly packet: Buffer }
  /** Not for the cluster's zone. */
  | { readonly do: "forward"; readonly question: string }
  /** Not even a header: say nothing. */
  | { readonly do: "ignore" };

export interface HandlerOptions {
  /** Seconds a client may keep a positive answer. @default 5 */
  readonly ttlSeconds?: number;
  readonly transport: "udp" | "tcp";
}

const RCODE = { NOERROR: 0, FORMERR: 1, SERVFAIL: 2, NXDOMAIN: 3, NOTIMP: 4, REFUSED: 5 } as const;
const OPCODE_MASK = 0x7800;
/** Without EDNS a UDP answer has at most this many bytes (RFC 1035). */
const CLASSIC_UDP_LIMIT = 512;

/** Answers one DNS message from the zone. Pure: the caller sends and forwards. */
export function handleQuery(zone: ZoneView, message: Buffer, { ttlSeconds = 5, transport }: HandlerOptions): Handled {
  const query = parse(message);
  if (query === undefined) return message.length < 12 ? { do: "ignore" } : { do: "answer", packet: bare(message, RCODE.FORMERR) };
  if (query.type !== "query") return { do: "ignore" };
  if (((query.flags ?? 0) & OPCODE_MASK) !== 0) return { do: "answer", packet: bare(message, RCODE.NOTIMP) };
  const [question, ...more] = query.questions ?? [];
  if (question === undefined || more.length > 0) return { do: "answer", packet: bare(message, RCODE.FORMERR) };

  const name = question.name.toLowerCase().replace(/\.$/, "");
  const found = answer(zone, name, question.type);
  if (found.found === "elsewhere") return { do: "forward", question: name };

  const records = found.found === "records" ? found.records : [];
  const additional = found.found === "records" ? found.additional : [];
  const edns = query.additionals?.find((a) => a.type === "OPT");
  const reply: Packet = {
    id: query.id ?? 0,
    type: "response",
    flags:
      AUTHORITATIVE_ANSWER |
      RECURSION_AVAILABLE |
      ((query.flags ?? 0) & RECURSION_DESIRED) |
      (found.found === "nxdomain" ? RCODE.NXDOMAIN : RCODE.NOERROR),
    questions: [question],
    answers: records.map((record) => toAnswer(record, ttlSeconds)),
    authorities: records.length > 0 ? [] : [startOfAuthority(zone.domain, ttlSeconds)],
    additionals: [
      ...additional.map((record) => toAnswer(record, ttlSeconds)),
      ...(edns === undefined
        ? []
        : [
            {
              name: ".",
              type: "OPT" as const,
              udpPayloadSize: 1232,
              extendedRcode: 0,
              ednsVersion: 0,
              flags: 0,
              flag_do: false,
              options: [],
            },
          ]),
    ],
  };
  const limit =
    transport === "tcp"
      ? 65_535
      : edns?.type === "OPT"
        ? Math.min(Math.max(edns.udpPayloadSize, CLASSIC_UDP_LIMIT), 4096)
        : CLASSIC_UDP_LIMIT;
  return { do: "answer", packet: fitted(reply, limit) };
}

/** An answer with only a response code, for queries that could not be answered: `SERVFAIL` when no forwarder answers. */
export function failure(message: Buffer, code: "SERVFAIL" | "REFUSED"): Buffer {
  return bare(message, RCODE[code]);
}

function parse(message: Buffer): Packet | undefined {
  try {
    return decode(message);
  } catch (cause) {
    if (cause instanceof Error) return undefined; // dns-packet throws plain errors for malformed messages
    throw cause;
  }
}

/** The query's header and nothing else, marked as a response. */
function bare(message: Buffer, code: number): Buffer {
  const header = Buffer.alloc(12);
  message.copy(header, 0, 0, 2);
  header.writeUInt16BE(0x8000 | RECURSION_AVAILABLE | (message.readUInt16BE(2) & (RECURSION_DESIRED | OPCODE_MASK)) | code, 2);
  return header;
}

function fitted(reply: Packet, limit: number): Buffer {
  const whole = encode(reply);
  if (whole.length <= limit) return whole;
  const withoutAdditional = encode({ ...reply, additionals: (reply.additionals ?? []).filter((a) => a.type === "OPT") });
  if (withoutAdditional.length <= limit) return withoutAdditional;
  return encode({
    ...reply,
    flags: (reply.flags ?? 0) | TRUNCATED_RESPONSE,
    answers: [],
    authorities: [],
    additionals: (reply.additionals ?? []).filter((a) => a.type === "OPT"),
  });
}

function toAnswer(record: DnsRecord, ttl: number): Answer {
  switch (record.type) {
    case "A":
    case "AAAA":
      return { name: record.name, type: record.type, ttl, data: record.address };
    case "CNAME":
    case "PTR":
      return { name: record.name, type: record.type, ttl, data: record.target };
    case "TXT":
      return { name: record.name, type: "TXT", ttl, data: record.text };
    case "SRV":
      return {
        name: record.name,
        type: "SRV",
        ttl,
        data: { target: record.target, port: record.port, priority: record.priority, weight: record.weight },
      };
  }
}

/** Tells resolvers how long a negative answer holds. */
function startOfAuthority(domain: string, ttl: number): Answer {
  return {
    name: domain,
    type: "SOA",
    ttl,
    data: { mname: `ns.dns.${domain}`, rname: `hostmaster.${domain}`, serial: 1, refresh: 7200, retry: 1800, expire: 86_400, minimum: ttl },
  };
}
