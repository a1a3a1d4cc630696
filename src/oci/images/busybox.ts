import type { ImageSpec } from "../spec.ts";
import { nameServiceFiles, shellApplets } from "./common.ts";

export const busyboxImage: ImageSpec = {
  name: "docker.io/library/busybox:latest",
  requires: ["busybox-static"],
  busybox: shellApplets,
  files: nameServiceFiles,
  config: { cmd: ["sh"], workingDir: "/" },
};
