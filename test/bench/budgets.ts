import type { Budget } from "./report.ts";

/** The table "Budgets" of the design, where a figure of ours answers to it alone. Others are set against the peer's figure. */
export const BUDGETS = {
  serverWarmMs: { atMost: 1000 },
  startClusterMs: { atMost: 300 },
  upWarmMs: { atMost: 5000 },
  idleMemoryMb: { atMost: 200 },
  idleCpuPercent: { atMost: 1 },
  schedulingPerSecond: { atLeast: 700 },
  podReadyMs: { atMost: 1000 },
  endpointChangeMs: { atMost: 50 },
  restart100kMs: { atMost: 3000 },
} as const satisfies Record<string, Budget>;
