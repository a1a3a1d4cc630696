import type {
  Container,
  ContainerPort,
  EnvVar,
  LifecycleHandler,
  PersistentVolumeClaimSpec,
  PodSpec,
  PodTemplateSpec,
  Probe,
  Volume,
  VolumeSource,
} from "#machinery/api/core-v1.ts";

const FILE_MODE = 0o644;

/** What every pod spec has, in pods and in templates. */
export function defaultPodSpec(spec: PodSpec): PodSpec {
  const account = spec.serviceAccountName || spec.serviceAccount;
  return {
    ...spec,
    ...(account ? { serviceAccountName: account, serviceAccount: account } : {}),
    ...(spec.containers === undefined ? {} : { containers: spec.containers.map(defaultContainer) }),
    ...(spec.initContainers === undefined ? {} : { initContainers: spec.initContainers.map(defaultContainer) }),
    ...(spec.ephemeralContainers === undefined ? {} : { ephemeralContainers: spec.ephemeralContainers.map(defaultContainer) }),
    ...(spec.volumes === undefined ? {} : { volumes: spec.volumes.map(defaultVolume) }),
    restartPolicy: spec.restartPolicy || "Always",
    terminationGracePeriodSeconds: spec.terminationGracePeriodSeconds ?? 30,
    dnsPolicy: spec.dnsPolicy || "ClusterFirst",
    securityContext: spec.securityContext ?? {},
    schedulerName: spec.schedulerName || "default-scheduler",
  };
}

/** What pods have besides: templates leave it open until a pod is made from them. */
export function defaultRunningPodSpec(spec: PodSpec): PodSpec {
  const full = defaultPodSpec(spec);
  const finish = <C extends Container>(container: C): C => requestsFromLimits(full.hostNetwork === true ? hostPorts(container) : container);
  return {
    ...full,
    enableServiceLinks: full.enableServiceLinks ?? true,
    ...(full.containers === undefined ? {} : { containers: full.containers.map(finish) }),
    ...(full.initContainers === undefined ? {} : { initContainers: full.initContainers.map(finish) }),
  };
}

export function defaultPodTemplate(template: PodTemplateSpec): PodTemplateSpec {
  return { ...template, spec: defaultPodSpec(template.spec ?? { containers: [] }) };
}

/** The pull policy that an image's tag asks for. */
export function pullPolicyOf(image: string): "Always" | "IfNotPresent" {
  if (image.includes("@")) return "IfNotPresent";
  const name = image.slice(image.lastIndexOf("/") + 1);
  const tag = name.includes(":") ? name.slice(name.indexOf(":") + 1) : "latest";
  return tag === "latest" ? "Always" : "IfNotPresent";
}

function defaultContainer<C extends Container>(container: C): C {
  return {
    ...container,
    ...(container.env === undefined ? {} : { env: container.env.map(defaultEnv) }),
    ...(container.livenessProbe === undefined ? {} : { livenessProbe: defaultProbe(container.livenessProbe) }),
    ...(container.readinessProbe === undefined ? {} : { readinessProbe: defaultProbe(container.readinessProbe) }),
    ...(container.startupProbe === undefined ? {} : { startupProbe: defaultProbe(container.startupProbe) }),
    ...(container.lifecycle === undefined ? {} : { lifecycle: defaultLifecycle(container.lifecycle) }),
    imagePullPolicy: container.imagePullPolicy || pullPolicyOf(container.image ?? ""),
    terminationMessagePath: container.terminationMessagePath || "/dev/termination-log",
    terminationMessagePolicy: container.terminationMessagePolicy || "File",
  };
}

function defaultLifecycle(lifecycle: NonNullable<Container["lifecycle"]>): NonNullable<Container["lifecycle"]> {
  return {
    ...lifecycle,
    ...(lifecycle.postStart === undefined ? {} : { postStart: defaultHandler(lifecycle.postStart) }),
    ...(lifecycle.preStop === undefined ? {} : { preStop: defaultHandler(lifecycle.preStop) }),
  };
}

function defaultProbe(probe: Probe): Probe {
  return {
    ...defaultHandler(probe),
    timeoutSeconds: probe.timeoutSeconds || 1,
    periodSeconds: probe.periodSeconds || 10,
    successThreshold: probe.successThreshold || 1,
    failureThreshold: probe.failureThreshold || 3,
  };
}

function defaultHandler<H extends LifecycleHandler | Probe>(handler: H): H {
  if (handler.httpGet === undefined) return handler;
  return { ...handler, httpGet: { ...handler.httpGet, path: handler.httpGet.path || "/", scheme: handler.httpGet.scheme || "HTTP" } };
}

