import { type FilterPlugin, resolvable } from "./plugin.ts";

const MISFIT = resolvable("node(s) didn't have free ports for the requested pod ports");
const ANY = "0.0.0.0";

export const nodePorts: FilterPlugin = {
  name: "NodePorts",
  retryOn: ["node added", "pod removed"],
  prepare({ pod: { hostPorts } }) {
    if (hostPorts.length === 0) return "skip";
    return {
      filter: (node) =>
        hostPorts.some(({ ip, protocol, port }) =>
          (node.hostPorts.get(`${protocol} ${port}`) ?? []).some((used) => used === ip || used === ANY || ip === ANY),
        )
          ? MISFIT
          : undefined,
    };
  },
};
