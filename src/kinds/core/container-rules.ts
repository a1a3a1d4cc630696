import type { Container, ContainerPort, EnvFromSource, EnvVar, LifecycleHandler, Probe, SecurityContext } from "#machinery/api/core-v1.ts";
import { duplicateField, type FieldError, forbiddenField, invalidField, requiredField } from "#machinery/field-error.ts";
import {
  isConfigMapKey,
  isDns1123Label,
  isDns1123Subdomain,
  isHttpHeaderName,
  isPortName,
  isPortNumber,
  isRelaxedEnvVarName,
  isUserId,
} from "#machinery/names.ts";
import { type Errors, follows, isMissing, notNegative, optionalEnum, present, requiredEnum, requiredName } from "../validation.ts";
import { validateFieldRef, validateResourceFieldRef } from "./field-ref.ts";
import { isSidecar } from "./pod-status.ts";
import { validateResourceRequirements } from "./resources.ts";
import { localPath, type VolumeNames, validateVolumeDevices, validateVolumeMounts } from "./volume-mount-rules.ts";

export const PROTOCOLS: readonly string[] = ["SCTP", "TCP", "UDP"];
export const PULL_POLICIES: readonly string[] = ["Always", "IfNotPresent", "Never"];
const MESSAGE_POLICIES: readonly string[] = ["FallbackToLogsOnError", "File"];
const RESTART_POLICIES: readonly string[] = ["Always", "Never", "OnFailure"];

export interface ContainerContext {
  readonly volumes: VolumeNames;
  readonly claims: ReadonlySet<string>;
  readonly hostNetwork: boolean;
  /** Grace period of the pod: nothing in it may sleep longer. */
  readonly gracePeriodSeconds: number;
}

export function validateContainers(containers: readonly Container[], context: ContainerContext, path: string): Errors {
  if (containers.length === 0) return [requiredField(path)];
  const names = new Set<string>();
  const errors: FieldError[] = [];
  for (const [index, container] of containers.entries()) {
    const at = `${path}[${index}]`;
    errors.push(...validateContainer(container, context, at));
    if (names.has(container.name)) errors.push(duplicateField(`${at}.name`, container.name));
    names.add(container.name);
    errors.push(...validateLifecycle(container, context, at), ...validateProbes(container, context, at));
    errors.push(...optionalEnum(container.restartPolicy, RESTART_POLICIES, `${at}.restartPolicy`));
  }
  return [...errors, ...hostPortConflicts(containers, path)];
}

/** Init containers: only those that run on as sidecars have probes and lifecycle hooks. `taken` are names of main containers. */
export function validateInitContainers(
  containers: readonly Container[],
  taken: ReadonlySet<string>,
  context: ContainerContext,
  path: string,
): Errors {
  const names = new Set(taken);
  const errors: FieldError[] = [];
  for (const [index, container] of containers.entries()) {
    const at = `${path}[${index}]`;
    errors.push(...validateContainer(container, context, at));
    errors.push(...optionalEnum(container.restartPolicy, RESTART_POLICIES, `${at}.restartPolicy`));
    if (container.name !== "" && names.has(container.name)) errors.push(duplicateField(`${at}.name`, container.name));
    names.add(container.name);
    errors.push(...hostPortConflicts([container], at.slice(0, at.lastIndexOf("["))));
    if (isSidecar(container)) {
      errors.push(...validateLifecycle(container, context, at), ...validateProbes(container, context, at));
      continue;
    }
    for (const field of ["lifecycle", "livenessProbe", "readinessProbe", "startupProbe"] as const) {
      if (container[field] === undefined) continue;
      errors.push(forbiddenField(`${at}.${field}`, "may not be set for init containers without restartPolicy=Always"));
    }
  }
  return errors;
}

