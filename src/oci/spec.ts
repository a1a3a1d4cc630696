/** How an image is run unless the pod says otherwise. */
export interface ImageConfig {
  readonly entrypoint?: readonly string[];
  readonly cmd?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly workingDir?: string;
  readonly user?: string;
  /** As `8080/tcp`. */
  readonly exposedPorts?: readonly string[];
  readonly labels?: Readonly<Record<string, string>>;
  readonly stopSignal?: string;
  readonly volumes?: readonly string[];
}

interface Owned {
  readonly path: string;
  /** @default 0 */
  readonly uid?: number;
  /** @default 0 */
  readonly gid?: number;
}

export type ImageFile =
  | (Owned & { readonly kind: "content"; readonly content: string /** @default 0o644 */; readonly mode?: number })
  /** A file of the host; `mode` defaults to the host file's. */
  | (Owned & { readonly kind: "host"; readonly from: string; readonly mode?: number })
  | (Owned & { readonly kind: "symlink"; readonly target: string })
  | (Owned & { readonly kind: "directory" /** @default 0o755 */; readonly mode?: number });

/** A directory of the host with all it holds, at the same path unless `path` says otherwise. Sockets, pipes and devices are left out. */
export interface ImageTree {
  readonly from: string;
  readonly path?: string;
  readonly uid?: number;
  readonly gid?: number;
  /** Paths below `from`, relative to it, that are left out with all they hold. */
  readonly exclude?: readonly string[];
}

/**
 * What goes into an image. Shared libraries and the dynamic loader of every ELF file in `programs`, `trees` and
 * `packages` are found and added; a later source of the same path wins: libraries, packages, trees, programs, busybox, files.
 */
export interface ImageSpec {
  /** Fully qualified, such as `docker.io/library/kubia:latest`. */
  readonly name: string;
  /** Debian packages that must be installed on this machine before the image can be packed. */
  readonly requires: readonly string[];
  /** ELF programs of the host, at the same path in the image unless `path` says otherwise. */
  readonly programs?: readonly (string | { readonly from: string; readonly path: string })[];
  /** Applets of the host's static busybox, as symlinks in /usr/bin. */
  readonly busybox?: readonly string[];
  /** Installed Debian packages whose files are copied as dpkg lists them, without documentation and translations. */
  readonly packages?: readonly string[];
  readonly trees?: readonly ImageTree[];
  readonly files?: readonly ImageFile[];
  readonly config?: ImageConfig;
}

export interface PackedLayer {
  /** Of the blob as stored. */
  readonly digest: string;
  /** Of the uncompressed tar. */
  readonly diffId: string;
  readonly sizeBytes: number;
}

export interface PackedImage {
  readonly name: string;
  /** The OCI layout archive. */
  readonly archivePath: string;
  readonly archiveBytes: number;
  readonly manifestDigest: string;
  /** What CRI calls the image's id. */
  readonly configDigest: string;
  readonly layers: readonly PackedLayer[];
}
