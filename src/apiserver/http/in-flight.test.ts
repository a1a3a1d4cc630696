import { expect, test } from "vitest";
import { createFakeClock } from "#base/clock.ts";
import { deferred } from "#base/deferred.ts";
import { textAnswer } from "./answer.ts";
import type { Answer, Exchange } from "./exchange.ts";
import { limitInFlight } from "./in-flight.ts";
import { parseRequestInfo } from "./request-info.ts";

function exchange(path: string): Exchange {
  const [only = "", query = ""] = path.split("?");
  return { info: parseRequestInfo("GET", only, new URLSearchParams(query)) } as Exchange;
}

test("limitInFlight() refuses what is too much, but no watches", async () => {
  const stage = limitInFlight(createFakeClock(), { requests: 1 });
  const slow = deferred<Answer>();
  const first = stage.run(exchange("/api/v1/pods"), () => slow.promise);
  await expect(stage.run(exchange("/api/v1/pods"), () => slow.promise)).rejects.toMatchObject({
    status: { code: 429, message: "Too many requests, please try again later.", details: { retryAfterSeconds: 1 } },
  });
  const watching = stage.run(exchange("/api/v1/pods?watch=true"), () => slow.promise);
  slow.resolve(textAnswer(200, "ok"));
  await Promise.all([first, watching]);
  await expect(stage.run(exchange("/api/v1/pods"), () => slow.promise)).resolves.toMatchObject({ status: 200 });
});

test("limitInFlight() answers 504 when a request takes too long", async () => {
  const clock = createFakeClock();
  const stage = limitInFlight(clock, { timeoutMs: 1000 });
  const failure = stage.run(exchange("/api/v1/pods"), () => deferred<Answer>().promise).catch((cause: unknown) => cause);
  await clock.advance(1000);
  expect(await failure).toMatchObject({ status: { code: 504, reason: "Timeout" } });
  expect(clock.sleeping()).toBe(0);
});
