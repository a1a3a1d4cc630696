import * as fc from "fast-check";
import { expect, test } from "vitest";
import { selectorFromMap } from "#machinery/selector.ts";
import { node, pod } from "#testing/builders.ts";
import { schedulePod } from "./cycle.ts";
import { FILTERS, SCORERS } from "./plugins/registry.ts";
import { podFacts } from "./pod-facts.ts";
import { createSnapshot } from "./snapshot.ts";

const somePod = fc.record({
  cpu: fc.constantFrom("100m", "500m", "1", "2500m"),
  hostPort: fc.constantFrom(undefined, 80, 443),
  app: fc.constantFrom("web", "db"),
  how: fc.constantFrom("plain" as const, "apart" as const, "spread" as const),
  leaves: fc.boolean(),
});

test("no sequence of placements overcommits a node, shares a host port, or breaks anti-affinity and required spreading", () => {
  fc.assert(
    fc.property(fc.array(somePod, { maxLength: 40 }), fc.integer({ min: 1, max: 6 }), (wanted, size) => {
      const snapshot = createSnapshot();
      for (let i = 0; i < size; i++) snapshot.setNode(node(`n${i}`, { labels: { zone: `z${i % 2}` } }));
      const facts = { spreadSelector: () => selectorFromMap({ app: "web" }), claim: () => undefined, volume: () => undefined };
      const broken: string[] = [];
      let startAt = 0;
      for (const [i, { cpu, hostPort, app, how, leaves }] of wanted.entries()) {
        const labels = { app };
        const term = { topologyKey: "kubernetes.io/hostname", labelSelector: { matchLabels: labels } };
        const spec =
          how === "apart"
            ? { affinity: { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [term] } } }
            : how === "spread"
              ? {
                  topologySpreadConstraints: [
                    {
                      maxSkew: 1,
                      topologyKey: "zone",
                      whenUnsatisfiable: "DoNotSchedule" as const,
                      labelSelector: { matchLabels: labels },
                    },
                  ],
                }
              : {};
        const ports = hostPort === undefined ? {} : { container: { ports: [{ containerPort: 80, hostPort }] } };
        const each = podFacts(pod(`p${i}`, { labels, requests: { cpu }, spec, ...ports }));
        const before = countPerZone(app);
        const decision = schedulePod({ pod: each, snapshot, facts, filters: FILTERS, scorers: SCORERS, startAt, pick: (n) => i % n });
        if (!decision.ok) {
          const reasons = [...decision.failure.reasons.values()].reduce((a, b) => a + b, 0);
          if (reasons < size) broken.push("a node does not say why");
          continue;
        }
        startAt = decision.nextStart;
        const there = snapshot.node(decision.node);
        const skew = (before.get(there?.labels.zone ?? "") ?? 0) + 1 - Math.min(...before.values());
        if (how === "spread" && skew > 1) broken.push(`${each.key} makes a skew of ${skew}`);
        if (how === "apart" && [...(there?.pods.values() ?? [])].some((other) => other.labels.app === app))
          broken.push(`${each.key} is not apart`);
        snapshot.place(each, decision.node);
        if (leaves) snapshot.remove(each.uid);
        for (const { requested, hostPorts, allocatable } of snapshot.nodes) {
          if ((requested.cpu ?? 0) > (allocatable.cpu ?? 0)) broken.push("a node is overcommitted");
          for (const [port, users] of hostPorts) if (users.length > 1) broken.push(`${port} is shared`);
        }
      }
      expect(broken).toEqual([]);

      function countPerZone(app: string): Map<string, number> {
        const zones = new Map<string, number>();
        for (const { labels, pods } of snapshot.nodes) {
          const matching = [...pods.values()].filter((there) => there.labels.app === app).length;
          zones.set(labels.zone ?? "", (zones.get(labels.zone ?? "") ?? 0) + matching);
        }
        return zones;
      }
    }),
    { numRuns: 200 },
  );
});
