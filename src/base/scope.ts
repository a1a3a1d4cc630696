import { setMaxListeners } from "node:events";
import { type Deferred, deferred } from "./deferred.ts";
import type { Log } from "./log.ts";

type Disposable = AsyncDisposable | { [Symbol.dispose](): void };

/**
 * Owns what runs.
 *
 * S1. Closing aborts `signal`, awaits every spawned task, then disposes owned resources in reverse order.
 * S2. A task that fails aborts the scope, and `finished()` rejects with `Task "<name>" failed` and the cause.
 * S3. A task that ends because the scope was aborted is no failure, whatever it throws.
 * S4. `spawn` and `own` on a closed scope throw.
 */
export interface Scope extends AsyncDisposable {
  readonly signal: AbortSignal;
  own<T extends Disposable>(resource: T): T;
  /** Runs `dispose` when the scope closes, in reverse order with owned resources. */
  defer(dispose: () => void | Promise<void>): void;
  spawn(name: string, task: (signal: AbortSignal) => Promise<void>): void;
  /** Resolves when the outer signal aborts or `close` is called; rejects at the first failed task. */
  finished(): Promise<void>;
  close(): Promise<void>;
}

export class TaskError extends Error {
  override readonly name = "TaskError";
}

export function openScope(outer: AbortSignal, log?: Log): Scope {
  const controller = new AbortController();
  const signal = AbortSignal.any([outer, controller.signal]);
  setMaxListeners(0, signal); // as many tasks as there are wait on it
  const tasks = new Set<Promise<void>>();
  const disposers: (() => void | Promise<void>)[] = [];
  const done: Deferred<void> = deferred();
  done.promise.catch(() => undefined); // finished() may never be called; the failure is logged by spawn
  let closing: Promise<void> | undefined;

  if (outer.aborted) done.resolve();
  else outer.addEventListener("abort", () => done.resolve(), { once: true });

  const scope: Scope = {
    signal,
    own(resource) {
      assertOpen();
      disposers.push(() =>
        Symbol.asyncDispose in resource ? Promise.resolve(resource[Symbol.asyncDispose]()) : resource[Symbol.dispose](),
      );
      return resource;
    },
    defer(dispose) {
      assertOpen();
      disposers.push(dispose);
    },
    spawn(name, run) {
      assertOpen();
      const task = Promise.resolve()
        .then(() => run(signal))
        .catch((cause: unknown) => {
          if (signal.aborted) return; // S3
          log?.error("Task failed", { task: name, cause });
          done.reject(new TaskError(`Task "${name}" failed: ${cause instanceof Error ? cause.message : String(cause)}`, { cause }));
          controller.abort(cause); // S2
        })
        .finally(() => tasks.delete(task));
      tasks.add(task);
    },
    finished: () => done.promise,
    close() {
      closing ??= closeAll();
      return closing;
    },
    [Symbol.asyncDispose]: () => scope.close(),
  };
  return scope;

  function assertOpen() {
    if (closing !== undefined) throw new TaskError("Cannot use scope: it is closed, wanted an open one");
  }

  async function closeAll() {
    controller.abort();
    done.resolve();
    while (tasks.size > 0) await Promise.all(tasks); // S1
    const failures: unknown[] = [];
    for (const dispose of disposers.toReversed()) {
      try {
        await dispose();
      } catch (cause) {
        failures.push(cause);
      }
    }
    if (failures.length > 0) throw new AggregateError(failures, "Cannot close scope: a resource failed to dispose");
  }
}
