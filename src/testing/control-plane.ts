import type { Clock } from "#base/clock.ts";
import { systemClock } from "#base/node/system-clock.ts";
import { systemEntropy } from "#base/node/system-entropy.ts";
import { type Log, silentLog } from "#base/log.ts";
import { openScope, type Scope } from "#base/scope.ts";
import { startTestServer, type TestServer } from "#apiserver/testing.ts";
import type { Client, InformerFactory } from "#client/contract.ts";
import { createEventRecorder } from "#client/events.ts";
import { createInformerFactory } from "#client/informer-factory.ts";
import { createRestClient } from "#client/rest.ts";
import { createHttp2Transport, type Transport } from "#client/transport.ts";
import type { Controller, ControllerSettings } from "#controllers/define.ts";
import { CONTROLLERS } from "#controllers/registry.ts";
import { runControllers } from "#controllers/run.ts";
import { runScheduler } from "#scheduler/run.ts";
import { runHollowNodes } from "./hollow-nodes.ts";

export interface ControlPlaneOptions {
  /** @default all */
  readonly controllers?: readonly Controller[];
  /** @default true */
  readonly scheduler?: boolean;
  /** Names of nodes whose pods start and stop at once. @default none */
  readonly nodes?: readonly string[];
  readonly clock?: Clock;
  readonly log?: Log;
  readonly settings?: Partial<ControllerSettings>;
  /** Stands between the components and the server: to break connections, say. */
  readonly wrapTransport?: (transport: Transport) => Transport;
}

export interface ControlPlane extends AsyncDisposable {
  readonly server: TestServer;
  readonly client: Client;
  readonly informers: InformerFactory;
  readonly scope: Scope;
  /** Waits until `condition` holds for what it reads; fails with the last value seen. Polls: for scenario tests only. */
  eventually<T>(read: () => Promise<T>, condition: (value: T) => boolean, withinMs?: number): Promise<T>;
}

/** A whole control plane in this process: API server on a memory store, controllers, scheduler, hollow nodes. */
export async function startControlPlane(options: ControlPlaneOptions = {}): Promise<ControlPlane> {
  const { controllers = CONTROLLERS, scheduler = true, nodes = [], clock = systemClock, log = silentLog } = options;
  const entropy = systemEntropy;
  const scope = openScope(new AbortController().signal, log);
  const server = scope.own(await startTestServer({ clock, log }));
  const credentials = { ca: server.ca.certPem, cert: server.admin.certPem, key: server.admin.keyPem };
  const wrap = options.wrapTransport ?? ((transport: Transport) => transport);
  const connect = (userAgent: string) => {
    const transport = wrap(createHttp2Transport({ credentials: () => credentials, log }, { server: server.url }));
    return scope.own(createRestClient({ server: server.url, credentials: () => credentials, clock, log, userAgent, transport }));
  };
  const client = connect("test-control-plane");
  const informers = createInformerFactory({ client, clock, entropy, log });
  const settings: ControllerSettings = {
    clusterCidr: "10.42.0.0/16",
    rootCa: server.ca.certPem,
    sign: () => Promise.reject(new Error("Cannot sign: this control plane has no signer, wanted one in its settings")),
    readCsr: () => {
      throw new Error("Cannot read request: this control plane has no reader, wanted one in its settings");
    },
    ...options.settings,
  };
  const recorder = (component: string) => {
    const events = createEventRecorder({ client, component, clock, entropy, log });
    scope.spawn(`events of ${component}`, (signal) => events.run(signal));
    return events;
  };
  scope.spawn("controllers", (signal) =>
    runControllers(controllers, { client, informers, clock, entropy, log, settings, recorder }, signal),
  );
  if (scheduler) {
    const events = recorder("default-scheduler");
    scope.spawn("scheduler", (signal) => runScheduler({ client, informers, clock, entropy, log, events }, signal));
  }
  if (nodes.length > 0) {
    const own = connect("hollow-nodes");
    scope.spawn("hollow nodes", (signal) => runHollowNodes({ client: own, clock, entropy, log }, { names: nodes }, signal));
  }
  scope.spawn("informers", (signal) => informers.run(signal));

  return {
    server,
    client,
    informers,
    scope,
    async eventually(read, condition, withinMs = 10_000) {
      const until = Date.now() + withinMs;
      for (;;) {
        const value = await read();
        if (condition(value)) return value;
        if (Date.now() > until)
          throw new Error(`Cannot see the wanted state: after ${withinMs} ms it is ${JSON.stringify(value, undefined, 1)}`);
        await systemClock.sleep(20, scope.signal);
      }
    },
    [Symbol.asyncDispose]: () => scope.close(),
  };
}
