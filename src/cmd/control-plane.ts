import type { Clock } from "#base/clock.ts";
import type { Entropy } from "#base/entropy.ts";
import type { Log } from "#base/log.ts";
import { openScope } from "#base/scope.ts";
import type { Client } from "#client/contract.ts";
import { createEventRecorder } from "#client/events.ts";
import { createInformerFactory } from "#client/informer-factory.ts";
import { CONTROLLERS } from "#controllers/registry.ts";
import { runControllers } from "#controllers/run.ts";
import type { Ca } from "#pki/certificate.ts";
import { readSigningRequest, signRequest } from "#pki/csr.ts";
import { runScheduler } from "#scheduler/run.ts";

export interface ControlPlaneDeps {
  readonly client: Client;
  readonly ca: Ca;
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly log: Log;
}

/** As upstream's signer: a year, unless the request wants less. */
const CERTIFICATE_SECONDS = 365 * 24 * 3600;
/** Upstream accepts no shorter life than ten minutes. */
const SHORTEST_SECONDS = 600;

/** All controllers and the scheduler, over shared informers, until `signal` aborts. */
export async function runControlPlane(
  deps: ControlPlaneDeps,
  { clusterCidr }: { readonly clusterCidr: string },
  signal: AbortSignal,
): Promise<void> {
  const { client, ca, clock, entropy, log } = deps;
  await using scope = openScope(signal, log);
  const informers = createInformerFactory({ client, clock, entropy, log });
  const settings = {
    clusterCidr,
    rootCa: ca.certPem,
    readCsr(pem: string) {
      const facts = readSigningRequest(pem);
      if (facts === undefined) throw new Error("unable to parse the certificate request: it is no PKCS #10 in PEM");
      return { ...facts, commonName: facts.cn, organizations: facts.orgs };
    },
    sign({ csrPem, usages, expirationSeconds }: { csrPem: string; usages: readonly string[]; expirationSeconds: number | undefined }) {
      const seconds = Math.max(SHORTEST_SECONDS, Math.min(expirationSeconds ?? CERTIFICATE_SECONDS, CERTIFICATE_SECONDS));
      const extended = (["server", "client"] as const).filter((usage) => usages.includes(`${usage} auth`));
      return signRequest({ ca, pem: csrPem, usages: extended, seconds, now: Date.now() });
    },
  };
  const recorder = (component: string) => {
    const events = createEventRecorder({ client, component, clock, entropy, log });
    scope.spawn(`events of ${component}`, (until) => events.run(until));
    return events;
  };
  scope.spawn("informers", (until) => informers.run(until));
  scope.spawn("controllers", (until) => runControllers(CONTROLLERS, { client, informers, clock, entropy, log, settings, recorder }, until));
  scope.spawn("scheduler", (until) =>
    runScheduler({ client, informers, clock, entropy, log, events: recorder("default-scheduler") }, until),
  );
  await scope.finished();
}
