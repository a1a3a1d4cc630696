import type { Clock } from "#base/clock.ts";
import type { Entropy } from "#base/entropy.ts";
import type { Log } from "#base/log.ts";
import type { Store } from "#store/contract.ts";
import type { Admission } from "./admission/admission.ts";
import type { Authorizer } from "./auth/authorize.ts";
import type { User } from "./auth/user.ts";
import type { Rbac } from "./auth/rbac.ts";
import type { ServiceAccountTokens } from "./auth/service-account-tokens.ts";
import type { Objects } from "./objects.ts";
import type { KubeletDeps } from "./proxy/target.ts";
import type { Resources } from "./resource.ts";
import type { StorageHooks } from "./storage-hooks.ts";

/** What every verb works with. */
export interface Served {
  readonly store: Store;
  readonly resources: Resources;
  readonly objects: Objects;
  readonly admission: Admission;
  readonly authorize: Authorizer;
  readonly rbac: Rbac;
  readonly tokens: ServiceAccountTokens;
  readonly bootstrapUser: (token: string) => Promise<User | undefined>;
  readonly kubelet: KubeletDeps;
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly log: Log;
  /** Extra steps around the writes of one kind, by `group/Kind`. */
  readonly hooks: ReadonlyMap<string, StorageHooks>;
}
