export { type Cluster, startCluster, type StartClusterOptions } from "#cmd/start-cluster.ts";
export { createFakeClock, type Clock, type FakeClock } from "#base/clock.ts";
