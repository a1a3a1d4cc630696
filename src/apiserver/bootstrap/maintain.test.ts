import { expect, test } from "vitest";
import { createFakeClock } from "#base/clock.ts";
import { ServiceKind } from "#kinds/core/service.ts";
import { erased } from "#kinds/kind.ts";
import { startTestServer } from "../testing.ts";
import { deleteEntry } from "../verbs/delete.ts";
import { ownContext } from "./ensure.ts";

test("maintain() brings the kubernetes Service back, with its address", async () => {
  const clock = createFakeClock();
  await using server = await startTestServer({ clock });
  const { served } = server.api;
  const stop = new AbortController();
  const services = await served.resources.open(erased(ServiceKind));
  await deleteEntry(served, services, "default", "kubernetes", {}, ownContext(stop.signal));
  expect(await served.objects.get(ServiceKind, "default", "kubernetes")).toBeUndefined();

  const maintained = server.api.maintain(stop.signal);
  await clock.advance(10_000);
  expect(await served.objects.get(ServiceKind, "default", "kubernetes")).toMatchObject({ spec: { clusterIP: "10.43.0.1" } });
  stop.abort();
  await maintained;
});
