import type { Pod } from "#machinery/api/core-v1.ts";
import type { DeleteOptions } from "#machinery/api/meta-v1.ts";
import type { Eviction, PodDisruptionBudget } from "#machinery/api/policy-v1.ts";
import { formatTime } from "#base/clock.ts";
import { isConditionTrue } from "#kinds/conditions.ts";
import { PodKind } from "#kinds/core/pod.ts";
import { erased } from "#kinds/kind.ts";
import { PodDisruptionBudgetKind } from "#kinds/policy/pod-disruption-budget.ts";
import type { KubeObject, Stored } from "#machinery/object.ts";
import { labelSelectorFrom, matchesLabels } from "#machinery/selector.ts";
import { badRequest, forbidden, internalError, notFound, StatusError, STATUS_CODES } from "#machinery/status.ts";
import { readTyped } from "../http/body.ts";
import type { Answer, Exchange } from "../http/exchange.ts";
import { plainAnswer } from "../represent.ts";
import type { Served } from "../served.ts";
import { deleteEntry } from "../verbs/delete.ts";
import { updateEntry } from "../verbs/update-entry.ts";
import type { WriteContext } from "../verbs/write-context.ts";
import { dryRunOf, writeContextOf } from "../verbs/write-options.ts";

const EVICTION = { apiVersion: "policy/v1", kind: "Eviction", typeName: "io.k8s.api.policy.v1.Eviction" };
const CREATED = { kind: "Status", apiVersion: "v1", metadata: {}, status: "Success", code: 201 };
/** Pods that evictions have announced and that the controller has not counted yet. */
const MAX_DISRUPTED_PODS = 2000;

/** POST pods/x/eviction: deletes the pod if its disruption budget has room. */
export async function evictPod(served: Served, exchange: Exchange): Promise<Answer> {
  const { info, signal } = exchange;
  const eviction = (await readTyped(served, exchange, EVICTION)) as Eviction;
  const own = eviction.metadata?.name ?? "";
  if (own !== info.name) throw badRequest("name in URL does not match name in Eviction object");
  const options: DeleteOptions = eviction.deleteOptions ?? {};
  const asked = writeContextOf(exchange, "CreateOptions");
  const context = { ...asked, dryRun: asked.dryRun || dryRunOf(options.dryRun ?? [], "DeleteOptions") };

  const pods = await served.resources.open(erased(PodKind));
  await pods.fresh(signal);
  const entry = pods.cache.get(pods.keyOf(info.namespace, info.name));
  if (entry === undefined) throw notFound(pods.name, info.name);
  const pod = pods.parse(entry) as Stored<Pod & KubeObject>;
  if (!ignoresBudget(pod)) await claim(served, pod, info.namespace, context);
  if (!context.dryRun && pod.metadata.deletionTimestamp === undefined) await markEvicted(served, info.namespace, info.name, context);
  await deleteEntry(served, pods, info.namespace, info.name, options, context);
  return plainAnswer(exchange, CREATED, 201);
}

/** Pods that do not count for any budget. */
function ignoresBudget(pod: Pod): boolean {
  const phase = pod.status?.phase;
  return phase === "Succeeded" || phase === "Failed" || phase === "Pending" || pod.metadata?.deletionTimestamp !== undefined;
}

async function claim(served: Served, pod: Stored<Pod & KubeObject>, namespace: string, context: WriteContext): Promise<void> {
  const budgets = await served.resources.open(erased(PodDisruptionBudgetKind));
  await budgets.fresh(context.signal);
  const matching = budgets.cache
    .list(budgets.prefixOf(namespace))
    .entries.map((entry) => budgets.parse(entry) as Stored<PodDisruptionBudget & KubeObject>)
    .filter(({ spec }) => matchesLabels(labelSelectorFrom(spec?.selector), pod.metadata.labels));
  const [budget] = matching;
  if (budget === undefined) return;
  if (matching.length > 1) {
    throw internalError(new Error("This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."));
  }
  const { name } = budget.metadata;
  await updateEntry(
    served,
    budgets,
    {
      namespace,
      name,
      rules: { subresource: "status", prepare: (next) => next, validate: () => [], untracked: true },
      pinned: false,
      build: (current) => claimed(current as PodDisruptionBudget, pod, formatTime(served.clock.now())),
    },
    context,
  );
}

/** The budget with one disruption taken, or itself where the pod needs none; throws 429 where there is none left. */
function claimed(budget: PodDisruptionBudget, pod: Stored<Pod & KubeObject>, now: string): KubeObject {
  const name = budget.metadata?.name ?? "";
  const status = budget.status;
  const { disruptionsAllowed = 0, currentHealthy = 0, desiredHealthy = 0, observedGeneration = 0 } = status ?? {};
  if (!isConditionTrue(pod.status?.conditions, "Ready")) {
    const policy = budget.spec?.unhealthyPodEvictionPolicy;
    if (policy === "AlwaysAllow" || (currentHealthy >= desiredHealthy && desiredHealthy > 0)) return budget;
  }
  if (observedGeneration < (budget.metadata?.generation ?? 0)) {
    throw tooMany(`The disruption budget ${name} is still being processed by the server.`, 10);
  }
  if (disruptionsAllowed < 0)
    throw forbidden({ group: "policy", plural: "poddisruptionbudgets" }, name, "pdb disruptions allowed is negative");
  if (Object.keys(status?.disruptedPods ?? {}).length > MAX_DISRUPTED_PODS) {
    throw forbidden(
      { group: "policy", plural: "poddisruptionbudgets" },
      name,
      "DisruptedPods map too big - too many evictions not confirmed by PDB controller",
    );
  }
  if (disruptionsAllowed === 0) {
    throw tooMany(`The disruption budget ${name} needs ${desiredHealthy} healthy pods and has ${currentHealthy} currently`);
  }
  const disruptedPods = { ...status?.disruptedPods, [pod.metadata.name]: now };
  return { ...budget, status: { ...status, disruptionsAllowed: disruptionsAllowed - 1, disruptedPods } } as KubeObject;
}

async function markEvicted(served: Served, namespace: string, name: string, context: WriteContext): Promise<void> {
  const pods = await served.resources.open(erased(PodKind));
  await updateEntry(
    served,
    pods,
    {
      namespace,
      name,
      rules: { subresource: "eviction", prepare: (next) => next, validate: () => [], untracked: true },
      pinned: false,
      build: (current) => {
        const pod = current as Pod & KubeObject;
        const condition = {
          type: "DisruptionTarget",
          status: "True",
          lastProbeTime: null,
          lastTransitionTime: formatTime(served.clock.now()),
          reason: "EvictionByEvictionAPI",
          message: "Eviction API: evicting",
        };
        const others = (pod.status?.conditions ?? []).filter(({ type }) => type !== condition.type);
        return { ...pod, status: { ...pod.status, conditions: [...others, condition] } } as unknown as KubeObject;
      },
    },
    context,
  );
}

function tooMany(cause: string, retryAfterSeconds?: number): StatusError {
  return new StatusError({
    reason: "TooManyRequests",
    code: STATUS_CODES.TooManyRequests,
    message: "Cannot evict pod as it would violate the pod's disruption budget.",
    details: {
      causes: [{ reason: "DisruptionBudget", message: cause }],
      ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
    },
  });
}
