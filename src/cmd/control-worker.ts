import { parentPort, workerData } from "node:worker_threads";
import { required } from "#base/invariant.ts";
import { createPinoLog } from "#base/node/pino-log.ts";
import { systemClock } from "#base/node/system-clock.ts";
import { systemEntropy } from "#base/node/system-entropy.ts";
import { createRestClient } from "#client/rest.ts";
import { loadCa } from "#pki/certificate.ts";
import { runControlPlane } from "./control-plane.ts";
import type { ControlWorkerInput } from "./server.ts";

/** The thread of controllers and scheduler: a client of the API server like any other. Ends when it is told "stop". */
const input = workerData as ControlWorkerInput;
const stop = new AbortController();
required(parentPort, "parent thread").once("message", () => stop.abort());
const clock = systemClock;
const log = createPinoLog({ component: "controllers", level: input.logLevel });
const { server, cert, key } = input;
await using client = createRestClient({
  server,
  credentials: () => ({ ca: input.ca.certPem, cert, key }),
  clock,
  log,
  userAgent: "navarch-controllers",
});
await runControlPlane(
  { client, ca: loadCa(input.ca), clock, entropy: systemEntropy, log },
  { clusterCidr: input.clusterCidr },
  stop.signal,
);
