import type { Probe } from "#machinery/api/core-v1.ts";
import type { ProbeAnswer } from "../contract.ts";

export type ProbeType = "startup" | "liveness" | "readiness";

/** What one probe of one container has come to. */
export interface ProbeState {
  readonly result: "unknown" | "success" | "failure";
  readonly lastOutcome: "success" | "failure" | undefined;
  /** How often in a row. */
  readonly inRow: number;
}

export const PROBE_DEFAULTS = { timeoutSeconds: 1, periodSeconds: 10, successThreshold: 1, failureThreshold: 3 } as const;

/** Before the first answer: alive, but neither ready nor started. */
export function initialState(type: ProbeType): ProbeState {
  const result = type === "liveness" ? "success" : type === "readiness" ? "failure" : "unknown";
  return { result, lastOutcome: undefined, inRow: 0 };
}

/** The state after one more answer: results change only when as many answers in a row say so as the probe wants. */
export function afterAnswer(state: ProbeState, probe: Probe, answer: ProbeAnswer): ProbeState {
  if (answer.outcome === "error") return state; // nothing was learnt
  const outcome = answer.outcome === "failure" ? "failure" : "success";
  const inRow = state.lastOutcome === outcome ? state.inRow + 1 : 1;
  const wanted =
    outcome === "success"
      ? (probe.successThreshold ?? PROBE_DEFAULTS.successThreshold)
      : (probe.failureThreshold ?? PROBE_DEFAULTS.failureThreshold);
  return { lastOutcome: outcome, inRow, result: inRow >= wanted ? outcome : state.result };
}
