import type { ImageSpec } from "../spec.ts";
import { baseFiles, shellApplets } from "./common.ts";

/** busybox and curl, for looking around in a cluster. */
export const toolboxImage: ImageSpec = {
  name: "docker.io/library/toolbox:latest",
  requires: ["busybox-static", "curl", "ca-certificates"],
  programs: ["/usr/bin/curl"],
  busybox: shellApplets,
  files: [...baseFiles(), { kind: "host", path: "/etc/ssl/certs/ca-certificates.crt", from: "/etc/ssl/certs/ca-certificates.crt" }],
  config: { cmd: ["sh"], workingDir: "/root" },
};