/** What main, init and ephemeral containers share. */
export function validateContainer(container: Container, context: ContainerContext, path: string): Errors {
  const { image = "" } = container;
  const errors: FieldError[] = [...requiredName(isDns1123Label, container.name, `${path}.name`)];
  if (image === "") errors.push(requiredField(`${path}.image`));
  else if (image !== image.trim()) errors.push(invalidField(`${path}.image`, image, "must not have leading or trailing whitespace"));
  errors.push(
    ...requiredEnum(container.terminationMessagePolicy, MESSAGE_POLICIES, `${path}.terminationMessagePolicy`),
    ...validatePorts(container.ports ?? [], context, `${path}.ports`),
    ...validateEnv(container.env ?? [], `${path}.env`),
    ...validateEnvFrom(container.envFrom ?? [], `${path}.envFrom`),
    ...validateVolumeMounts(container, context.volumes, `${path}.volumeMounts`),
    ...validateVolumeDevices(container, context.volumes, `${path}.volumeDevices`),
    ...requiredEnum(container.imagePullPolicy, PULL_POLICIES, `${path}.imagePullPolicy`),
    ...validateResourceRequirements(container.resources, `${path}.resources`),
    ...validateClaims(container, context.claims, `${path}.resources.claims`),
    ...validateResizePolicy(container, `${path}.resizePolicy`),
    ...validateSecurityContext(container.securityContext, `${path}.securityContext`),
  );
  return errors;
}

function validateResizePolicy({ resizePolicy = [] }: Container, path: string): Errors {
  const seen = new Set<string>();
  return resizePolicy.flatMap(({ resourceName, restartPolicy }) => {
    const errors: FieldError[] = [];
    if (seen.has(resourceName)) errors.push(duplicateField(path, resourceName));
    seen.add(resourceName);
    errors.push(...requiredEnum(resourceName, ["cpu", "memory"], path));
    errors.push(...requiredEnum(restartPolicy, ["NotRequired", "RestartContainer"], path));
    return errors;
  });
}

function validateClaims({ resources }: Container, claims: ReadonlySet<string>, path: string): Errors {
  const seen = new Set<string>();
  return (resources?.claims ?? []).flatMap(({ name, request = "" }, index) => {
    const at = `${path}[${index}]`;
    if (isMissing(name)) return [requiredField(`${at}.name`)];
    const key = `${name}/${request}`;
    const errors: FieldError[] = seen.has(key) ? [duplicateField(at, request === "" ? name : key)] : [];
    seen.add(key);
    if (!claims.has(name)) errors.push({ type: "NotFound", field: at, value: name });
    return errors;
  });
}

export function validatePorts(ports: readonly ContainerPort[], context: Pick<ContainerContext, "hostNetwork">, path: string): Errors {
  const names = new Set<string>();
  return ports.flatMap((port, index) => {
    const at = `${path}[${index}]`;
    const errors: FieldError[] = [];
    if (!isMissing(port.name)) {
      const complaints = follows(isPortName, port.name, `${at}.name`);
      errors.push(...complaints);
      if (complaints.length === 0) {
        if (names.has(port.name)) errors.push(duplicateField(`${at}.name`, port.name));
        names.add(port.name);
      }
    }
    if ((port.containerPort ?? 0) === 0) errors.push(requiredField(`${at}.containerPort`));
    else errors.push(...portNumber(port.containerPort, `${at}.containerPort`));
    if (port.hostPort !== undefined && port.hostPort !== 0) {
      errors.push(...portNumber(port.hostPort, `${at}.hostPort`));
      if (context.hostNetwork && port.hostPort !== port.containerPort) {
        errors.push(invalidField(`${at}.hostPort`, port.hostPort, "must match `containerPort` when `hostNetwork` is true"));
      }
    }
    return [...errors, ...requiredEnum(port.protocol, PROTOCOLS, `${at}.protocol`)];
  });
}

function hostPortConflicts(containers: readonly Container[], path: string): Errors {
  const taken = new Set<string>();
  return containers.flatMap(({ ports = [] }, c) =>
    ports.flatMap(({ hostPort = 0, hostIP = "", protocol = "" }, p) => {
      if (hostPort === 0) return [];
      const key = `${protocol}/${hostIP}/${hostPort}`;
      const conflict = taken.has(key);
      taken.add(key);
      return conflict ? [duplicateField(`${path}[${c}].ports[${p}].hostPort`, key)] : [];
    }),
  );
}

export function portNumber(port: number, path: string): Errors {
  return isPortNumber(port).map((message) => invalidField(path, port, message));
}

/** A number, or the name of a container port. */
export function portNumberOrName(port: number | string, path: string): Errors {
  return typeof port === "number" ? portNumber(port, path) : follows(isPortName, port, path);
}

const ENV_FIELDS: readonly string[] = [
  "metadata.name",
  "metadata.namespace",
  "metadata.uid",
  "spec.nodeName",
  "spec.serviceAccountName",
  "status.hostIP",
  "status.hostIPs",
  "status.podIP",
  "status.podIPs",
];

