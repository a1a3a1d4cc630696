import type { PodFacts } from "./pod-facts.ts";
import type { SchedulingFailure } from "./cycle.ts";

const NOT_HELPFUL = "Preemption is not helpful for scheduling";
const NO_VICTIMS = "No preemption victims found for incoming pod";
const NOT_SUPPORTED = "Preemption is not supported by this scheduler";

/** `0/2 nodes are available: 2 Insufficient cpu. preemption: 0/2 nodes are available: 2 No preemption victims found for incoming pod.` */
export function failureMessage(pod: PodFacts, { nodes, rejection, reasons, resolvable }: SchedulingFailure): string {
  if (nodes === 0 && rejection === undefined) return "no nodes available to schedule pods";
  const available = `0/${nodes} nodes are available`;
  const why = rejection ?? histogram(reasons);
  const first = why === "" ? `${available}.` : `${available}: ${why}.`;
  if (pod.pod.spec.preemptionPolicy === "Never") return `${first} preemption: not eligible due to preemptionPolicy=Never.`;
  const victims = resolvable.filter((node) => [...node.pods.values()].some(({ priority }) => priority < pod.priority)).length;
  const outcomes = new Map([
    [NOT_HELPFUL, nodes - resolvable.length],
    [NO_VICTIMS, resolvable.length - victims],
    [NOT_SUPPORTED, victims],
  ]);
  return `${first} preemption: ${available}: ${histogram(outcomes)}.`;
}

/** `1 Insufficient cpu, 2 Insufficient memory`: sorted as text. */
function histogram(counts: ReadonlyMap<string, number>): string {
  return [...counts]
    .filter(([, count]) => count > 0)
    .map(([reason, count]) => `${count} ${reason}`)
    .sort()
    .join(", ");
}
