import { defineConfig } from "vitest/config";

/**
 * Three projects, told apart by what they need: `unit` needs nothing, `cluster` needs kubectl, `node` needs root and containerd.
 * Node tests share kernel resources of one machine and run one file at a time.
 */
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: "unit",
          include: ["src/**/*.test.ts", "scripts/**/*.test.ts", "test/parity/**/*.test.ts", "test/presubmit/**/*.test.ts"],
          pool: "threads",
          isolate: false, // modules hold no state of their own; loading them once a thread halves the time
          testTimeout: 20_000,
        },
      },
      { test: { name: "fuzz", include: ["test/fuzz/**/*.fuzz.ts"], pool: "forks", testTimeout: 120_000, hookTimeout: 60_000 } },
      {
        test: {
          name: "cluster",
          include: ["test/e2e/cluster/**/*.test.ts"],
          pool: "forks",
          fileParallelism: false,
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
      {
        test: {
          name: "node",
          include: ["test/e2e/node/**/*.test.ts"],
          pool: "forks",
          fileParallelism: false,
          testTimeout: 180_000,
          hookTimeout: 240_000,
        },
      },
    ],
  },
});
