import type { ImageSpec } from "../spec.ts";
import { baseFiles, shellApplets } from "./common.ts";

export interface KubiaOptions {
  /** The source of the server, `examples/images/kubia/app.js` unless the caller has another version. */
  readonly appSource: string;
  /** The Node program of this machine. */
  readonly nodePath: string;
  /** @default "latest" */
  readonly tag?: string;
}

/** The demo: a server on port 8080 that answers `You've hit <hostname>`, with a shell, wget, nslookup, ip and curl beside it. */
export function kubiaImage({ appSource, nodePath, tag = "latest" }: KubiaOptions): ImageSpec {
  return {
    name: `docker.io/library/kubia:${tag}`,
    requires: ["busybox-static", "curl", "ca-certificates"],
    programs: [{ from: nodePath, path: "/usr/bin/node" }, "/usr/bin/curl"],
    busybox: shellApplets,
    files: [
      ...baseFiles(),
      { kind: "host", path: "/etc/ssl/certs/ca-certificates.crt", from: "/etc/ssl/certs/ca-certificates.crt" },
      { kind: "content", path: "/app.js", content: appSource },
    ],
    config: { entrypoint: ["node", "/app.js"], exposedPorts: ["8080/tcp"], workingDir: "/" },
  };
}