function validateEnv(env: readonly EnvVar[], path: string): Errors {
  return env.flatMap((variable, index) => {
    const at = `${path}[${index}]`;
    const nameErrors = isMissing(variable.name) ? [requiredField(`${at}.name`)] : follows(isRelaxedEnvVarName, variable.name, `${at}.name`);
    return [...nameErrors, ...validateValueFrom(variable, `${at}.valueFrom`)];
  });
}

function validateValueFrom({ value, valueFrom }: EnvVar, path: string): Errors {
  if (valueFrom === undefined) return [];
  const { fieldRef, resourceFieldRef, configMapKeyRef, secretKeyRef, fileKeyRef } = valueFrom;
  const errors: FieldError[] = [];
  if (fieldRef !== undefined) errors.push(...validateFieldRef(fieldRef, ENV_FIELDS, `${path}.fieldRef`));
  if (resourceFieldRef !== undefined) errors.push(...validateResourceFieldRef(resourceFieldRef, undefined, `${path}.resourceFieldRef`));
  for (const [field, reference] of Object.entries({ configMapKeyRef, secretKeyRef })) {
    if (reference === undefined) continue;
    errors.push(...present(reference.name, `${path}.${field}.name`));
    errors.push(...requiredName(isConfigMapKey, reference.key, `${path}.${field}.key`));
  }
  if (fileKeyRef !== undefined) {
    errors.push(...requiredName(isRelaxedEnvVarName, fileKeyRef.key, `${path}.fileKeyRef.key`));
    errors.push(...requiredName(isDns1123Label, fileKeyRef.volumeName, `${path}.fileKeyRef.volumeName`));
    errors.push(
      ...(isMissing(fileKeyRef.path) ? [requiredField(`${path}.fileKeyRef.path`)] : localPath(fileKeyRef.path, `${path}.fileKeyRef.path`)),
    );
  }
  const sources = Object.values(valueFrom).filter((source) => source !== undefined).length;
  if (sources === 0) {
    const wanted = "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`";
    return [...errors, invalidField(path, "", wanted)];
  }
  if (!isMissing(value)) errors.push(invalidField(path, "", "may not be specified when `value` is not empty"));
  if (sources > 1) errors.push(invalidField(path, "", "may not have more than one field specified at a time"));
  return errors;
}

function validateEnvFrom(sources: readonly EnvFromSource[], path: string): Errors {
  return sources.flatMap((source, index) => {
    const at = `${path}[${index}]`;
    const errors: FieldError[] = isMissing(source.prefix) ? [] : [...follows(isRelaxedEnvVarName, source.prefix, `${at}.prefix`)];
    let count = 0;
    for (const field of ["configMapRef", "secretRef"] as const) {
      const reference = source[field];
      if (reference === undefined) continue;
      count += 1;
      errors.push(...requiredName(isDns1123Subdomain, reference.name, `${at}.${field}.name`));
    }
    if (count === 0) errors.push(invalidField(at, "", "must specify one of: `configMapRef` or `secretRef`"));
    if (count > 1) errors.push(invalidField(at, "", "may not have more than one field specified at a time"));
    return errors;
  });
}

function validateProbes(container: Container, context: ContainerContext, path: string): Errors {
  const errors: FieldError[] = [];
  for (const field of ["livenessProbe", "readinessProbe", "startupProbe"] as const) {
    const probe = container[field];
    if (probe === undefined) continue;
    const at = `${path}.${field}`;
    errors.push(...validateProbe(probe, context, at));
    if (field !== "readinessProbe") {
      if (probe.successThreshold !== 1) errors.push(invalidField(`${at}.successThreshold`, probe.successThreshold ?? 0, "must be 1"));
    } else if (probe.terminationGracePeriodSeconds !== undefined) {
      const message = "must not be set for readinessProbes";
      errors.push(invalidField(`${at}.terminationGracePeriodSeconds`, probe.terminationGracePeriodSeconds, message));
    }
  }
  return errors;
}

function validateProbe(probe: Probe, context: ContainerContext, path: string): Errors {
  const errors: FieldError[] = [...validateHandler(probe, context, path)];
  for (const field of ["initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold"] as const) {
    errors.push(...notNegative(probe[field], `${path}.${field}`));
  }
  if (probe.terminationGracePeriodSeconds !== undefined && probe.terminationGracePeriodSeconds <= 0) {
    errors.push(invalidField(`${path}.terminationGracePeriodSeconds`, probe.terminationGracePeriodSeconds, "must be greater than 0"));
  }
  return errors;
}

