import type { ImageSpec } from "../spec.ts";
import { baseFiles, shellApplets } from "./common.ts";

export interface NginxOptions {
  /** The contents of `nginx.conf` and of the server it includes, `examples/images/nginx` unless the caller has others. */
  readonly mainConfig: string;
  readonly defaultServer: string;
  /** @default "latest" */
  readonly tag?: string;
}

/** Debian's nginx on port 80, serving /usr/share/nginx/html, logging to its output. Servers are added in /etc/nginx/conf.d. */
export function nginxImage({ mainConfig, defaultServer, tag = "latest" }: NginxOptions): ImageSpec {
  return {
    name: `docker.io/library/nginx:${tag}`,
    requires: ["nginx", "busybox-static", "curl"],
    packages: ["nginx-common", "nginx"],
    programs: ["/usr/sbin/nginx", "/usr/bin/curl"],
    busybox: shellApplets,
    files: [
      ...baseFiles([{ name: "www-data", id: 33, home: "/var/www" }]),
      { kind: "content", path: "/etc/nginx/nginx.conf", content: mainConfig },
      { kind: "content", path: "/etc/nginx/conf.d/default.conf", content: defaultServer },
      { kind: "directory", path: "/var/log/nginx" },
      { kind: "directory", path: "/var/lib/nginx" },
    ],
    config: { cmd: ["nginx", "-g", "daemon off;"], exposedPorts: ["80/tcp"], stopSignal: "SIGQUIT", workingDir: "/" },
  };
}
