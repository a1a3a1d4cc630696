import type { Container, EphemeralContainer, HostAlias, PodDNSConfig, PodSecurityContext, PodSpec } from "#machinery/api/core-v1.ts";
import { duplicateField, type FieldError, forbiddenField, invalidField, requiredField } from "#machinery/field-error.ts";
import { isDns1123Label, isDns1123Subdomain, isDns1123SubdomainWithUnderscore, isLabelKey } from "#machinery/names.ts";
import { parseIp, validateIp } from "../ip.ts";
import { type Errors, follows, inRange, isMissing, optionalEnum, requiredEnum, requiredName, validateLabels } from "../validation.ts";
import { validateAffinity, validateTolerations, validateTopologySpread } from "./affinity-rules.ts";
import {
  type ContainerContext,
  userId,
  validateContainer,
  validateContainers,
  validateInitContainers,
  validateProfile,
} from "./container-rules.ts";
import { validateQuantity, validateResourceName, validateResourceRequirements } from "./resources.ts";
import { validateVolumes, volumeNamesOf } from "./volume-rules.ts";
import type { VolumeNames } from "./volume-mount-rules.ts";

const DNS_POLICIES: readonly string[] = ["ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"];
const RESTART_POLICIES: readonly string[] = ["Always", "Never", "OnFailure"];
const MAX_INT32 = 2 ** 31 - 1;

export interface PodSpecContext {
  /** Volumes that come from elsewhere: claim templates of a StatefulSet. */
  readonly extraVolumes?: readonly string[];
}

export function containerContext(spec: PodSpec, { extraVolumes = [] }: PodSpecContext = {}): ContainerContext {
  const volumes: VolumeNames = new Map([
    ...volumeNamesOf(spec.volumes ?? []),
    ...extraVolumes.map((name) => [name, { isClaim: true }] as const),
  ]);
  return {
    volumes,
    claims: new Set((spec.resourceClaims ?? []).map(({ name }) => name)),
    hostNetwork: spec.hostNetwork === true,
    gracePeriodSeconds: spec.terminationGracePeriodSeconds ?? 0,
  };
}

export function validatePodSpec(spec: PodSpec, path: string, context: PodSpecContext = {}): Errors {
  const containers = spec.containers ?? [];
  const inside = containerContext(spec, context);
  const names = new Set(containers.map(({ name }) => name));
  return [
    ...validateVolumes(spec.volumes ?? [], `${path}.volumes`),
    ...validateResourceClaims(spec, `${path}.resourceClaims`),
    ...validateContainers(containers, inside, `${path}.containers`),
    ...validateInitContainers(spec.initContainers ?? [], names, inside, `${path}.initContainers`),
    ...validateEphemeralContainers(spec, `${path}.ephemeralContainers`),
    ...validateResourceRequirements(spec.resources, `${path}.resources`),
    ...requiredEnum(spec.restartPolicy, RESTART_POLICIES, `${path}.restartPolicy`),
    ...requiredEnum(spec.dnsPolicy, DNS_POLICIES, `${path}.dnsPolicy`),
    ...validateLabels(spec.nodeSelector, `${path}.nodeSelector`),
    ...validatePodSecurityContext(spec, `${path}.securityContext`),
    ...(spec.imagePullSecrets ?? []).flatMap(({ name }, i) =>
      isMissing(name) ? [requiredField(`${path}.imagePullSecrets[${i}].name`)] : [],
    ),
    ...validateAffinity(spec.affinity, `${path}.affinity`),
    ...validateDnsConfig(spec, `${path}.dnsConfig`),
    ...(spec.readinessGates ?? []).flatMap(({ conditionType }, i) =>
      follows(isLabelKey, conditionType ?? "", `${path}.readinessGates[${i}].conditionType`),
    ),
    ...validateGates(spec, `${path}.schedulingGates`),
    ...validateTopologySpread(spec.topologySpreadConstraints ?? [], `${path}.topologySpreadConstraints`),
    ...nameOrNothing(spec.serviceAccountName, isDns1123Subdomain, `${path}.serviceAccountName`),
    ...nameOrNothing(spec.nodeName, isDns1123Subdomain, `${path}.nodeName`),
    ...inRange(spec.activeDeadlineSeconds, 1, MAX_INT32, `${path}.activeDeadlineSeconds`),
    ...nameOrNothing(spec.hostname, isDns1123Label, `${path}.hostname`),
    ...nameOrNothing(spec.subdomain, isDns1123Label, `${path}.subdomain`),
    ...validateTolerations(spec.tolerations ?? [], `${path}.tolerations`),
    ...validateHostAliases(spec.hostAliases ?? [], `${path}.hostAliases`),
    ...nameOrNothing(spec.priorityClassName, isDns1123Subdomain, `${path}.priorityClassName`),
    ...nameOrNothing(spec.runtimeClassName, isDns1123Subdomain, `${path}.runtimeClassName`),
    ...optionalEnum(spec.preemptionPolicy, ["Never", "PreemptLowerPriority"], `${path}.preemptionPolicy`),
    ...Object.entries(spec.overhead ?? {}).flatMap(([resource, amount]) => [
      ...validateResourceName(resource, `${path}.overhead[${resource}]`),
      ...validateQuantity(resource, amount, `${path}.overhead[${resource}]`),
    ]),
    ...validateOs(spec, path),
  ];
}

