import { mkdir } from "node:fs/promises";
import { describeCri } from "#cri/conformance.ts";
import { openContainerNode, BUSYBOX } from "./support/container-node.ts";

describeCri("containerd", async () => {
  const node = await openContainerNode("cri", new AbortController().signal);
  const logDirectory = `${node.directory}/logs`;
  await mkdir(logDirectory, { recursive: true });
  return {
    runtime: node.runtime,
    image: BUSYBOX,
    missingImage: "localhost/none:1",
    logDirectory,
    cgroupRoot: node.cgroupRoot,
    pass: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
    close: async () => node[Symbol.asyncDispose](),
  };
});
