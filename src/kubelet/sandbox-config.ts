import type { DnsConfig, PodSandboxConfig, PortMapping } from "#cri/contract.ts";
import type { Pod } from "#machinery/api/core-v1.ts";
import type { Stored } from "#machinery/object.ts";
import { sandboxHostname } from "./hosts-file.ts";
import { LABEL, namespaceOf, podLogDirectory } from "./names.ts";
import { podCgroup } from "./resources.ts";
import { sandboxSecurityContext } from "./security-context.ts";

export interface SandboxFacts {
  readonly attempt: number;
  readonly dns: DnsConfig;
  readonly clusterDomain: string;
  readonly logDirectory: string;
  readonly cgroupRoot: string;
}

export function sandboxConfig(pod: Stored<Pod>, { attempt, dns, clusterDomain, logDirectory, cgroupRoot }: SandboxFacts): PodSandboxConfig {
  const namespace = namespaceOf(pod);
  const { name, uid } = pod.metadata;
  const sysctls = Object.fromEntries((pod.spec.securityContext?.sysctls ?? []).map((each) => [each.name, each.value]));
  return {
    metadata: { name, uid, namespace, attempt },
    // A pod on the node's network has the node's name.
    ...(pod.spec.hostNetwork === true ? {} : { hostname: sandboxHostname(pod, clusterDomain) }),
    logDirectory: podLogDirectory(logDirectory, { namespace, name, uid }),
    dnsConfig: dns,
    portMappings: pod.spec.hostNetwork === true ? [] : portMappings(pod),
    labels: { ...pod.metadata.labels, [LABEL.podName]: name, [LABEL.podNamespace]: namespace, [LABEL.podUid]: uid },
    annotations: { ...pod.metadata.annotations },
    linux: { cgroupParent: podCgroup(cgroupRoot, pod), securityContext: sandboxSecurityContext(pod), sysctls },
  };
}

function portMappings({ spec }: Pod): readonly PortMapping[] {
  const containers = [...(spec.initContainers ?? []).filter((each) => each.restartPolicy === "Always"), ...spec.containers];
  return containers.flatMap(({ ports = [] }) =>
    ports.map(({ protocol = "TCP", containerPort, hostPort = 0, hostIP }) => ({
      protocol,
      containerPort,
      hostPort,
      ...(hostIP === undefined ? {} : { hostIp: hostIP }),
    })),
  );
}