function nameOrNothing(value: string | undefined, rule: (value: string) => string[], path: string): Errors {
  return isMissing(value) ? [] : follows(rule, value, path);
}

function validateOs({ os }: PodSpec, path: string): Errors {
  if (os === undefined) return [];
  return isMissing(os.name)
    ? [requiredField(`${path}.os.name`, "cannot be empty")]
    : optionalEnum(os.name, ["linux", "windows"], `${path}.os`);
}

function validateResourceClaims({ resourceClaims = [] }: PodSpec, path: string): Errors {
  const seen = new Set<string>();
  return resourceClaims.flatMap((claim, index) => {
    const at = `${path}[${index}]`;
    const errors: FieldError[] = [];
    if (seen.has(claim.name)) errors.push(duplicateField(`${at}.name`, claim.name));
    else errors.push(...requiredName(isDns1123Label, claim.name, `${at}.name`));
    seen.add(claim.name);
    const { resourceClaimName, resourceClaimTemplateName } = claim;
    if (resourceClaimName !== undefined && resourceClaimTemplateName !== undefined) {
      errors.push(invalidField(at, claim, "at most one of `resourceClaimName` or `resourceClaimTemplateName` may be specified"));
    }
    if (resourceClaimName === undefined && resourceClaimTemplateName === undefined) {
      errors.push(invalidField(at, claim, "must specify one of: `resourceClaimName`, `resourceClaimTemplateName`"));
    }
    return errors;
  });
}

const EPHEMERAL_FORBIDDEN = [
  "ports",
  "livenessProbe",
  "readinessProbe",
  "startupProbe",
  "lifecycle",
  "resources",
  "resizePolicy",
  "restartPolicy",
] as const satisfies readonly (keyof EphemeralContainer)[];

export function validateEphemeralContainers(spec: PodSpec, path: string): Errors {
  const inside = containerContext(spec);
  const others: readonly Container[] = [...(spec.containers ?? []), ...(spec.initContainers ?? [])];
  const names = new Set(others.map(({ name }) => name));
  const targets = new Set((spec.containers ?? []).map(({ name }) => name));
  return (spec.ephemeralContainers ?? []).flatMap((container, index) => {
    const at = `${path}[${index}]`;
    const errors: FieldError[] = [...validateContainer(container, inside, at)];
    if (names.has(container.name)) errors.push(duplicateField(`${at}.name`, container.name));
    names.add(container.name);
    const { targetContainerName } = container;
    if (!isMissing(targetContainerName) && !targets.has(targetContainerName)) {
      errors.push({ type: "NotFound", field: `${at}.targetContainerName`, value: targetContainerName });
    }
    for (const field of EPHEMERAL_FORBIDDEN) {
      const value = container[field];
      const empty = value === undefined || (typeof value === "object" && Object.keys(value).length === 0);
      if (!empty) errors.push(forbiddenField(`${at}.${field}`, "cannot be set for an Ephemeral Container"));
    }
    for (const [i, mount] of (container.volumeMounts ?? []).entries()) {
      for (const field of ["subPath", "subPathExpr"] as const) {
        if (!isMissing(mount[field])) {
          errors.push(forbiddenField(`${at}.volumeMounts[${i}].${field}`, "cannot be set for an Ephemeral Container"));
        }
      }
    }
    return errors;
  });
}

