import pino, { type Logger } from "pino";
import type { Log, LogFields } from "../log.ts";

/** JSON lines on stderr through pino; `cause` fields are printed as errors. */
export function createPinoLog({ level = "info", component }: { level?: string; component: string }): Log {
  return wrap(
    pino(
      { level, base: { component }, timestamp: pino.stdTimeFunctions.isoTime, serializers: { cause: pino.stdSerializers.errWithCause } },
      pino.destination({ fd: 2, sync: true }),
    ),
  );
}

function wrap(logger: Logger): Log {
  const at = (level: "debug" | "info" | "warn" | "error") => (sentence: string, fields?: LogFields) =>
    logger[level](fields ?? {}, sentence);
  return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error"), with: (fields) => wrap(logger.child(fields)) };
}
