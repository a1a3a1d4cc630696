import { ContainerdError } from "./error.ts";

/** Where one containerd of ours keeps its things. No two instances share any of them. */
export interface ContainerdLayout {
  /** Images, snapshots and metadata: survives reboots. */
  readonly root: string;
  /** Sockets, pipes, mounts and network namespaces: gone after a reboot, removed by stopContainerd. */
  readonly state: string;
  readonly socket: string;
  readonly config: string;
  readonly log: string;
  readonly pid: string;
}

/** Linux holds 107 bytes of socket path; containerd adds a second socket with the suffix ".ttrpc". */
const MAX_SOCKET_PATH_BYTES = 107 - ".ttrpc".length;

/** The layout below a node's two directories. Throws where the socket's path would not fit the kernel's limit. */
export function containerdLayout({ dataDir, runDir }: { dataDir: string; runDir: string }): ContainerdLayout {
  const socket = `${runDir}/containerd.sock`;
  if (Buffer.byteLength(socket) > MAX_SOCKET_PATH_BYTES) {
    throw new ContainerdError(`Cannot place containerd in "${runDir}": its socket path is longer than ${MAX_SOCKET_PATH_BYTES} bytes`);
  }
  return {
    root: `${dataDir}/containerd`,
    state: `${runDir}/containerd`,
    socket,
    config: `${runDir}/containerd.toml`,
    log: `${dataDir}/containerd.log`,
    pid: `${runDir}/containerd.pid`,
  };
}
