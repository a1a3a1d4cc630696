import { describe, expect, test } from "vitest";
import { createFakeClock } from "#base/clock.ts";
import { seededEntropy } from "#base/entropy.ts";
import { silentLog } from "#base/log.ts";
import { EventKind } from "#kinds/core/event.ts";
import { pod } from "#testing/builders.ts";
import { createFakeClient } from "#testing/fake-client.ts";
import { createEventRecorder } from "./events.ts";

function setup() {
  const clock = createFakeClock();
  const client = createFakeClient({ clock });
  const events = createEventRecorder({ client, component: "replication-controller", clock, entropy: seededEntropy(1), log: silentLog });
  const abort = new AbortController();
  const running = events.run(abort.signal);
  const stop = async () => {
    abort.abort();
    await running;
  };
  return { clock, client, events, stop };
}

const about = pod("kubia-1");
const note = (message: string) => ({ about, type: "Normal", reason: "SuccessfulCreate", message }) as const;

describe("createEventRecorder()", () => {
  test("writes a core/v1 Event as kubectl expects it", async () => {
    const { clock, client, events, stop } = setup();
    events.record({ ...note("Created pod: kubia-1"), fieldPath: "spec.containers{main}" });
    await clock.advance(0);
    const [event] = client.all(EventKind);
    expect(event).toMatchObject({
      involvedObject: {
        kind: "Pod",
        namespace: "default",
        name: "kubia-1",
        uid: "pod-kubia-1",
        apiVersion: "v1",
        fieldPath: "spec.containers{main}",
      },
      reason: "SuccessfulCreate",
      message: "Created pod: kubia-1",
      source: { component: "replication-controller" },
      reportingComponent: "replication-controller",
      firstTimestamp: "2030-01-01T00:00:00Z",
      lastTimestamp: "2030-01-01T00:00:00Z",
      count: 1,
      type: "Normal",
    });
    expect(event?.metadata.name).toMatch(/^kubia-1\.[0-9a-f]{16}$/);
    await stop();
  });

  test("counts equal events on one object", async () => {
    const { clock, client, events, stop } = setup();
    for (let i = 0; i < 3; i++) {
      events.record(note("again"));
      await clock.advance(1000);
    }
    expect(client.all(EventKind).map(({ count, firstTimestamp, lastTimestamp }) => [count, firstTimestamp, lastTimestamp])).toEqual([
      [3, "2030-01-01T00:00:00Z", "2030-01-01T00:00:02Z"],
    ]);
    await stop();
  });

  test("combines many similar events and cuts off a flood", async () => {
    const { clock, client, events, stop } = setup();
    for (let i = 0; i < 40; i++) events.record(note(`message ${i}`));
    await clock.advance(0);
    const found = client.all(EventKind);
    expect(found).toHaveLength(10); // nine single ones and one that stands for the rest
    expect(found.at(-1)).toMatchObject({ message: "(combined from similar events): message 24", count: 16 });
    await stop();
  });
});
