import { randomUUID } from "node:crypto";
import { BugError } from "#base/invariant.ts";
import type { Log } from "#base/log.ts";
import { badRequest, forbidden, internalError, pathNotFound, serviceUnavailable, StatusError } from "#machinery/status.ts";
import { StoreUnavailableError } from "#store/contract.ts";
import type { Authenticator } from "./auth/authenticate.ts";
import type { Authorizer } from "./auth/authorize.ts";
import { attributesOf, forbiddenFor } from "./auth/authorize.ts";
import { statusAnswer } from "./http/answer.ts";
import { ClientGoneError } from "./http/connection.ts";
import type { Exchange, Stage } from "./http/exchange.ts";

export interface PipelineDeps {
  readonly log: Log;
  readonly authenticate: Authenticator;
  readonly authorize: Authorizer;
}

/** The stages in their order: each sees a request before those after it. The first line of each says why it sits there. */
export function pipeline(deps: PipelineDeps): readonly Stage[] {
  return [answerErrors(deps), auditId, limitUrl, authenticate(deps), impersonate, authorize(deps)];
}

/** Outermost: whatever goes wrong further in becomes a Status, and a bug of ours is logged once and costs one request. */
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

/** Between the two: it changes who is authorized. It is refused as long as it is not built, never ignored. */
const impersonate: Stage = {
  name: "impersonate",
  run: (exchange, next) => {
    const asked = exchange.headers["impersonate-user"] ?? exchange.headers["impersonate-group"] ?? exchange.headers["impersonate-uid"];
    if (asked !== undefined) {
      throw forbidden(
        { group: "", plural: "users" },
        typeof asked === "string" ? asked : "",
        "impersonation is not supported by this server",
      );
    }
    return next(exchange);
  },
};

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
