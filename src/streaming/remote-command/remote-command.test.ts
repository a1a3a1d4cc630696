import { createServer, type Server } from "node:http";
import { PassThrough, type Readable } from "node:stream";
import { afterEach, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { systemClock } from "#base/node/system-clock.ts";
import { acceptRemoteCommand } from "./accept.ts";
import { runRemoteCommand } from "./client.ts";
import type { RemoteCommandOptions, RemoteCommandStreams, TerminalSize } from "./contract.ts";
import { exitCodeOf, exitStatus, SUCCESS } from "./status.ts";

const { signal } = new AbortController();
const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.close();
    server.closeAllConnections();
  }
});

const ALL: RemoteCommandOptions = { stdin: true, stdout: true, stderr: true, tty: false };
const TTY: RemoteCommandOptions = { stdin: true, stdout: true, stderr: false, tty: true };

/** A command: copies stdin to stdout, says so on stderr, ends with code 3. */
async function echo(streams: RemoteCommandStreams): Promise<void> {
  streams.stderr?.write("echoing\n");
  const all = streams.stdin === undefined ? "" : await textOf(streams.stdin);
  streams.stdout?.write(all);
  await streams.finish(exitStatus(3));
}

describe("acceptRemoteCommand() over SPDY", () => {
  test("carries stdin with its end, stdout, stderr and the exit code", async () => {
    const url = await serve(ALL, echo);
    const ends = localEnds();
    ends.stdin.end("x".repeat(1_000_000));
    const status = await runRemoteCommand(url, ALL, ends, { signal });
    expect(status).toEqual(exitStatus(3));
    expect(exitCodeOf(status)).toBe(3);
    expect(ends.stderrText()).toBe("echoing\n");
    expect(ends.stdoutText()).toBe("x".repeat(1_000_000));
  });

  test("carries terminal sizes and no stderr with a terminal", async () => {
    const url = await serve(TTY, async (streams) => {
      const sizes: TerminalSize[] = [];
      for await (const size of streams.resize) if (sizes.push(size) === 2) break;
      streams.stdout?.write(JSON.stringify({ sizes, stderr: streams.stderr !== undefined }));
      await streams.finish(SUCCESS);
    });
    const ends = localEnds([
      { Width: 80, Height: 24 },
      { Width: 132, Height: 43 },
    ]);
    expect(await runRemoteCommand(url, TTY, ends, { signal })).toEqual(SUCCESS);
    expect(JSON.parse(ends.stdoutText())).toEqual({
      sizes: [
        { Width: 80, Height: 24 },
        { Width: 132, Height: 43 },
      ],
      stderr: false,
    });
  });

  test("aborts the streams' signal and ends stdin when the client goes away", async () => {
    let ended: Promise<void> | undefined;
    const url = await serve(ALL, async (streams) => {
      ended = new Promise((resolve) => streams.signal.addEventListener("abort", () => resolve()));
      client.abort();
      await ended;
      if (streams.stdin !== undefined) await textOf(streams.stdin);
      await streams.finish(SUCCESS);
    });
    const client = new AbortController();
    await expect(runRemoteCommand(url, ALL, { ...localEnds(), signal: client.signal }, { signal })).resolves.toMatchObject({
      status: "Failure",
    });
    await ended;
  });

  test("refuses protocols it does not know, in upstream's words", async () => {
    const url = await serve(ALL, echo);
    const { dialSpdy } = await import("../dial-spdy.ts");
    await expect(dialSpdy(url, { signal, protocols: ["v9.channel.k8s.io"] })).rejects.toThrow(
      "unable to upgrade: unable to negotiate protocol: client supports [v9.channel.k8s.io], server accepts [v4.channel.k8s.io v3.channel.k8s.io v2.channel.k8s.io channel.k8s.io]",
    );
  });
});

