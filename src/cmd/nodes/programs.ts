/** A program that nodes run, and the Debian package that brings it. */
export interface RequiredProgram {
  /** Name looked up in PATH, or an absolute path. */
  readonly program: string;
  readonly debianPackage: string;
}

/** Without these no node starts. */
export const nodePrograms: readonly RequiredProgram[] = [
  { program: "ip", debianPackage: "iproute2" },
  { program: "nft", debianPackage: "nftables" },
  { program: "nsenter", debianPackage: "util-linux" },
  { program: "mount", debianPackage: "mount" },
  { program: "containerd", debianPackage: "containerd" },
  { program: "ctr", debianPackage: "containerd" },
  { program: "runc", debianPackage: "runc" },
  { program: "iptables", debianPackage: "iptables" },
  { program: "conntrack", debianPackage: "conntrack" },
  { program: "ethtool", debianPackage: "ethtool" },
  { program: "/usr/lib/cni/ptp", debianPackage: "containernetworking-plugins" },
  { program: "/usr/lib/cni/host-local", debianPackage: "containernetworking-plugins" },
  { program: "/usr/lib/cni/portmap", debianPackage: "containernetworking-plugins" },
  { program: "/usr/lib/cni/loopback", debianPackage: "containernetworking-plugins" },
  { program: "/usr/bin/catatonit", debianPackage: "catatonit" },
  { program: "/usr/bin/busybox", debianPackage: "busybox-static" },
  { program: "/usr/bin/curl", debianPackage: "curl" },
  { program: "/etc/ssl/certs/ca-certificates.crt", debianPackage: "ca-certificates" },
];

/** What the demo wants beside: the user's own kubectl. */
export const clientPrograms: readonly RequiredProgram[] = [{ program: "kubectl", debianPackage: "kubectl" }];

/** What older releases of Debian call a package that they do not have under its present name. */
export const olderPackageNames: Readonly<Record<string, string>> = { kubectl: "kubernetes-client" };
