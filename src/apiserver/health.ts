import { textAnswer } from "./http/answer.ts";
import type { Answer, Exchange } from "./http/exchange.ts";

/** One named condition of health; rejects with what is wrong. */
export interface HealthCheck {
  readonly name: string;
  readonly check: () => Promise<void>;
}

/** /healthz, /livez, /readyz, and `/readyz/<check>`; `?verbose` lists the checks, `?exclude=` leaves some out. */
export async function healthPath(
  endpoint: string,
  checks: readonly HealthCheck[],
  exchange: Exchange,
  only: string | undefined,
): Promise<Answer | undefined> {
  if (only !== undefined) {
    const single = checks.find(({ name }) => name === only);
    if (single === undefined) return undefined;
    const failure = await failureOf(single);
    return failure === undefined ? textAnswer(200, "ok") : textAnswer(500, `internal server error: ${failure}\n`);
  }
  const excluded = new Set(exchange.query.getAll("exclude"));
  const lines: string[] = [];
  let failed = false;
  for (const check of checks) {
    if (excluded.has(check.name)) {
      lines.push(`[+]${check.name} excluded: ok`);
      continue;
    }
    const failure = await failureOf(check);
    failed ||= failure !== undefined;
    lines.push(failure === undefined ? `[+]${check.name} ok` : `[-]${check.name} failed: reason withheld`);
  }
  if (failed) return textAnswer(500, `${lines.join("\n")}\n${endpoint} check failed\n`);
  return exchange.query.has("verbose") ? textAnswer(200, `${lines.join("\n")}\n${endpoint} check passed\n`) : textAnswer(200, "ok");
}

async function failureOf({ check }: HealthCheck): Promise<string | undefined> {
  try {
    await check();
    return undefined;
  } catch (cause) {
    return cause instanceof Error ? cause.message : String(cause);
  }
}
