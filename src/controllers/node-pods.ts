import type { Pod } from "#machinery/api/core-v1.ts";

/** Index function: the node a pod is bound to. */
export function nodeOfPod({ spec }: Pod): readonly string[] {
  return spec.nodeName === undefined || spec.nodeName === "" ? [] : [spec.nodeName];
}
