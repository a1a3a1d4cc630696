import { createServer, connect, type Socket } from "node:net";
import { Duplex, PassThrough, type Readable } from "node:stream";
import { deflateSync } from "node:zlib";
import { afterEach, describe, expect, test } from "vitest";
import { deferred } from "#base/deferred.ts";
import { seededEntropy } from "#base/entropy.ts";
import { SPDY_DICTIONARY } from "./dictionary.ts";
import { formatDataHeader, formatPing, formatRstStream, formatSynReply, formatSynStream, formatWindowUpdate } from "./frame.ts";
import { createHeaderCompressor } from "./header-block.ts";
import { openSpdySession, type SpdySession } from "./session.ts";
import type { SpdyStream } from "./stream.ts";

const { signal } = new AbortController();
const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0).toReversed()) cleanup();
});

describe("openSpdySession()", () => {
  test("S1: carries bytes both ways, each half closing on its own", async () => {
    const { client } = await pair((stream) => {
      stream.reply();
      void text(stream.duplex).then((all) => stream.duplex.end(all.toUpperCase()));
    });
    const stream = await client.open(new Map([["streamtype", "data"]]), signal);
    stream.duplex.end("a half-closed question");
    expect(await text(stream.duplex)).toBe("A HALF-CLOSED QUESTION");
    expect(client.streams).toBe(0);
  });

  test("carries the opener's headers, compressed against all headers before", async () => {
    const seen: Record<string, string>[] = [];
    const { client } = await pair((stream) => {
      seen.push(Object.fromEntries(stream.headers));
      stream.reply();
    });
    for (let i = 0; i < 300; i++)
      await client.open(
        new Map([
          ["Port", String(i)],
          ["requestid", "x".repeat(i)],
        ]),
        signal,
      ); // prettier-ignore
    expect(seen).toEqual(Array.from({ length: 300 }, (_, i) => ({ port: String(i), requestid: "x".repeat(i) })));
  });

  test("S1: carries more than all windows together, on streams side by side", async () => {
    const { client } = await pair((stream) => {
      stream.reply();
      stream.duplex.pipe(stream.duplex);
    });
    const body = "0123456789abcdef".repeat(256 * 1024);
    const echoes = await Promise.all(
      [1, 2, 3].map(async () => {
        const stream = await client.open(new Map(), signal);
        stream.duplex.end(body);
        return text(stream.duplex);
      }),
    );
    expect(echoes.every((echo) => echo === body)).toBe(true);
  });

  test("S2: stops at the window of a stream that nobody reads, and other streams go on", async () => {
    const opened: SpdyStream[] = [];
    const { client } = await pair((stream) => {
      opened.push(stream);
      stream.reply();
      if (opened.length === 2) stream.duplex.pipe(stream.duplex);
    });
    const stuck = await client.open(new Map(), signal);
    const body = "x".repeat(2 * 1024 * 1024);
    stuck.duplex.end(body);
    const lively = await client.open(new Map(), signal);
    lively.duplex.end("still here");
    expect(await text(lively.duplex)).toBe("still here");
    expect(stuck.duplex.writableFinished).toBe(false);
    const [first] = opened;
    expect(first && (await text(first.duplex))).toBe(body);
  });

  test("S2: brakes a peer without windows by the transport alone", async () => {
    const { raw, accepted } = await rawPeer();
    raw.write(formatSynStream(1, createHeaderCompressor().compress(new Map())));
    const stream = await accepted.promise;
    const payload = Buffer.alloc(1024 * 1024, "y");
    let written = 0;
    const writing = deferred();
    void (async () => {
      for (let i = 0; i < 16; i++) {
        raw.write(formatDataHeader(1, payload.length));
        if (!raw.write(payload)) await new Promise((resolve) => raw.once("drain", resolve));
        written++;
      }
      raw.write(formatDataHeader(1, 0, { fin: true }));
      writing.resolve();
    })();
    // Nothing is read yet: kernel buffers and one window fill, then the writer must wait.
    const before = await settled(() => written);
    expect(before).toBeLessThan(16);
    expect((await text(stream.duplex)).length).toBe(16 * payload.length);
    await writing.promise;
  });

  test("does not wait for windows that the peer never opens", async () => {
    const { raw, accepted } = await rawPeer();
    let received = 0;
    raw.on("data", (chunk: Buffer) => (received += chunk.length));
    raw.write(formatSynStream(1, createHeaderCompressor().compress(new Map())));
    const stream = await accepted.promise;
    stream.duplex.end(Buffer.alloc(4 * 1024 * 1024));
    await new Promise((resolve) => stream.duplex.once("finish", resolve));
    await until(() => received > 4 * 1024 * 1024);
  });

  test("S4: a reset leaves what had arrived to be read, and drops what is written", async () => {
    const { raw, accepted } = await rawPeer();
    raw.write(formatSynStream(1, createHeaderCompressor().compress(new Map())));
    const stream = await accepted.promise;
    raw.write(Buffer.concat([formatDataHeader(1, 5), Buffer.from("bytes"), formatRstStream(1, 5)]));
    expect(await text(stream.duplex)).toBe("bytes");
    expect(stream.resetCode).toBe(5);
    await new Promise<void>((resolve) => stream.duplex.end("dropped", resolve));
  });

  test("open() rejects when the peer refuses the stream", async () => {
    const { client } = await pair((stream) => stream.reset(3));
    await expect(client.open(new Map(), signal)).rejects.toThrow("the peer reset it with code 3");
    expect(client.streams).toBe(0);
  });

  test("open() rejects when the session ends first", async () => {
    const { client, server } = await pair(() => undefined);
    const opening = client.open(new Map(), signal);
    await until(() => server.streams === 1);
    server.destroy();
    await expect(opening).rejects.toThrow("it is closed");
  });

  test("ping() resolves with the peer's answer", async () => {
    const { client, server } = await pair(() => undefined);
    await Promise.all([client.ping(signal), server.ping(signal)]);
  });

  test("close() delivers what is queued, then ends the peer's session without an error", async () => {
    const { client, server } = await pair((stream) => {
      stream.reply();
      stream.duplex.end("z".repeat(100_000));
      stream.duplex.once("finish", () => void server.close());
    });
    const stream = await client.open(new Map(), signal);
    expect((await text(stream.duplex)).length).toBe(100_000);
    expect(await client.closed).toBeUndefined();
  });

  test.each([
    ["a version other than 3", Buffer.from([0x80, 2, 0, 1, 0, 0, 0, 0]), "version is 2, wanted 3"],
    ["an oversized control frame", Buffer.from([0x80, 3, 0, 1, 0, 0xff, 0xff, 0xff]), "control frame has 16777215 bytes"],
    ["a truncated SYN_STREAM", Buffer.from([0x80, 3, 0, 1, 0, 0, 0, 2, 0, 0]), "SYN_STREAM has 2 bytes, wanted 10"],
    ["headers that are no zlib stream", formatSynStream(1, Buffer.from("nonsense")), "no zlib header"],
    ["a zlib stream broken inside", formatSynStream(1, Buffer.from([0x78, 0x01, 0xff, 0xff, 0xff])), "Cannot read SPDY headers"],
    ["a dictionary unknown to SPDY", formatSynStream(1, deflateSync("x", { dictionary: Buffer.from("other") })), "is unknown"],
    [
      "a header bomb",
      formatSynStream(1, deflateSync(Buffer.alloc(32 * 1024 * 1024), { dictionary: SPDY_DICTIONARY })),
      "more than 65536 bytes",
    ],
    ["headers that end early", formatSynStream(1, deflateSync(Buffer.from([0, 0, 0, 9]))), "they end at byte 4"],
    ["a stream id of the wrong side", formatSynStream(2, createHeaderCompressor().compress(new Map())), "wrong parity"],
    ["a window past 2^31", Buffer.concat([formatWindowUpdate(0, 0x7fffffff), formatWindowUpdate(0, 0x7fffffff)]), "2^31"],
    ["SETTINGS that lie about their number", Buffer.from([0x80, 3, 0, 4, 0, 0, 0, 4, 0xff, 0xff, 0xff, 0xff]), "SETTINGS of 4294967295"],
  ])("S3: ends the session at %s", async (_name, bytes, message) => {
    const { raw, session } = await rawPeer();
    raw.write(bytes);
    const error = await session.closed;
    expect(error?.message).toContain(message);
    await new Promise((resolve) => raw.resume().once("close", resolve));
  });

  test("S3: survives any damage to a valid conversation", async () => {
    const compressor = createHeaderCompressor();
    const conversation = Buffer.concat([
      formatSynStream(1, compressor.compress(new Map([["streamtype", "data"]]))),
      formatDataHeader(1, 4),
      Buffer.from("data"),
      formatSynStream(3, compressor.compress(new Map([["streamtype", "error"]])), { fin: true }),
      formatWindowUpdate(1, 100),
      formatPing(1),
      formatDataHeader(1, 0, { fin: true }),
      formatRstStream(3, 5),
    ]);
    const { fraction } = seededEntropy(7);
    for (let round = 0; round < 300; round++) {
      const damaged = Buffer.from(conversation);
      for (let hits = 0; hits <= fraction() * 4; hits++) damaged[Math.floor(fraction() * damaged.length)] = Math.floor(fraction() * 256);
      const far = new PassThrough();
      const transport = new Duplex({
        read: () => undefined,
        write: (chunk, _encoding, done) => far.resume().write(chunk, () => done()),
      });
      const onStream = (stream: SpdyStream) => {
        stream.reply();
        stream.duplex.resume();
      };
      const session = openSpdySession(transport, { role: "server", onStream });
      for (let at = 0; at < damaged.length; ) {
        const next = at + 1 + Math.floor(fraction() * 40);
        transport.push(damaged.subarray(at, next));
        at = next;
      }
      transport.push(null);
      await session.closed;
    }
  });

  test("S3: ends the session of a peer that asks without reading the answers", async () => {
    const { raw, session } = await rawPeer();
    raw.pause();
    const flood = Buffer.concat(Array.from({ length: 50_000 }, (_, i) => formatPing(2 * i + 1)));
    const flooding = (async () => {
      while (!raw.destroyed && raw.writable) {
        if (!raw.write(flood)) await new Promise<void>((resolve) => raw.once("drain", resolve).once("close", resolve));
      }
    })();
    expect((await session.closed)?.message).toContain("without reading the answers");
    raw.destroy();
    await flooding;
  });

  test("ignores what comes for streams that are gone, and unknown frame types", async () => {
    const { raw, accepted, session } = await rawPeer();
    raw.write(Buffer.from([0x80, 3, 0, 77, 0, 0, 0, 3, 1, 2, 3]));
    raw.write(formatSynStream(1, createHeaderCompressor().compress(new Map()), { fin: true }));
    const stream = await accepted.promise;
    stream.duplex.end();
    await until(() => session.streams === 0);
    raw.write(
      Buffer.concat([formatDataHeader(1, 4), Buffer.from("late"), formatSynReply(9, Buffer.alloc(0)).subarray(0, 0), formatPing(7)]),
    );
    await new Promise((resolve) => raw.once("data", resolve));
    raw.end();
    expect(await session.closed).toBeUndefined();
  });
});

