import { expect, test } from "vitest";
import { createFakeClock } from "#base/clock.ts";
import { aborted } from "#base/deferred.ts";
import { seededEntropy } from "#base/entropy.ts";
import { silentLog } from "#base/log.ts";
import { createFakeClient } from "#testing/fake-client.ts";
import { runLeaderElection } from "./leader-election.ts";

test("L1, L3: one leads at a time; when it loses the server another follows after the lease ran out", async () => {
  const clock = createFakeClock();
  const client = createFakeClient({ clock });
  const leading = new Set<string>();
  const history: string[] = [];
  const cut = new Set<string>();
  const campaign = (identity: string, abort: AbortController) => {
    const own = Object.assign(Object.create(client) as typeof client, {
      get: (...args: Parameters<typeof client.get>) => (cut.has(identity) ? Promise.reject(new Error("cut off")) : client.get(...args)),
    });
    return runLeaderElection(
      { client: own, clock, entropy: seededEntropy(identity.length), log: silentLog },
      { namespace: "kube-system", name: "controllers", identity },
      async (signal) => {
        expect(leading.size).toBe(0);
        leading.add(identity);
        history.push(identity);
        await aborted(signal);
        leading.delete(identity);
      },
      abort.signal,
    );
  };
  const [a, b] = [new AbortController(), new AbortController()];
  const runA = campaign("a", a);
  await clock.advance(100);
  const runB = campaign("bb", b);
  await clock.advance(60_000);
  expect(history).toEqual(["a"]);
  cut.add("a");
  await clock.advance(12_000);
  expect([...leading]).toEqual([]); // renewing failed for 10 s: it stopped before anybody else may begin
  await clock.advance(12_000);
  expect([...leading]).toEqual(["bb"]);
  a.abort();
  await runA;
  b.abort();
  await runB;
  expect([...leading]).toEqual([]);
});