function validatePodSecurityContext(spec: PodSpec, path: string): Errors {
  const context: PodSecurityContext = spec.securityContext ?? {};
  const errors: FieldError[] = [];
  for (const field of ["fsGroup", "runAsUser", "runAsGroup"] as const) errors.push(...userId(context[field], `${path}.${field}`));
  for (const [i, group] of (context.supplementalGroups ?? []).entries()) {
    errors.push(...userId(group, `${path}.supplementalGroups[${i}]`));
  }
  if (spec.shareProcessNamespace === true && spec.hostPID === true) {
    errors.push(
      invalidField(
        `${path.replace(/securityContext$/, "")}shareProcessNamespace`,
        true,
        "ShareProcessNamespace and HostPID cannot both be enabled",
      ),
    );
  }
  const sysctls = new Set<string>();
  for (const [i, { name }] of (context.sysctls ?? []).entries()) {
    const at = `${path}.sysctls[${i}].name`;
    if (isMissing(name)) errors.push(requiredField(at));
    else if (!isSysctl(name)) errors.push(invalidField(at, name, `must have at most 253 characters and match regex ${SYSCTL}`));
    else if (sysctls.has(name)) errors.push(duplicateField(at, name));
    sysctls.add(name);
  }
  errors.push(...optionalEnum(context.fsGroupChangePolicy, ["Always", "OnRootMismatch"], `${path}.fsGroupChangePolicy`));
  errors.push(...optionalEnum(context.supplementalGroupsPolicy, ["Merge", "Strict"], `${path}.supplementalGroupsPolicy`));
  errors.push(...validateProfile(context.seccompProfile, `${path}.seccompProfile`));
  return [...errors, ...validateProfile(context.appArmorProfile, `${path}.appArmorProfile`)];
}

const SYSCTL = "^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$";

function isSysctl(name: string): boolean {
  return name.length <= 253 && new RegExp(SYSCTL).test(name);
}

function validateDnsConfig({ dnsPolicy, dnsConfig }: PodSpec, path: string): Errors {
  const errors: FieldError[] = [];
  const { nameservers = [], searches = [], options = [] }: PodDNSConfig = dnsConfig ?? {};
  if (dnsPolicy === "None") {
    if (dnsConfig === undefined) return [requiredField(path, "must provide `dnsConfig` when `dnsPolicy` is None")];
    if (nameservers.length === 0) {
      errors.push(requiredField(`${path}.nameservers`, "must provide at least one DNS nameserver when `dnsPolicy` is None"));
    }
  }
  if (nameservers.length > 3) errors.push(invalidField(`${path}.nameservers`, nameservers, "must not have more than 3 nameservers"));
  for (const [i, server] of nameservers.entries()) errors.push(...validateIp(server, `${path}.nameservers[${i}]`));
  if (searches.length > 32) errors.push(invalidField(`${path}.searches`, searches, "must not have more than 32 search paths"));
  if (searches.join(" ").length > 2048) {
    const message = "the maximum length of search path list (including spaces) is 2048 characters";
    errors.push(invalidField(`${path}.searches`, searches, message));
  }
  for (const [i, search] of searches.entries()) {
    if (search !== ".") errors.push(...follows(isDns1123SubdomainWithUnderscore, search.replace(/\.$/, ""), `${path}.searches[${i}]`));
  }
  for (const [i, { name }] of options.entries()) {
    if (isMissing(name)) errors.push(requiredField(`${path}.options[${i}]`, "must not be empty"));
  }
  return errors;
}

function validateGates({ schedulingGates = [] }: PodSpec, path: string): Errors {
  const seen = new Set<string>();
  return schedulingGates.flatMap(({ name }, index) => {
    const errors: FieldError[] = [...follows(isLabelKey, name ?? "", `${path}[${index}]`)];
    if (seen.has(name)) errors.push(duplicateField(`${path}[${index}]`, name));
    seen.add(name);
    return errors;
  });
}

function validateHostAliases(aliases: readonly HostAlias[], path: string): Errors {
  return aliases.flatMap(({ ip, hostnames = [] }, index) => [
    ...(parseIp(ip ?? "") === undefined ? validateIp(ip ?? "", `${path}[${index}].ip`) : []),
    ...hostnames.flatMap((hostname) => follows(isDns1123Subdomain, hostname, `${path}.hostnames`)),
  ]);
}