/** A session whose peer is a plain socket that the test writes to. */
async function rawPeer() {
  const accepted = deferred<SpdyStream>();
  const { near, far } = await sockets();
  far.on("error", () => undefined);
  const session = openSpdySession(near, {
    role: "server",
    onStream(stream) {
      stream.reply();
      accepted.resolve(stream);
    },
  });
  return { raw: far, session, accepted };
}

async function pair(onStream: (stream: SpdyStream) => void): Promise<{ client: SpdySession; server: SpdySession }> {
  const { near, far } = await sockets();
  return { server: openSpdySession(near, { role: "server", onStream }), client: openSpdySession(far, { role: "client" }) };
}

async function sockets(): Promise<{ near: Socket; far: Socket }> {
  const near = deferred<Socket>();
  const server = createServer({ allowHalfOpen: true }, near.resolve);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  const far = connect({ port: address.port, host: "127.0.0.1" });
  const accepted = await near.promise;
  server.close();
  cleanups.push(
    () => far.destroy(),
    () => accepted.destroy(),
  );
  return { near: accepted, far };
}

/** Reads to the end and, unlike an iteration over it, leaves a Duplex's other half alone. */
async function text(readable: Readable): Promise<string> {
  const chunks: Buffer[] = [];
  readable.on("data", (chunk: Buffer) => chunks.push(chunk));
  await new Promise((resolve) => readable.once("end", resolve));
  return Buffer.concat(chunks).toString();
}

async function until(condition: () => boolean): Promise<void> {
  for (let i = 0; !condition(); i++) {
    if (i > 2000) throw new Error("condition did not come true");
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** The value once it has not changed for a while. */
async function settled(value: () => number): Promise<number> {
  let last = value();
  for (let same = 0; same < 20; ) {
    await new Promise((resolve) => setTimeout(resolve, 10));
    same = value() === last ? same + 1 : 0;
    last = value();
  }
  return last;
}