function validateLifecycle({ lifecycle }: Container, context: ContainerContext, path: string): Errors {
  const errors: FieldError[] = [];
  for (const hook of ["postStart", "preStop"] as const) {
    const handler = lifecycle?.[hook];
    if (handler !== undefined) errors.push(...validateHandler(handler, context, `${path}.lifecycle.${hook}`));
  }
  return errors;
}

/** Exactly one action. */
function validateHandler(handler: LifecycleHandler & Probe, context: ContainerContext, path: string): Errors {
  const errors: FieldError[] = [];
  const only = (field: string, check: () => Errors) => {
    if (count > 0) errors.push(forbiddenField(`${path}.${field}`, "may not specify more than 1 handler type"));
    else errors.push(...check());
    count += 1;
  };
  let count = 0;
  const { exec, httpGet, tcpSocket, grpc, sleep } = handler;
  if (exec !== undefined) only("exec", () => ((exec.command?.length ?? 0) === 0 ? [requiredField(`${path}.exec.command`)] : []));
  if (httpGet !== undefined) {
    only("httpGet", () => [
      ...present(httpGet.path, `${path}.httpGet.path`),
      ...portNumberOrName(httpGet.port, `${path}.httpGet.port`),
      ...optionalEnum(httpGet.scheme ?? "", ["HTTP", "HTTPS"], `${path}.httpGet.scheme`),
      ...(httpGet.httpHeaders ?? []).flatMap(({ name }) => follows(isHttpHeaderName, name, `${path}.httpGet.httpHeaders`)),
    ]);
  }
  if (tcpSocket !== undefined) only("tcpSocket", () => portNumberOrName(tcpSocket.port, `${path}.tcpSocket.port`));
  if (grpc !== undefined) only("grpc", () => portNumber(grpc.port, `${path}.grpc.port`));
  if (sleep !== undefined) only("sleep", () => validateSleep(sleep.seconds, context.gracePeriodSeconds, `${path}.sleep`));
  if (count === 0) errors.push(requiredField(path, "must specify a handler type"));
  return errors;
}

function validateSleep(seconds: number, most: number, path: string): Errors {
  if (seconds >= 0 && seconds <= most) return [];
  return [invalidField(path, seconds, `must be non-negative and less than terminationGracePeriodSeconds (${most})`)];
}

export function validateSecurityContext(context: SecurityContext | undefined, path: string): Errors {
  if (context === undefined) return [];
  const errors: FieldError[] = [];
  for (const field of ["runAsUser", "runAsGroup"] as const) errors.push(...userId(context[field], `${path}.${field}`));
  errors.push(...optionalEnum(context.procMount, ["Default", "Unmasked"], `${path}.procMount`));
  errors.push(...validateProfile(context.seccompProfile, `${path}.seccompProfile`));
  errors.push(...validateProfile(context.appArmorProfile, `${path}.appArmorProfile`));
  if (context.allowPrivilegeEscalation === false) {
    if (context.privileged === true) {
      errors.push(invalidField(path, context, "cannot set `allowPrivilegeEscalation` to false and `privileged` to true"));
    }
    if (context.capabilities?.add?.includes("CAP_SYS_ADMIN") === true) {
      const message = "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN";
      errors.push(invalidField(path, context, message));
    }
  }
  return errors;
}

export function userId(id: number | undefined, path: string): Errors {
  return id === undefined ? [] : isUserId(id).map((message) => invalidField(path, id, message));
}

/** seccomp and AppArmor profiles have one shape. */
export function validateProfile(profile: { readonly type: string; readonly localhostProfile?: string } | undefined, path: string): Errors {
  if (profile === undefined) return [];
  if (isMissing(profile.type)) return [requiredField(`${path}.type`, "type is required when seccompProfile is set")];
  const errors: FieldError[] = [...optionalEnum(profile.type, ["Localhost", "RuntimeDefault", "Unconfined"], `${path}.type`)];
  if (profile.type === "Localhost" && isMissing(profile.localhostProfile)) {
    errors.push(requiredField(`${path}.localhostProfile`, "must be set when seccomp type is Localhost"));
  }
  if (profile.type !== "Localhost" && profile.localhostProfile !== undefined) {
    errors.push(invalidField(`${path}.localhostProfile`, profile, "can only be set when seccomp type is Localhost"));
  }
  return errors;
}
