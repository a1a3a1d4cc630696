import type { Binding, Pod, PodCondition } from "#machinery/api/core-v1.ts";
import { formatTime } from "#base/clock.ts";
import { requiredField, unsupportedField } from "#machinery/field-error.ts";
import type { KubeObject } from "#machinery/object.ts";
import { badRequest, conflict, invalid } from "#machinery/status.ts";
import { PodKind } from "#kinds/core/pod.ts";
import { erased } from "#kinds/kind.ts";
import { readTyped } from "../http/body.ts";
import type { Answer, Exchange } from "../http/exchange.ts";
import { plainAnswer } from "../represent.ts";
import type { Served } from "../served.ts";
import { updateEntry } from "../verbs/update-entry.ts";
import { writeContextOf } from "../verbs/write-options.ts";

const BINDING = { apiVersion: "v1", kind: "Binding", typeName: "io.k8s.api.core.v1.Binding" };
const CREATED = { kind: "Status", apiVersion: "v1", metadata: {}, status: "Success", code: 201 };

/** POST pods/x/binding and POST bindings: gives a pod its node, once. */
export async function bindPod(served: Served, exchange: Exchange): Promise<Answer> {
  const { info } = exchange;
  const binding = (await readTyped(served, exchange, BINDING)) as Binding;
  const { name: own = "", namespace = "" } = binding.metadata ?? {};
  const name = info.name === "" ? own : info.name;
  if (info.name !== "" && own !== "" && own !== info.name) throw badRequest("name in URL does not match name in Binding object");
  if (namespace !== "" && namespace !== info.namespace) {
    throw badRequest("the namespace of the provided object does not match the namespace sent on the request");
  }
  const { kind = "", name: node = "" } = binding.target ?? {};
  const errors = [];
  if (kind !== "" && kind !== "Node") errors.push(unsupportedField("target.kind", kind, ["Node", "<empty>"]));
  if (node === "") errors.push(requiredField("target.name"));
  if (errors.length > 0) throw invalid({ group: "", kind: "Binding" }, name, errors);

  const pods = await served.resources.open(erased(PodKind));
  const context = { ...writeContextOf(exchange, "CreateOptions") };
  await updateEntry(
    served,
    pods,
    {
      namespace: info.namespace,
      name,
      rules: { subresource: "binding", prepare: (next) => next, validate: () => [], untracked: true },
      pinned: false,
      build: (current) => bound(current as Pod, binding, node, name, formatTime(served.clock.now())),
    },
    context,
  );
  return plainAnswer(exchange, CREATED, 201);
}

function bound(pod: Pod, binding: Binding, node: string, name: string, now: string): KubeObject {
  const refuse = (why: string) => conflict({ group: "", plural: "pods/binding" }, name, why);
  const { uid = "", resourceVersion = "" } = binding.metadata ?? {};
  if (uid !== "" && uid !== pod.metadata?.uid) {
    throw refuse(`Precondition failed: UID in precondition: ${uid}, UID in object meta: ${pod.metadata?.uid ?? ""}`);
  }
  if (resourceVersion !== "" && resourceVersion !== pod.metadata?.resourceVersion) {
    throw refuse(
      `Precondition failed: ResourceVersion in precondition: ${resourceVersion}, ResourceVersion in object meta: ${pod.metadata?.resourceVersion ?? ""}`,
    );
  }
  if (pod.metadata?.deletionTimestamp !== undefined) throw refuse(`pod ${name} is being deleted, cannot be assigned to a host`);
  if ((pod.spec?.nodeName ?? "") !== "") throw refuse(`pod ${name} is already assigned to node ${JSON.stringify(pod.spec?.nodeName)}`);
  if ((pod.spec?.schedulingGates ?? []).length > 0) throw refuse(`pod ${name} has non-empty .spec.schedulingGates`);
  const annotations = binding.metadata?.annotations;
  const labels = binding.metadata?.labels;
  const condition: PodCondition = { type: "PodScheduled", status: "True", lastProbeTime: NULL_TIME, lastTransitionTime: now };
  const { generation } = pod.metadata ?? {};
  const observed = generation === undefined ? condition : { ...condition, observedGeneration: generation };
  const others = (pod.status?.conditions ?? []).filter(({ type }) => type !== "PodScheduled");
  return {
    ...pod,
    metadata: {
      ...pod.metadata,
      ...(annotations === undefined ? {} : { annotations: { ...pod.metadata?.annotations, ...annotations } }),
      ...(labels === undefined ? {} : { labels: { ...pod.metadata?.labels, ...labels } }),
    },
    spec: { ...pod.spec, nodeName: node },
    status: { ...pod.status, conditions: [...others, observed] },
  } as KubeObject;
}

/** Times that were never set are written as null, as upstream does. */
const NULL_TIME = null as unknown as string;
