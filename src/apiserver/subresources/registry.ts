import type { Answer, Exchange } from "../http/exchange.ts";
import type { Resource } from "../resource.ts";
import type { VerbHandler } from "../router.ts";
import type { Served } from "../served.ts";
import { getObject } from "../verbs/get.ts";
import { patchObject } from "../verbs/patch.ts";
import { statusRules, type UpdateRules } from "../verbs/update-entry.ts";
import { updateObject } from "../verbs/update.ts";
import { bindPod } from "./binding.ts";
import { REVIEWS } from "./reviews.ts";
import { requestToken } from "./token.ts";
import { podAttach, podExec, podLog, podPortForward } from "./pod-streams.ts";
import { nodeProxy, podProxy, serviceProxy } from "./proxies.ts";
import { evictPod } from "./eviction.ts";
import { approvalRules, ephemeralContainersRules, finalizeRules, resizeRules } from "./rules.ts";
import { scaleSubresource } from "./scale.ts";

/** Subresources (`plural.group/name`, `*` for every kind) and kinds that are answered, not stored (`plural.group`). */
export const SUBRESOURCES: readonly (readonly [string, VerbHandler])[] = [
  ["*/status", view((resource) => statusRules(resource.kind))],
  ["*/scale", scaleSubresource],
  ["namespaces./finalize", view(() => finalizeRules)],
  ["pods./ephemeralcontainers", view((resource) => ephemeralContainersRules(resource.kind))],
  ["pods./resize", view((resource) => resizeRules(resource.kind))],
  ["certificatesigningrequests.certificates.k8s.io/approval", view((_, served) => approvalRules(() => served.clock.now()))],
  ["pods./binding", bindPod],
  ["bindings.", bindPod],
  ["pods./eviction", evictPod],
  ["pods./log", podLog],
  ["pods./exec", podExec],
  ["pods./attach", podAttach],
  ["pods./portforward", podPortForward],
  ["pods./proxy", podProxy],
  ["services./proxy", serviceProxy],
  ["nodes./proxy", nodeProxy],
  ["serviceaccounts./token", requestToken],
  ...REVIEWS,
];

/** A subresource that is the whole object, of which writes change a part. */
function view(rulesOf: (resource: Resource, served: Served) => UpdateRules): VerbHandler {
  return (served: Served, exchange: Exchange, resource: Resource): Promise<Answer> => {
    switch (exchange.info.verb) {
      case "get":
        return getObject(served, exchange, resource);
      case "update":
        return updateObject(served, exchange, resource, rulesOf(resource, served));
      default:
        return patchObject(served, exchange, resource, rulesOf(resource, served));
    }
  };
}
