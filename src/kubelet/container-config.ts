import type { ContainerConfig, Device, LinuxContainerSecurityContext, Mount } from "#cri/contract.ts";
import type { Container, Pod } from "#machinery/api/core-v1.ts";
import type { Stored } from "#machinery/object.ts";
import { expand } from "./expand.ts";
import { ANNOTATION, containerHash, containerLogPath, type ContainerType, LABEL, namespaceOf } from "./names.ts";
import { linuxResources } from "./resources.ts";
import { containerSecurityContext, type ImageUser } from "./security-context.ts";
import type { EnvPair } from "./service-env.ts";

export interface ContainerFacts {
  readonly type: ContainerType;
  readonly restartCount: number;
  /** What the runtime calls the image: its id. */
  readonly imageRef: string;
  readonly image: ImageUser;
  readonly env: readonly EnvPair[];
  readonly mounts: readonly Mount[];
  readonly devices: readonly Device[];
  readonly memoryCapacity: number;
  /** Id of the container whose processes an ephemeral container sees. */
  readonly targetId?: string;
}

function targeted(context: LinuxContainerSecurityContext, targetId: string | undefined): LinuxContainerSecurityContext {
  const { namespaceOptions } = context;
  if (targetId === undefined || namespaceOptions === undefined) return context;
  return { ...context, namespaceOptions: { ...namespaceOptions, pid: "TARGET", targetId } };
}

export function containerConfig(pod: Stored<Pod>, container: Container, facts: ContainerFacts): ContainerConfig {
  const { type, restartCount, imageRef, image, env, mounts, devices, memoryCapacity } = facts;
  const variables = new Map(env.map(({ name, value }) => [name, value]));
  const expanded = (words: readonly string[] = []) => words.map((word) => expand(word, (name) => variables.get(name)));
  const { name, uid } = pod.metadata;
  const gracePeriod = pod.metadata.deletionGracePeriodSeconds ?? pod.spec.terminationGracePeriodSeconds;
  return {
    metadata: { name: container.name, attempt: restartCount },
    image: { image: imageRef, userSpecifiedImage: container.image ?? "" },
    command: expanded(container.command),
    args: expanded(container.args),
    workingDir: container.workingDir ?? "",
    envs: env.map(({ name, value }) => ({ key: name, value })),
    mounts,
    devices,
    labels: {
      [LABEL.podName]: name,
      [LABEL.podNamespace]: namespaceOf(pod),
      [LABEL.podUid]: uid,
      [LABEL.containerName]: container.name,
    },
    annotations: {
      [ANNOTATION.hash]: containerHash(container),
      [ANNOTATION.restartCount]: String(restartCount),
      [ANNOTATION.terminationMessagePath]: container.terminationMessagePath ?? "/dev/termination-log",
      [ANNOTATION.terminationMessagePolicy]: container.terminationMessagePolicy ?? "File",
      ...(gracePeriod === undefined ? {} : { [ANNOTATION.gracePeriod]: String(gracePeriod) }),
      ...((container.ports ?? []).length === 0 ? {} : { [ANNOTATION.ports]: JSON.stringify(container.ports) }),
      ...(container.lifecycle?.preStop === undefined ? {} : { [ANNOTATION.preStop]: JSON.stringify(container.lifecycle.preStop) }),
      [ANNOTATION.containerType]: type,
    },
    logPath: containerLogPath(container.name, restartCount),
    stdin: container.stdin === true,
    stdinOnce: container.stdinOnce === true,
    tty: container.tty === true,
    linux: {
      resources: linuxResources(pod, container, memoryCapacity),
      securityContext: targeted(containerSecurityContext(pod, container, image), facts.targetId),
    },
  };
}
