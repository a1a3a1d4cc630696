import type { Pod } from "#machinery/api/core-v1.ts";
import { matchesNodeSelector } from "#kinds/core/node-selector.ts";
import { type FilterPlugin, unresolvable } from "./plugin.ts";

const CONFLICT = unresolvable("node(s) had volume node affinity conflict");

/** Claims must be bound, and a node must reach their volumes. Claims that wait for a first consumer are not bound here. */
export const volumeBinding: FilterPlugin = {
  name: "VolumeBinding",
  retryOn: ["volume changed", "node added", "node updated"],
  prepare({ pod, facts }) {
    const names = claimNames(pod.pod);
    if (names.length === 0) return "skip";
    const claims = names.map((name) => ({ name, claim: facts.claim(pod.namespace, name) }));
    const missing = claims.find(({ claim }) => claim === undefined);
    if (missing !== undefined) return { rejects: `persistentvolumeclaim "${missing.name}" not found` };
    const deleted = claims.find(({ claim }) => claim?.metadata.deletionTimestamp !== undefined);
    if (deleted !== undefined) return { rejects: `persistentvolumeclaim "${deleted.name}" is being deleted` };
    if (claims.some(({ claim }) => (claim?.spec.volumeName ?? "") === "" || claim?.status?.phase !== "Bound")) {
      return { rejects: "pod has unbound immediate PersistentVolumeClaims" };
    }
    const required = claims.flatMap(({ claim }) => facts.volume(claim?.spec.volumeName ?? "")?.spec.nodeAffinity?.required ?? []);
    if (required.length === 0) return "skip";
    return {
      filter: ({ name, labels }) => (required.every((selector) => matchesNodeSelector(selector, name, labels)) ? undefined : CONFLICT),
    };
  },
};

function claimNames({ spec, metadata }: Pod): readonly string[] {
  return (spec.volumes ?? []).flatMap(({ name, persistentVolumeClaim, ephemeral }) => {
    if (persistentVolumeClaim !== undefined) return [persistentVolumeClaim.claimName];
    return ephemeral === undefined ? [] : [`${metadata.name}-${name}`];
  });
}
