import type { ContainerdLayout } from "./layout.ts";

export type Snapshotter = "overlayfs" | "native";

export interface ContainerdOptions {
  readonly layout: Pick<ContainerdLayout, "root" | "state" | "socket">;
  readonly sandboxImage: string;
  readonly snapshotter: Snapshotter;
  readonly cniBinDir: string;
  readonly cniConfDir: string;
  /** Whether this machine forbids lowering oom_score_adj: containers then keep containerd's own where they ask for less. */
  readonly restrictOomScoreAdj: boolean;
  /** Directory of `<host>/hosts.toml` files. */
  readonly registryConfigDir: string;
  /** Longer lines of container output are split in the log file. @default 16384 */
  readonly maxLogLineBytes?: number;
  /** @default "info" */
  readonly logLevel?: "debug" | "info" | "warn" | "error";
}

/**
 * Plug-ins that would touch the machine outside of our directories (/opt/containerd, /var/run/nri) or that only slow the
 * start down: foreign snapshotters probe their file systems, tracing looks for a collector.
 */
const DISABLED_PLUGINS = [
  "io.containerd.internal.v1.opt",
  "io.containerd.internal.v1.tracing",
  "io.containerd.nri.v1.nri",
  "io.containerd.snapshotter.v1.aufs",
  "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper",
  "io.containerd.snapshotter.v1.zfs",
  "io.containerd.tracing.processor.v1.otlp",
] as const;

type Toml = string | number | boolean | readonly string[];

/** containerd's configuration, version 2: read by 1.6, 1.7 and, through its own migration, 2.x. */
export function renderContainerdConfig(options: ContainerdOptions): string {
  const { layout, restrictOomScoreAdj } = options;
  const cri = ["plugins", "io.containerd.grpc.v1.cri"];
  const runc = [...cri, "containerd", "runtimes", "runc"];
  return [
    table([], {
      version: 2,
      root: layout.root,
      state: layout.state,
      oom_score: restrictOomScoreAdj ? 0 : -999,
      disabled_plugins: DISABLED_PLUGINS,
    }),
    table(["grpc"], { address: layout.socket, uid: 0, gid: 0 }),
    table(["debug"], { level: options.logLevel ?? "info" }),
    table(cri, {
      sandbox_image: options.sandboxImage,
      disable_tcp_service: true,
      stream_server_address: "127.0.0.1",
      stream_server_port: "0",
      enable_selinux: false,
      disable_hugetlb_controller: true,
      tolerate_missing_hugetlb_controller: true,
      restrict_oom_score_adj: restrictOomScoreAdj,
      max_container_log_line_size: options.maxLogLineBytes ?? 16384,
      netns_mounts_under_state_dir: true, // so that unmounting below `state` catches every pod's namespace
    }),
    table([...cri, "cni"], { bin_dir: options.cniBinDir, conf_dir: options.cniConfDir, max_conf_num: 1 }),
    table([...cri, "containerd"], { snapshotter: options.snapshotter, default_runtime_name: "runc" }),
    table(runc, { runtime_type: "io.containerd.runc.v2" }),
    table([...runc, "options"], { SystemdCgroup: false, Root: `${layout.state}/runc` }),
    table([...cri, "registry"], { config_path: options.registryConfigDir }),
  ].join("\n");
}

function table(path: readonly string[], values: Readonly<Record<string, Toml>>): string {
  const header = path.length === 0 ? "" : `[${path.map((part) => (/^[\w-]+$/.test(part) ? part : JSON.stringify(part))).join(".")}]\n`;
  const lines = Object.entries(values).map(([key, value]) => `${key} = ${JSON.stringify(value)}\n`); // JSON's scalars and lists are TOML's
  return header + lines.join("");
}
