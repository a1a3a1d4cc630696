import type { Container, ObjectFieldSelector, Pod, ResourceFieldSelector } from "#machinery/api/core-v1.ts";
import { amount } from "./amount.ts";

/** What the downward API may tell about a pod beside its own fields. */
export interface DownwardFacts {
  readonly podIps: readonly string[];
  readonly hostIps: readonly string[];
  /** Of the node: the limit of a container that has none. */
  readonly allocatable: { readonly cpu: number; readonly memoryBytes: number; readonly ephemeralStorageBytes: number };
}

export type FieldAnswer = { readonly ok: true; readonly value: string } | { readonly ok: false; readonly message: string };

const found = (value: string): FieldAnswer => ({ ok: true, value });
const refused = (message: string): FieldAnswer => ({ ok: false, message });

/** https://kubernetes.io/docs/concepts/workloads/pods/downward-api/#available-fields */
export function readField(pod: Pod, { fieldPath }: ObjectFieldSelector, facts: DownwardFacts): FieldAnswer {
  const { metadata, spec } = pod;
  const subscript = /^(metadata\.(?:labels|annotations))\['([^']*)'\]$/.exec(fieldPath);
  if (subscript !== null) {
    const map = subscript[1] === "metadata.labels" ? metadata.labels : metadata.annotations;
    return found(map?.[subscript[2] ?? ""] ?? "");
  }
  switch (fieldPath) {
    case "metadata.name":
      return found(metadata.name ?? "");
    case "metadata.namespace":
      return found(metadata.namespace ?? "");
    case "metadata.uid":
      return found(metadata.uid ?? "");
    case "metadata.labels":
      return found(formatMap(metadata.labels));
    case "metadata.annotations":
      return found(formatMap(metadata.annotations));
    case "spec.nodeName":
      return found(spec.nodeName ?? "");
    case "spec.serviceAccountName":
      return found(spec.serviceAccountName ?? "");
    case "status.hostIP":
      return found(facts.hostIps[0] ?? "");
    case "status.hostIPs":
      return found(facts.hostIps.join(","));
    case "status.podIP":
      return found(facts.podIps[0] ?? "");
    case "status.podIPs":
      return found(facts.podIps.join(","));
    default:
      return refused(`unsupported fieldPath: ${fieldPath}`);
  }
}

/** `key="value"` lines in order of keys, values quoted as Go does. */
function formatMap(map: Readonly<Record<string, string>> = {}): string {
  return Object.keys(map)
    .toSorted()
    .map((key) => `${key}=${JSON.stringify(map[key])}`)
    .join("\n");
}

/** A container's request or limit, divided and rounded up; a limit that is not set is the node's allocatable. */
export function readResource(pod: Pod, selector: ResourceFieldSelector, self: string | undefined, facts: DownwardFacts): FieldAnswer {
  const name = selector.containerName ?? self;
  const container = [...pod.spec.containers, ...(pod.spec.initContainers ?? [])].find((each) => each.name === name);
  if (container === undefined) return refused(`container ${name ?? ""} not found`);
  const value = resourceOf(container, selector.resource, facts);
  if (value === undefined) return refused(`unsupported container resource : ${selector.resource}`);
  const divisor = amount(selector.divisor);
  return found(String(Math.ceil(Number((value / (divisor === 0 ? 1 : divisor)).toFixed(6)))));
}

function resourceOf({ resources }: Container, path: string, { allocatable }: DownwardFacts): number | undefined {
  const [kind, name = ""] = path.split(".");
  const unlimited: Readonly<Record<string, number>> = {
    cpu: allocatable.cpu,
    memory: allocatable.memoryBytes,
    "ephemeral-storage": allocatable.ephemeralStorageBytes,
  };
  if (!(name in unlimited) && !name.startsWith("hugepages-")) return undefined;
  if (kind === "requests") return amount(resources?.requests?.[name]);
  if (kind !== "limits") return undefined;
  const limit = resources?.limits?.[name];
  return limit === undefined ? (unlimited[name] ?? 0) : amount(limit);
}
