import type { ImageSpec } from "../spec.ts";
import { baseFiles, shellApplets } from "./common.ts";

export const busyboxImage: ImageSpec = {
  name: "docker.io/library/busybox:latest",
  requires: ["busybox-static"],
  busybox: shellApplets,
  files: baseFiles(),
  config: { cmd: ["sh"], workingDir: "/" },
};
