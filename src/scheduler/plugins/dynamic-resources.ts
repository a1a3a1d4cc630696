import type { FilterPlugin } from "./plugin.ts";

/** Devices cannot be allocated by this scheduler: a pod that needs some must not run without. */
export const dynamicResources: FilterPlugin = {
  name: "DynamicResources",
  retryOn: ["pod updated"],
  prepare: ({ pod }) =>
    (pod.pod.spec.resourceClaims ?? []).length === 0 ? "skip" : { rejects: "resource claims are not supported by this scheduler" },
};
