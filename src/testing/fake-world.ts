import { createFakeClock, type FakeClock, formatTime } from "#base/clock.ts";
import { type Entropy, seededEntropy } from "#base/entropy.ts";
import { type Log, silentLog } from "#base/log.ts";
import { openScope } from "#base/scope.ts";
import type { EventNote } from "#client/contract.ts";
import { createInformerFactory } from "#client/informer-factory.ts";
import type { Controller, ControllerSettings } from "#controllers/define.ts";
import { runControllers } from "#controllers/run.ts";
import { PodKind } from "#kinds/core/pod.ts";
import { refOf } from "#machinery/object.ts";
import { createFakeClient, type FakeClient } from "./fake-client.ts";

export interface FakeWorld extends AsyncDisposable {
  readonly clock: FakeClock;
  readonly client: FakeClient;
  readonly entropy: Entropy;
  readonly notes: readonly EventNote[];
  readonly signal: AbortSignal;
  /** Every pod that has no address yet runs and is ready. */
  startPods(choose?: () => boolean): Promise<void>;
  /** Advances until a step of `stepMs` brings no write; fails after 200 steps. */
  settle(options?: { readonly stepMs?: number; readonly startPods?: boolean }): Promise<void>;
}

/** Controllers on the fake client and a clock that the test moves: no server, no sockets. */
export async function startFakeWorld(
  controllers: readonly Controller[],
  options: {
    readonly seed?: number;
    readonly settings?: Partial<ControllerSettings>;
    readonly log?: Log;
    readonly client?: FakeClient;
    readonly clock?: FakeClock;
  } = {},
): Promise<FakeWorld> {
  const { seed = 1, log = silentLog, clock = createFakeClock() } = options;
  const entropy = seededEntropy(seed);
  const client = options.client ?? createFakeClient({ clock, entropy });
  const scope = openScope(new AbortController().signal, log);
  const informers = createInformerFactory({ client, clock, entropy, log });
  const notes: EventNote[] = [];
  const refuse = () => {
    throw new Error("Cannot sign: this world has no signer, wanted one in its settings");
  };
  const settings = { clusterCidr: "10.42.0.0/16", rootCa: "CA", sign: refuse, readCsr: refuse, ...options.settings };
  const recorder = () => ({ record: (note: EventNote) => void notes.push(note) });
  scope.spawn("controllers", (signal) =>
    runControllers(controllers, { client, informers, clock, entropy, log, settings, recorder }, signal),
  );
  scope.spawn("informers", (signal) => informers.run(signal));
  let address = 1;

  return {
    clock,
    client,
    entropy,
    notes,
    signal: scope.signal,
    startPods,
    async settle({ stepMs = 2000, startPods: running = true } = {}) {
      for (let step = 0; step < 200; step++) {
        const before = client.writes;
        if (running) await startPods();
        await clock.advance(stepMs);
        if (client.writes === before) return;
      }
      throw new Error(`Cannot settle: writes go on after 200 steps, wanted an end`);
    },
    [Symbol.asyncDispose]: () => scope.close(),
  };

  async function startPods(choose: () => boolean = () => true): Promise<void> {
    for (const pod of client.all(PodKind)) {
      if (pod.status?.podIP !== undefined || !choose()) continue;
      const podIP = `10.42.${address >> 8}.${address++ & 255}`;
      const conditions = [{ type: "Ready", status: "True", lastTransitionTime: formatTime(clock.now()) }];
      const status = { ...pod.status, phase: "Running" as const, podIP, podIPs: [{ ip: podIP }], conditions };
      await client.patch(PodKind, refOf(pod), { type: "merge", body: { status } }, {}, scope.signal);
    }
  }
}