describe("acceptRemoteCommand() over WebSocket", () => {
  test("v5: the close channel ends stdin, the status comes as JSON, the connection closes with 1000", async () => {
    const ws = await connect(await serve(ALL, echo), "v5.channel.k8s.io");
    ws.send(Buffer.from([0, ...Buffer.from("hello")]));
    ws.send(Buffer.from([255, 0]));
    const { messages, code } = await ws.all;
    expect(messages.map((message) => [message[0], message.toString("utf8", 1)])).toEqual([
      [1, ""],
      [2, "echoing\n"],
      [1, "hello"],
      [3, JSON.stringify(exitStatus(3))],
    ]);
    expect(code).toBe(1000);
  });

  test("v4: the close channel means nothing; resize arrives on channel 4", async () => {
    const url = await serve(TTY, async (streams) => {
      for await (const size of streams.resize) {
        streams.stdout?.write(JSON.stringify(size));
        break;
      }
      await streams.finish(SUCCESS);
    });
    const ws = await connect(url, "v4.channel.k8s.io");
    ws.send(Buffer.from([255, 0]));
    ws.send(Buffer.from([4, ...Buffer.from('{"Width":100,"Height":30}')]));
    const { messages } = await ws.all;
    expect(messages.map(String)).toEqual(["\u0001", '\u0001{"Width":100,"Height":30}', '\u0003{"metadata":{},"status":"Success"}']);
  });

  test("base64: channels are digits and bytes are base64 text; a failure is its message", async () => {
    const url = await serve(ALL, async (streams) => {
      streams.stdin?.once("data", (chunk: Buffer) =>
        streams.stdout?.write(chunk.toString().toUpperCase(), () => void streams.finish(exitStatus(3))),
      ); // prettier-ignore
    });
    const ws = await connect(url, "base64.channel.k8s.io");
    ws.send(`0${Buffer.from("shout").toString("base64")}`);
    const { messages } = await ws.all;
    expect(
      messages.map((message) => `${message.toString("latin1", 0, 1)} ${Buffer.from(message.toString("latin1", 1), "base64").toString()}`),
    ).toEqual(["1 ", "1 SHOUT", "3 command terminated with non-zero exit code: exit status 3"]); // prettier-ignore
  });

  test("refuses a client with unknown subprotocols only", async () => {
    const url = await serve(ALL, echo);
    const ws = new WebSocket(url, ["v9.channel.k8s.io"]);
    const failed = await new Promise<Error>((resolve) => ws.once("error", resolve));
    expect(failed.message).toBe("Unexpected server response: 403");
  });

  test("slows the command down to a client that does not read", async () => {
    let written = 0;
    const url = await serve(ALL, async (streams) => {
      const chunk = Buffer.alloc(1024 * 1024);
      for (let i = 0; i < 64 && !streams.signal.aborted; i++) {
        await new Promise((resolve) => streams.stdout?.write(chunk, resolve));
        written++;
      }
      await streams.finish(SUCCESS);
    });
    const ws = await connect(url, "v5.channel.k8s.io");
    ws.pause();
    let last = -1;
    while (last !== written) {
      last = written;
      await new Promise((resolve) => setTimeout(resolve, 300));
    }
    expect(written).toBeLessThan(64);
    ws.resume();
    const { messages } = await ws.all;
    expect(messages.reduce((bytes, message) => bytes + (message[0] === 1 ? message.length - 1 : 0), 0)).toBe(64 * 1024 * 1024);
  });
});

async function serve(options: RemoteCommandOptions, command: (streams: RemoteCommandStreams) => Promise<void>): Promise<URL> {
  const server = createServer();
  server.on("upgrade", (request, socket, head) => {
    void acceptRemoteCommand({ request, socket, head }, options, { clock: systemClock }).then((streams) => streams && command(streams));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  servers.push(server);
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return new URL(`http://127.0.0.1:${address.port}/exec`);
}

async function connect(url: URL, protocol: string) {
  const ws = new WebSocket(url, [protocol]);
  const messages: Buffer[] = [];
  ws.on("message", (raw: Buffer) => messages.push(raw));
  const all = new Promise<{ messages: Buffer[]; code: number }>((resolve) => ws.once("close", (code) => resolve({ messages, code })));
  await new Promise((resolve, reject) => ws.once("open", resolve).once("error", reject));
  return Object.assign(ws, { all });
}

function localEnds(sizes: readonly TerminalSize[] = []) {
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  const sink = (chunks: Buffer[]) => new PassThrough().on("data", (chunk: Buffer) => chunks.push(chunk));
  return {
    stdin: new PassThrough(),
    stdout: sink(stdout),
    stderr: sink(stderr),
    stdoutText: () => Buffer.concat(stdout).toString(),
    stderrText: () => Buffer.concat(stderr).toString(),
    resize: (async function* () {
      yield* sizes;
    })(),
    signal,
  };
}

async function textOf(readable: Readable): Promise<string> {
  const chunks: Buffer[] = [];
  readable.on("data", (chunk: Buffer) => chunks.push(chunk));
  if (!readable.readableEnded) await new Promise((resolve) => readable.once("end", resolve).once("close", resolve));
  return Buffer.concat(chunks).toString();
}
