import { createSocket } from "node:dgram";
import { once } from "node:events";
import { createServer, connect } from "node:net";
import { describe, expect, test } from "vitest";
import { createFakeClock } from "#base/clock.ts";
import { silentLog as log } from "#base/log.ts";
import { conformancePort } from "../conformance.ts";
import { createBalancer } from "./balancer.ts";
import { behindListeners, roadsOf } from "./render.ts";
import { listenTcp } from "./tcp.ts";
import { listenUdp } from "./udp.ts";

const a = { ip: "10.0.1.2", port: 8080, local: true };
const b = { ip: "10.0.2.3", port: 8080, local: false };

describe("createBalancer()", () => {
  test("B1: takes endpoints in turn", () => {
    const balancer = createBalancer({ clock: createFakeClock() });
    expect(balancer.choose("c")).toBeUndefined();
    balancer.update([a, b], 0);
    expect([1, 2, 3, 4].map(() => balancer.choose("c"))).toEqual([a, b, a, b]);
    expect(balancer.choose("c", new Set([a, b]))).toBeUndefined();
  });

  test("B2: a client keeps its endpoint until that is gone or the time is over", async () => {
    const clock = createFakeClock();
    const balancer = createBalancer({ clock });
    balancer.update([a, b], 60);
    expect([1, 2, 3].map(() => balancer.choose("c"))).toEqual([a, a, a]);
    expect(balancer.choose("d")).toEqual(b);
    await clock.advance(60_000);
    balancer.choose("other");
    expect(balancer.choose("c")).toEqual(b);
    balancer.update([a], 60);
    expect(balancer.choose("c")).toEqual(a);
  });
});

describe("behindListeners()", () => {
  test("a port keeps the difference between no endpoint and no local endpoint", () => {
    const port = conformancePort({ internal: [], internalPolicy: "Local" });
    expect(roadsOf(port)).toEqual([]);
    const behind = behindListeners(port, "192.168.0.1", new Map());
    expect(behind.internal).toEqual([]);
    expect(behind.cluster).toHaveLength(2);
  });

  test("SCTP has no listeners and becomes a port without endpoints", () => {
    const port = conformancePort({ protocol: "SCTP" });
    expect(roadsOf(port)).toEqual([]);
    expect(behindListeners(port, "192.168.0.1", new Map())).toMatchObject({ internal: [], external: [], cluster: [] });
  });
});

test("listenTcp() asks the next endpoint when one refuses, and passes half-closed connections on", async () => {
  const echo = createServer({ allowHalfOpen: true }, (socket) => void socket.pipe(socket)).listen(0, "127.0.0.1");
  await once(echo, "listening");
  const address = echo.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  const balancer = createBalancer({ clock: createFakeClock() });
  balancer.update(
    [
      { ip: "127.0.0.1", port: 1, local: true },
      { ip: "127.0.0.1", port: address.port, local: true },
    ],
    0,
  );
  const listener = await listenTcp({ balancer, log }, { address: "127.0.0.1" });
  const client = connect({ host: "127.0.0.1", port: listener.port, allowHalfOpen: true });
  client.end("through"); // the echo comes back after our side has ended
  let text = "";
  for await (const chunk of client) text += String(chunk);
  expect(text).toBe("through");
  await listener.close();
  echo.close();
});

test("listenUdp() forgets idle clients, and those of an endpoint that is gone", async () => {
  const clock = createFakeClock();
  const seen: number[] = [];
  const echo = createSocket("udp4").on("message", (message, from) => {
    seen.push(from.port);
    echo.send(message, from.port, from.address);
  });
  echo.bind(0, "127.0.0.1");
  await once(echo, "listening");
  const endpoint = { ip: "127.0.0.1", port: echo.address().port, local: true };
  const balancer = createBalancer({ clock });
  balancer.update([endpoint], 0);
  const listener = await listenUdp({ balancer, clock, log }, { address: "127.0.0.1", idleMs: 1000 });
  const client = createSocket("udp4");
  const ask = async () => {
    client.send("x", listener.port, "127.0.0.1");
    await once(client, "message");
  };
  await ask();
  await ask();
  expect(new Set(seen).size).toBe(1);
  await clock.advance(2000);
  await ask();
  expect(new Set(seen).size).toBe(2);
  balancer.update([], 0);
  listener.changed();
  balancer.update([endpoint], 0);
  await ask();
  expect(new Set(seen).size).toBe(3);
  await listener.close();
  for (const socket of [client, echo]) socket.close();
});
