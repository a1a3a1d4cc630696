import type { Entropy } from "#base/entropy.ts";
import type { Authorizer } from "../auth/authorize.ts";
import type { Rbac } from "../auth/rbac.ts";
import type { Objects } from "../objects.ts";
import type { Resources } from "../resource.ts";
import type { AdmissionPlugin } from "./admission.ts";
import { certificateSigners } from "./certificate-signers.ts";
import { csrIdentity } from "./csr-identity.ts";
import { limitRanger } from "./limit-ranger.ts";
import { namespaceLifecycle } from "./namespace-lifecycle.ts";
import { nodeRestriction } from "./node-restriction.ts";
import { rbacEscalation } from "./rbac-escalation.ts";
import {
  defaultIngressClass, defaultStorageClass, defaultTolerationSeconds, priority, runtimeClass, taintNodesByCondition,
} from "./pod-defaults.ts"; // biome-ignore format: one glance
import { withoutEffect } from "./without-effect.ts";
import { serviceAccount } from "./service-account.ts";

export interface AdmissionDeps {
  readonly resources: Resources;
  readonly objects: Objects;
  readonly entropy: Entropy;
  readonly authorize: Authorizer;
  readonly rbac: Rbac;
}

/** The plug-ins in their order, which is upstream's for those that upstream has. */
export function admissionPlugins(deps: AdmissionDeps): readonly AdmissionPlugin[] {
  return [
    namespaceLifecycle(deps),
    limitRanger(deps),
    serviceAccount(deps),
    nodeRestriction(deps),
    taintNodesByCondition,
    priority(deps),
    defaultTolerationSeconds,
    defaultStorageClass(deps),
    runtimeClass(deps),
    csrIdentity,
    certificateSigners(deps),
    defaultIngressClass(deps),
    rbacEscalation(deps),
    withoutEffect,
  ];
}
