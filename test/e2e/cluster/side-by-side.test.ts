import { expect, test } from "vitest";
import { openCluster } from "./harness.ts";

test("two clusters in one process do not see each other, and end one by one", async () => {
  await using first = await openCluster({ nodes: 1 });
  {
    await using second = await openCluster({ nodes: 2 });
    expect(second.url).not.toBe(first.url);
    await first.kubectl.ok("create deployment only-here --image=kubia");
    await first.kubectl.ok("rollout status deployment/only-here --timeout=30s");
    expect(await second.kubectl.fails("get deployment only-here")).toBe(
      'Error from server (NotFound): deployments.apps "only-here" not found\n',
    );
    expect((await second.kubectl.ok("get nodes -o name")).trim().split("\n")).toHaveLength(2);
    expect((await first.kubectl.ok("get nodes -o name")).trim().split("\n")).toHaveLength(1);
  }
  await first.kubectl.ok("scale deployment only-here --replicas=2");
  expect(await first.kubectl.ok("rollout status deployment/only-here --timeout=30s")).toMatch(/successfully rolled out\n$/);
});
