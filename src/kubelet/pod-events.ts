import type { EventRecorder } from "#client/contract.ts";
import type { Container, Pod } from "#machinery/api/core-v1.ts";
import type { Stored } from "#machinery/object.ts";

/** Records an event about a pod, or about one of its containers. */
export type RecordPodEvent = (
  pod: Stored<Pod>,
  container: Container | undefined,
  type: "Normal" | "Warning",
  reason: string,
  message: string,
) => void;

export function createPodEvents(events: EventRecorder): RecordPodEvent {
  return (pod, container, type, reason, message) =>
    events.record({ about: pod, type, reason, message, ...(container === undefined ? {} : { fieldPath: fieldPathOf(pod, container) }) });
}

/** `spec.containers{web}`: how events name a container. */
export function fieldPathOf(pod: Pod, { name }: Container): string {
  if (pod.spec.initContainers?.some((each) => each.name === name) === true) return `spec.initContainers{${name}}`;
  if (pod.spec.ephemeralContainers?.some((each) => each.name === name) === true) return `spec.ephemeralContainers{${name}}`;
  return `spec.containers{${name}}`;
}
