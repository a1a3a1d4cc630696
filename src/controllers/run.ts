import { aborted } from "#base/deferred.ts";
import type { Log } from "#base/log.ts";
import { openScope } from "#base/scope.ts";
import { createWorkQueue } from "#client/work-queue.ts";
import { hasReason } from "#machinery/status.ts";
import type { Controller, ControllerDeps, ObserveContext, Watch } from "./define.ts";
import { createExpectations } from "./expectations.ts";
import { type Failure, messageOf, perform } from "./perform.ts";

/** Runs controllers until `signal` aborts. The informers are run by the caller. */
export async function runControllers(controllers: readonly Controller[], deps: ControllerDeps, signal: AbortSignal): Promise<void> {
  await using scope = openScope(signal, deps.log);
  for (const controller of controllers) {
    scope.spawn(controller.name, (signal) => runController(controller, deps, signal));
  }
  await scope.finished();
}

async function runController(controller: Controller, deps: ControllerDeps, signal: AbortSignal): Promise<void> {
  const { client, clock } = deps;
  const log = deps.log.with({ controller: controller.name });
  const { watches: initial, keys, discover, decide } = controller.connect(deps);
  const watches = [...initial];
  const events = deps.recorder(controller.component);
  const queue = createWorkQueue({ clock });
  const expectations = createExpectations(watches);
  const failures = new Map<string, NonNullable<ObserveContext["failure"]>>();

  for (const watch of watches) listen(watch);
  discover((watch) => {
    watches.push(watch);
    listen(watch);
  });
  await Promise.race([Promise.all(watches.map(({ informer }) => informer.synced)), aborted(signal)]);
  for (const key of keys) queue.add(key);
  await Promise.all(Array.from({ length: controller.workers }, work));

  function listen({ informer, keys }: Watch): void {
    informer.onEvent((event) => {
      const waiting = expectations.saw(event);
      if (waiting !== undefined) queue.add(waiting);
      for (const key of keys(event)) queue.add(key);
    });
  }

  async function work(): Promise<void> {
    for (let key = await queue.take(signal); key !== undefined; key = await queue.take(signal)) {
      try {
        await reconcile(key);
      } catch (cause) {
        if (signal.aborted) return;
        log.error("Cannot reconcile", { key, cause });
        queue.retryLater(key);
      } finally {
        queue.done(key);
      }
    }
  }

  async function reconcile(key: string): Promise<void> {
    const now = clock.now();
    const inFlight = expectations.pending(key, now);
    if (inFlight > 0 && controller.whileInFlight === "wait") {
      queue.addAfter(key, RECHECK_IN_FLIGHT_MS); // normally `saw` is much earlier
      return;
    }
    const plan = await decide(key, { now, inFlight, failure: failures.get(key), signal });
    if (plan === undefined) {
      failures.delete(key);
      queue.forget(key);
      return;
    }
    const result = await perform(plan.actions, { client, events, signal });
    for (const written of result.written) expectations.wrote(key, written, clock.now());
    if (plan.recheckAfterMs !== undefined) queue.addAfter(key, plan.recheckAfterMs);
    if (result.failures.length === 0) {
      queue.forget(key);
      if (inFlight === 0 && failures.delete(key)) queue.add(key); // the condition about the failure can go
      return;
    }
    for (const failure of result.failures) remember(key, failure);
    report(key, result.failures, log);
    queue.retryLater(key);
  }

  function remember(key: string, { action, cause }: Failure): void {
    if (action.do !== "create" && action.do !== "delete") return;
    failures.set(key, {
      reason: action.announce?.failed ?? (action.do === "create" ? "FailedCreate" : "FailedDelete"),
      message: messageOf(cause),
    });
  }
}

const RECHECK_IN_FLIGHT_MS = 5_000;

function report(key: string, failures: readonly Failure[], log: Log): void {
  for (const { action, cause } of failures) {
    const fields = { key, do: action.do, kind: action.kind.kind, cause };
    if (hasReason(cause, "Conflict", "NotFound", "AlreadyExists")) log.debug("Action lost a race", fields);
    else log.warn("Action failed", fields);
  }
}
