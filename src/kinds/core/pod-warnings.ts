import type { Container, PodSpec } from "#machinery/api/core-v1.ts";

const OLD_NODE_LABELS: Readonly<Record<string, string>> = {
  "beta.kubernetes.io/arch": "kubernetes.io/arch",
  "beta.kubernetes.io/os": "kubernetes.io/os",
  "failure-domain.beta.kubernetes.io/region": "topology.kubernetes.io/region",
  "failure-domain.beta.kubernetes.io/zone": "topology.kubernetes.io/zone",
  "beta.kubernetes.io/instance-type": "node.kubernetes.io/instance-type",
};
const PAST_MINOR_VERSIONS: Readonly<Record<string, string>> = {
  "beta.kubernetes.io/arch": "v1.14",
  "beta.kubernetes.io/os": "v1.14",
  "failure-domain.beta.kubernetes.io/region": "v1.17",
  "failure-domain.beta.kubernetes.io/zone": "v1.17",
  "beta.kubernetes.io/instance-type": "v1.17",
};

/** What is accepted but hardly meant, in a pod or in a template. `path` leads to the spec. */
export function podWarnings(spec: PodSpec | undefined, path: string): readonly string[] {
  if (spec === undefined) return [];
  const texts: string[] = [];
  for (const key of Object.keys(spec.nodeSelector ?? {})) {
    const now = OLD_NODE_LABELS[key];
    if (now !== undefined)
      texts.push(`${path}.nodeSelector[${key}]: deprecated since ${PAST_MINOR_VERSIONS[key] ?? ""}; use "${now}" instead`);
  }
  if ((spec.terminationGracePeriodSeconds ?? 0) < 0) {
    texts.push(`${path}.terminationGracePeriodSeconds: must be >= 0; negative values are invalid and will be treated as 1`);
  }
  for (const [field, containers] of Object.entries({ initContainers: spec.initContainers, containers: spec.containers })) {
    for (const [i, container] of (containers ?? []).entries()) texts.push(...hiddenVariables(container, `${path}.${field}[${i}]`));
  }
  return texts;
}

function hiddenVariables({ env = [] }: Container, path: string): readonly string[] {
  const names = new Set<string>();
  return env.flatMap(({ name, value = "" }, i) => {
    const hides = names.has(name) && !value.includes(`$(${name})`);
    names.add(name);
    return hides ? [`${path}.env[${i}]: hides previous definition of ${JSON.stringify(name)}, which may be dropped when using apply`] : [];
  });
}
