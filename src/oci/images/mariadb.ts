import type { ImageSpec } from "../spec.ts";
import { baseFiles, shellApplets } from "./common.ts";

export interface MariadbOptions {
  /** The source of the start script, `examples/images/mariadb/entrypoint.sh` unless the caller has another. */
  readonly entrypointSource: string;
  /** @default "latest" */
  readonly tag?: string;
}

/** The server's own account; the same number in every image, so that a volume outlives its image. */
const MYSQL = { name: "mysql", id: 999, home: "/nonexistent" } as const;

/** Debian's MariaDB on port 3306 with its data in /var/lib/mysql; takes the variables that the public MySQL images take. */
export function mariadbImage({ entrypointSource, tag = "latest" }: MariadbOptions): ImageSpec {
  return {
    name: `docker.io/library/mariadb:${tag}`,
    requires: ["mariadb-server", "busybox-static"],
    packages: ["mysql-common", "mariadb-common", "mariadb-client-core", "mariadb-client", "mariadb-server-core", "mariadb-server"],
    programs: ["/usr/sbin/mariadbd", "/usr/bin/mariadb", "/usr/bin/my_print_defaults", "/usr/bin/resolveip"],
    busybox: shellApplets,
    files: [
      ...baseFiles([MYSQL]),
      { kind: "content", path: "/etc/mysql/my.cnf", content: "[mariadbd]\nskip-name-resolve\n" },
      { kind: "content", path: "/usr/local/bin/entrypoint.sh", content: entrypointSource, mode: 0o755 },
      { kind: "directory", path: "/var/lib/mysql", uid: MYSQL.id, gid: MYSQL.id },
      { kind: "directory", path: "/run/mysqld", uid: MYSQL.id, gid: MYSQL.id },
    ],
    config: { entrypoint: ["entrypoint.sh"], exposedPorts: ["3306/tcp"], volumes: ["/var/lib/mysql"], workingDir: "/" },
  };
}
