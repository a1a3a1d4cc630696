import { randomUUID } from "node:crypto";
import { BugError } from "#base/invariant.ts";
import type { Clock } from "#base/clock.ts";
import type { Metrics } from "./metrics.ts";
import type { Log } from "#base/log.ts";
import { badRequest, internalError, pathNotFound, serviceUnavailable, StatusError } from "#machinery/status.ts";
import { StoreUnavailableError } from "#store/contract.ts";
import type { Authenticator } from "./auth/authenticate.ts";
import type { Authorizer } from "./auth/authorize.ts";
import { attributesOf, forbiddenFor } from "./auth/authorize.ts";
import { impersonated } from "./auth/impersonate.ts";
import { limitInFlight } from "./http/in-flight.ts";
import { statusAnswer } from "./http/answer.ts";
import { ClientGoneError } from "./http/connection.ts";
import type { Exchange, Stage } from "./http/exchange.ts";

export interface PipelineDeps {
  readonly log: Log;
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly authenticate: Authenticator;
  readonly authorize: Authorizer;
}

/** The stages in their order: each sees a request before those after it. The first line of each says why it sits there. */
export function pipeline(deps: PipelineDeps): readonly Stage[] {
  return [
    measure(deps),
    answerErrors(deps),
    auditId,
    limitUrl,
    limitInFlight(deps.clock),
    authenticate(deps),
    impersonate(deps),
    authorize(deps),
  ];
}

/** Outside of everything: it must see every answer, those about errors too. */
function measure({ metrics, clock }: PipelineDeps): Stage {
  return {
    name: "measure",
    run: async (exchange, next) => {
      const started = clock.now();
      const answer = await next(exchange);
      metrics.observe(exchange.info, answer.kind === "hijacked" ? 101 : answer.status, (clock.now() - started) / 1000);
      if (answer.kind !== "stream") return answer;
      return {
        ...answer,
        run: async (sink, signal) => {
          const done = metrics.watching(exchange.info);
          try {
            await answer.run(sink, signal);
          } finally {
            done();
          }
        },
      };
    },
  };
}

/** Around all that can fail: whatever goes wrong further in becomes a Status, and a bug of ours is logged once and costs one request. */
function answerErrors({ log }: PipelineDeps): Stage {
  return {
    name: "answerErrors",
    run: async (exchange, next) => {
      try {
        return await next(exchange);
      } catch (cause) {
        if (cause instanceof StatusError) return statusAnswer(cause);
        if (cause instanceof ClientGoneError || exchange.signal.aborted)
          return statusAnswer(serviceUnavailable("the request was cancelled"));
        if (cause instanceof StoreUnavailableError) {
          log.error("The store refused a request", { path: exchange.path, cause });
          return statusAnswer(serviceUnavailable(cause.message));
        }
        log.error("A request failed", { method: exchange.method, path: exchange.path, bug: cause instanceof BugError, cause });
        return statusAnswer(internalError(cause));
      }
    },
  };
}

/** Before anything can answer: every answer carries the id that logs know it by. */
const auditId: Stage = {
  name: "auditId",
  run: (exchange, next) => {
    const given = exchange.headers["audit-id"];
    exchange.answerHeaders["audit-id"] = typeof given === "string" && given !== "" && given.length <= 64 ? given : randomUUID();
    exchange.answerHeaders["cache-control"] = "no-cache, private";
    return next(exchange);
  },
};

/** Before any work is done for it: a URL that cannot be meant. */
const limitUrl: Stage = {
  name: "limitUrl",
  run: (exchange, next) => {
    if (exchange.path.length > 8192) throw badRequest("the request path is too long");
    if (!exchange.path.startsWith("/")) throw pathNotFound();
    return next(exchange);
  },
};

/** Before impersonation and authorization, which go by the user. */
function authenticate({ authenticate }: PipelineDeps): Stage {
  return {
    name: "authenticate",
    run: async (exchange, next) => {
      exchange.user = await authenticate(exchange);
      return next(exchange);
    },
  };
}

/** Between the two: it changes who is authorized. */
function impersonate({ authorize }: PipelineDeps): Stage {
  return {
    name: "impersonate",
    run: async (exchange, next) => {
      exchange.user = await impersonated(exchange, authorize);
      return next(exchange);
    },
  };
}

/** Last: nothing after it asks again who may do what. */
function authorize({ authorize }: PipelineDeps): Stage {
  return {
    name: "authorize",
    run: async (exchange: Exchange, next) => {
      const attributes = attributesOf(exchange);
      const decision = await authorize(attributes);
      if (!decision.allowed) throw forbiddenFor(attributes, decision.reason);
      return next(exchange);
    },
  };
}
