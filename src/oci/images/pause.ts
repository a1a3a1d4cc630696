import type { ImageSpec } from "../spec.ts";

/** Holds a pod's namespaces: `catatonit -P` waits for signals and reaps orphans. Same name as upstream's, so that nothing is pulled. */
export const pauseImage: ImageSpec = {
  name: "registry.k8s.io/pause:3.10",
  requires: ["catatonit"],
  programs: [{ from: "/usr/bin/catatonit", path: "/pause" }],
  config: { entrypoint: ["/pause", "-P"], user: "65535:65535", workingDir: "/" },
};