function defaultEnv(variable: EnvVar): EnvVar {
  const { valueFrom } = variable;
  if (valueFrom?.fieldRef === undefined && valueFrom?.resourceFieldRef === undefined) return variable;
  return { ...variable, valueFrom: defaultReferences(valueFrom) };
}

type FieldRef = NonNullable<NonNullable<EnvVar["valueFrom"]>["fieldRef"]>;
type ResourceFieldRef = NonNullable<NonNullable<EnvVar["valueFrom"]>["resourceFieldRef"]>;

function defaultReferences<T extends { readonly fieldRef?: FieldRef; readonly resourceFieldRef?: ResourceFieldRef }>(source: T): T {
  return {
    ...source,
    ...(source.fieldRef === undefined ? {} : { fieldRef: { ...source.fieldRef, apiVersion: source.fieldRef.apiVersion || "v1" } }),
    ...(source.resourceFieldRef === undefined
      ? {}
      : { resourceFieldRef: { ...source.resourceFieldRef, divisor: source.resourceFieldRef.divisor ?? "0" } }),
  };
}

function defaultVolume(volume: Volume): Volume {
  const { name, ...source } = volume;
  if (Object.values(source).every((value) => value === undefined)) return { name, emptyDir: {} };
  return { ...volume, ...defaultVolumeSource(source) };
}

function defaultVolumeSource(source: VolumeSource): VolumeSource {
  const { secret, configMap, downwardAPI, projected, hostPath, ephemeral, image } = source;
  return {
    ...(secret === undefined ? {} : { secret: { ...secret, defaultMode: secret.defaultMode ?? FILE_MODE } }),
    ...(configMap === undefined ? {} : { configMap: { ...configMap, defaultMode: configMap.defaultMode ?? FILE_MODE } }),
    ...(downwardAPI === undefined
      ? {}
      : {
          downwardAPI: {
            ...downwardAPI,
            ...(downwardAPI.items === undefined ? {} : { items: downwardAPI.items.map(defaultReferences) }),
            defaultMode: downwardAPI.defaultMode ?? FILE_MODE,
          },
        }),
    ...(projected === undefined ? {} : { projected: defaultProjected(projected) }),
    ...(hostPath === undefined ? {} : { hostPath: { ...hostPath, type: hostPath.type ?? "" } }),
    ...(ephemeral?.volumeClaimTemplate === undefined
      ? {}
      : {
          ephemeral: {
            ...ephemeral,
            volumeClaimTemplate: { ...ephemeral.volumeClaimTemplate, spec: defaultClaimSpec(ephemeral.volumeClaimTemplate.spec) },
          },
        }),
    ...(image === undefined ? {} : { image: { ...image, pullPolicy: image.pullPolicy || pullPolicyOf(image.reference ?? "") } }),
  };
}

function defaultProjected(projected: NonNullable<VolumeSource["projected"]>): NonNullable<VolumeSource["projected"]> {
  return {
    ...projected,
    ...(projected.sources === undefined
      ? {}
      : {
          sources: projected.sources.map((source) => ({
            ...source,
            ...(source.serviceAccountToken === undefined
              ? {}
              : {
                  serviceAccountToken: {
                    ...source.serviceAccountToken,
                    expirationSeconds: source.serviceAccountToken.expirationSeconds ?? 3600,
                  },
                }),
            ...(source.downwardAPI?.items === undefined
              ? {}
              : { downwardAPI: { ...source.downwardAPI, items: source.downwardAPI.items.map(defaultReferences) } }),
          })),
        }),
    defaultMode: projected.defaultMode ?? FILE_MODE,
  };
}

export function defaultClaimSpec(spec: PersistentVolumeClaimSpec): PersistentVolumeClaimSpec {
  return { ...spec, volumeMode: spec?.volumeMode ?? "Filesystem" };
}

/** Requests that are not set are what the limits are. */
function requestsFromLimits<C extends Container>(container: C): C {
  const { resources } = container;
  if (resources?.limits === undefined || Object.keys(resources.limits).length === 0) return container;
  return { ...container, resources: { ...resources, requests: { ...resources.limits, ...resources.requests } } };
}

function hostPorts<C extends Container>(container: C): C {
  if (container.ports === undefined) return container;
  const ports: ContainerPort[] = container.ports.map((port) => ({ ...port, hostPort: port.hostPort || port.containerPort }));
  return { ...container, ports };
}
