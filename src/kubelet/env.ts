import type { ConfigMap, Container, EnvVar, Pod, Secret, Service } from "#machinery/api/core-v1.ts";
import { expand } from "./expand.ts";
import { type DownwardFacts, type FieldAnswer, readField, readResource } from "./field-ref.ts";
import { namespaceOf } from "./names.ts";
import { type EnvPair, serviceEnv, servicesFor } from "./service-env.ts";

export interface EnvSources {
  /** All Services the node knows. */
  readonly services: readonly Service[];
  /** By name, in the pod's namespace; undefined: there is none. Only what envNeeds() names is asked for. */
  readonly configMaps: ReadonlyMap<string, ConfigMap | undefined>;
  readonly secrets: ReadonlyMap<string, Secret | undefined>;
  readonly facts: DownwardFacts;
}

export type EnvAnswer =
  | { readonly ok: true; readonly env: readonly EnvPair[] }
  /** The container cannot be made: its waiting reason is CreateContainerConfigError with this message. */
  | { readonly ok: false; readonly message: string };

/** The ConfigMaps and Secrets whose content the container's environment needs. */
export function envNeeds(container: Container): { readonly configMaps: readonly string[]; readonly secrets: readonly string[] } {
  const configMaps = [
    ...(container.envFrom ?? []).map((from) => from.configMapRef?.name),
    ...(container.env ?? []).map((each) => each.valueFrom?.configMapKeyRef?.name),
  ];
  const secrets = [
    ...(container.envFrom ?? []).map((from) => from.secretRef?.name),
    ...(container.env ?? []).map((each) => each.valueFrom?.secretKeyRef?.name),
  ];
  const unique = (names: readonly (string | undefined)[]) => [...new Set(names.filter((name) => name !== undefined))];
  return { configMaps: unique(configMaps), secrets: unique(secrets) };
}

/**
 * The container's environment. Precedence, lowest first: Services, envFrom in order, env in order; `$(NAME)` sees what stands
 * before it and the Services.
 */
export function computeEnv(pod: Pod, container: Container, sources: EnvSources): EnvAnswer {
  const namespace = namespaceOf(pod);
  const services = new Map(
    serviceEnv(servicesFor(sources.services, namespace, pod.spec.enableServiceLinks ?? true)).map((pair) => [pair.name, pair.value]),
  );
  const env = new Map<string, string>();

  for (const { prefix = "", configMapRef, secretRef } of container.envFrom ?? []) {
    if (configMapRef !== undefined) {
      const name = configMapRef.name ?? "";
      const map = sources.configMaps.get(name);
      if (map === undefined) {
        if (configMapRef.optional === true) continue;
        return { ok: false, message: `configmap "${name}" not found` };
      }
      for (const [key, value] of Object.entries(map.data ?? {})) env.set(prefix + key, value);
    }
    if (secretRef !== undefined) {
      const name = secretRef.name ?? "";
      const secret = sources.secrets.get(name);
      if (secret === undefined) {
        if (secretRef.optional === true) continue;
        return { ok: false, message: `secret "${name}" not found` };
      }
      for (const [key, value] of Object.entries(secret.data ?? {})) env.set(prefix + key, decode(value));
    }
  }

  for (const each of container.env ?? []) {
    const answer = valueOf(each, pod, container, sources, (name) => env.get(name) ?? services.get(name));
    if (answer === "absent") continue;
    if (!answer.ok) return answer;
    env.set(each.name, answer.value);
  }
  const all = new Map([...env, ...[...services].filter(([name]) => !env.has(name))]);
  return { ok: true, env: Array.from(all, ([name, value]) => ({ name, value })) };
}

function valueOf(
  { value, valueFrom }: EnvVar,
  pod: Pod,
  container: Container,
  { configMaps, secrets, facts }: EnvSources,
  known: (name: string) => string | undefined,
): FieldAnswer | "absent" {
  if (valueFrom === undefined) return { ok: true, value: expand(value ?? "", known) };
  const { fieldRef, resourceFieldRef, configMapKeyRef, secretKeyRef, fileKeyRef } = valueFrom;
  if (fieldRef !== undefined) return readField(pod, fieldRef, facts);
  if (resourceFieldRef !== undefined) return readResource(pod, resourceFieldRef, container.name, facts);
  if (configMapKeyRef !== undefined) {
    const { name = "", key, optional = false } = configMapKeyRef;
    const map = configMaps.get(name);
    if (map === undefined) return optional ? "absent" : { ok: false, message: `configmap "${name}" not found` };
    const text = map.data?.[key];
    if (text !== undefined) return { ok: true, value: text };
    return optional ? "absent" : { ok: false, message: `couldn't find key ${key} in ConfigMap ${namespaceOf(pod)}/${name}` };
  }
  if (secretKeyRef !== undefined) {
    const { name = "", key, optional = false } = secretKeyRef;
    const secret = secrets.get(name);
    if (secret === undefined) return optional ? "absent" : { ok: false, message: `secret "${name}" not found` };
    const bytes = secret.data?.[key];
    if (bytes !== undefined) return { ok: true, value: decode(bytes) };
    return optional ? "absent" : { ok: false, message: `couldn't find key ${key} in Secret ${namespaceOf(pod)}/${name}` };
  }
  if (fileKeyRef !== undefined) return { ok: false, message: "environment variables from files are not supported" };
  return { ok: true, value: "" };
}

const decode = (base64: string) => Buffer.from(base64, "base64").toString();
