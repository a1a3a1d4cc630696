import { type FilterPlugin, unresolvable } from "./plugin.ts";

const MISFIT = unresolvable("node(s) didn't match the requested node name");

export const nodeName: FilterPlugin = {
  name: "NodeName",
  retryOn: ["node added"],
  prepare({ pod }) {
    const wanted = pod.pod.spec.nodeName ?? "";
    return wanted === "" ? "skip" : { filter: ({ name }) => (name === wanted ? undefined : MISFIT) };
  },
};
