import type { Clock } from "#base/clock.ts";
import { StatusError, timeout, tooManyRequests } from "#machinery/status.ts";
import type { Exchange, Stage } from "./exchange.ts";

export interface InFlightLimits {
  /** Requests under way at once, without watches and streams; more are refused with 429. @default 1000 */
  readonly requests?: number;
  /** Time one of them may take. @default 60_000 */
  readonly timeoutMs?: number;
}

const STREAMED = new Set(["log", "exec", "attach", "portforward", "proxy"]);

/** Watches, logs and connections last as long as they are wanted. */
export function isLongRunning({ info }: Pick<Exchange, "info">): boolean {
  return info.isResource && (info.verb === "watch" || STREAMED.has(info.subresource));
}

/** Before work is done for a request: not too many at once, and none for ever. */
export function limitInFlight(clock: Clock, { requests = 1000, timeoutMs = 60_000 }: InFlightLimits = {}): Stage {
  let underWay = 0;
  return {
    name: "limitInFlight",
    run: async (exchange, next) => {
      if (isLongRunning(exchange)) return next(exchange);
      if (underWay >= requests) throw tooManyRequests("Too many requests, please try again later.", 1);
      underWay++;
      const done = new AbortController();
      try {
        const late = clock
          .sleep(timeoutMs, done.signal)
          .then((): StatusError | undefined =>
            done.signal.aborted ? undefined : timeout("request did not complete within the allotted timeout"),
          );
        const answer = next(exchange);
        const first = await Promise.race([answer, late]);
        if (!(first instanceof StatusError)) return await answer;
        answer.catch(() => undefined); // its client has been answered already
        throw first;
      } finally {
        done.abort(DONE);
        underWay--;
      }
    },
  };
}

/** One for all: making an error for every request would cost more than the rest of this stage. */
const DONE = new Error("the request has been answered");
