import type {
  LinuxContainerSecurityContext,
  LinuxSandboxSecurityContext,
  NamespaceOption,
  SecurityProfile,
  SeLinuxOption,
} from "#cri/contract.ts";
import type { AppArmorProfile, Container, Pod, SeccompProfile, SELinuxOptions } from "#machinery/api/core-v1.ts";
import { formatPod } from "./names.ts";
import type { Stored } from "#machinery/object.ts";

/** The user that the image wants: a number, a name, or neither. */
export interface ImageUser {
  readonly uid: number | undefined;
  readonly username: string;
}

const MASKED_PATHS = [
  "/proc/asound",
  "/proc/acpi",
  "/proc/interrupts",
  "/proc/kcore",
  "/proc/keys",
  "/proc/latency_stats",
  "/proc/timer_list",
  "/proc/timer_stats",
  "/proc/sched_debug",
  "/proc/scsi",
  "/sys/firmware",
  "/sys/devices/virtual/powercap",
];
const READONLY_PATHS = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

export function namespaceOptions({ spec }: Pod): NamespaceOption {
  return {
    network: spec.hostNetwork === true ? "NODE" : "POD",
    pid: spec.hostPID === true ? "NODE" : spec.shareProcessNamespace === true ? "POD" : "CONTAINER",
    ipc: spec.hostIPC === true ? "NODE" : "POD",
  };
}

export function sandboxSecurityContext(pod: Pod): LinuxSandboxSecurityContext {
  const context = pod.spec.securityContext;
  const privileged = [...(pod.spec.initContainers ?? []), ...pod.spec.containers].some((each) => each.securityContext?.privileged === true);
  const groups = supplementalGroups(pod);
  return {
    namespaceOptions: namespaceOptions(pod),
    privileged,
    // The sandbox's own process is ours: it runs confined whatever the pod asks for its containers.
    seccomp: { profileType: "RuntimeDefault" },
    ...(context?.runAsUser === undefined ? {} : { runAsUser: context.runAsUser }),
    ...(context?.runAsGroup === undefined ? {} : { runAsGroup: context.runAsGroup, runAsUser: context.runAsUser ?? 0 }),
    ...(groups.length === 0 ? {} : { supplementalGroups: groups }),
    ...(context?.seLinuxOptions === undefined ? {} : { selinuxOptions: seLinux(context.seLinuxOptions) }),
  };
}

/** The container's own settings win over the pod's. */
export function containerSecurityContext(pod: Pod, container: Container, image: ImageUser): LinuxContainerSecurityContext {
  const own = container.securityContext;
  const shared = pod.spec.securityContext;
  const runAsUser = own?.runAsUser ?? shared?.runAsUser ?? image.uid;
  const runAsGroup = own?.runAsGroup ?? shared?.runAsGroup;
  const selinux = own?.seLinuxOptions ?? shared?.seLinuxOptions;
  const groups = supplementalGroups(pod);
  const unmasked = own?.privileged === true || own?.procMount === "Unmasked";
  return {
    privileged: own?.privileged === true,
    readonlyRootfs: own?.readOnlyRootFilesystem === true,
    noNewPrivs: own?.allowPrivilegeEscalation === false,
    namespaceOptions: namespaceOptions(pod),
    capabilities: { addCapabilities: own?.capabilities?.add ?? [], dropCapabilities: own?.capabilities?.drop ?? [] },
    maskedPaths: unmasked ? [] : MASKED_PATHS,
    readonlyPaths: unmasked ? [] : READONLY_PATHS,
    ...(runAsUser === undefined ? (image.username === "" ? {} : { runAsUsername: image.username }) : { runAsUser }),
    ...(runAsGroup === undefined ? {} : { runAsGroup, ...(runAsUser === undefined && image.username === "" ? { runAsUser: 0 } : {}) }),
    ...(groups.length === 0 ? {} : { supplementalGroups: groups }),
    ...(selinux === undefined ? {} : { selinuxOptions: seLinux(selinux) }),
    seccomp: profile(own?.seccompProfile ?? shared?.seccompProfile),
    ...apparmor(own?.appArmorProfile ?? shared?.appArmorProfile),
  };
}

/** Why the container may not run, in upstream's words; undefined where it may. */
export function refuseRoot(pod: Stored<Pod>, container: Container, image: ImageUser): string | undefined {
  const own = container.securityContext;
  const shared = pod.spec.securityContext;
  if ((own?.runAsNonRoot ?? shared?.runAsNonRoot) !== true) return undefined;
  const where = `(pod: "${formatPod(pod)}", container: ${container.name})`;
  const user = own?.runAsUser ?? shared?.runAsUser;
  if (user !== undefined) return user === 0 ? `container's runAsUser breaks non-root policy ${where}` : undefined;
  if (image.uid === 0) return `container has runAsNonRoot and image will run as root ${where}`;
  if (image.uid === undefined && image.username === "") return `container has runAsNonRoot and image will run as root ${where}`;
  if (image.uid === undefined) {
    return `container has runAsNonRoot and image has non-numeric user (${image.username}), cannot verify user is non-root ${where}`;
  }
  return undefined;
}

function supplementalGroups({ spec }: Pod): readonly number[] {
  const { fsGroup, supplementalGroups = [] } = spec.securityContext ?? {};
  return fsGroup === undefined ? supplementalGroups : [fsGroup, ...supplementalGroups];
}

function profile(wanted: SeccompProfile | undefined): SecurityProfile {
  if (wanted === undefined) return { profileType: "Unconfined" };
  return wanted.localhostProfile === undefined
    ? { profileType: wanted.type }
    : { profileType: wanted.type, localhostRef: wanted.localhostProfile };
}

function apparmor(wanted: AppArmorProfile | undefined): { readonly apparmor?: SecurityProfile } {
  if (wanted === undefined) return {};
  return {
    apparmor:
      wanted.localhostProfile === undefined
        ? { profileType: wanted.type }
        : { profileType: wanted.type, localhostRef: wanted.localhostProfile },
  };
}

function seLinux({ user, role, type, level }: SELinuxOptions): SeLinuxOption {
  return {
    ...(user === undefined ? {} : { user }),
    ...(role === undefined ? {} : { role }),
    ...(type === undefined ? {} : { type }),
    ...(level === undefined ? {} : { level }),
  };
}
