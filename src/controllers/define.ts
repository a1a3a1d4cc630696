import type { Clock, Instant } from "#base/clock.ts";
import type { Entropy } from "#base/entropy.ts";
import type { Log } from "#base/log.ts";
import type { Client, EventRecorder, Informer, InformerEvent, InformerFactory } from "#client/contract.ts";
import type { KindRef } from "#kinds/kind.ts";
import type { KubeObject } from "#machinery/object.ts";
import type { Plan } from "./action.ts";

/** What a signer adds to a request: our CA lives outside, the controller decides who gets what. */
export interface SignRequest {
  readonly csrPem: string;
  readonly usages: readonly string[];
  readonly expirationSeconds: number | undefined;
}

/** Facts about a certificate request, read from its PEM. */
export interface CsrFacts {
  readonly commonName: string;
  readonly organizations: readonly string[];
  readonly dnsNames: readonly string[];
  readonly ipAddresses: readonly string[];
  readonly emailAddresses: readonly string[];
  readonly uris: readonly string[];
}

/** What controllers need to know of the cluster. */
export interface ControllerSettings {
  /** Pod addresses of the whole cluster: `10.42.0.0/16`. */
  readonly clusterCidr: string;
  /** @default 24 */
  readonly nodeCidrMaskSize?: number;
  /** PEM of the certificate authority that signs the API server's certificate. */
  readonly rootCa: string;
  /** Returns a PEM certificate chain. */
  readonly sign: (request: SignRequest) => Promise<string>;
  /** Throws where the text is no valid request. */
  readonly readCsr: (csrPem: string) => CsrFacts;
  /** Finished pods kept in the cluster. @default 12500 */
  readonly terminatedPodThreshold?: number;
  /** A node without a heartbeat for this long is Unknown. @default 40_000 */
  readonly nodeMonitorGracePeriodMs?: number;
}

export interface ControllerDeps {
  readonly client: Client;
  readonly informers: InformerFactory;
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly log: Log;
  readonly settings: ControllerSettings;
  /** A recorder that speaks as this component; it is run by whoever made it. */
  readonly recorder: (component: string) => EventRecorder;
}

/** What `observe` may use besides the caches. */
export interface ObserveContext {
  readonly now: Instant;
  /** Own writes for this key that the caches do not show yet. */
  readonly inFlight: number;
  /** Why the latest attempt for this key failed, until one succeeds. */
  readonly failure: { readonly reason: string; readonly message: string } | undefined;
  readonly signal: AbortSignal;
}

/** One kind that a controller follows, and whose keys its events concern. */
export interface Watch {
  readonly kind: KindRef;
  readonly informer: Informer<KubeObject>;
  readonly keys: (event: InformerEvent<KubeObject>) => readonly string[];
}

export function watching<T extends KubeObject>(informer: Informer<T>, keys: (event: InformerEvent<T>) => readonly string[]): Watch {
  // The informer hands out only its own kind, so the handler sees nothing but T.
  return { kind: informer.kind, informer: informer as unknown as Informer<KubeObject>, keys: keys as unknown as Watch["keys"] };
}

export interface Connected<O> {
  readonly watches: readonly Watch[];
  /** Keys that exist without any object. */
  readonly keys?: readonly string[];
  /** Called once before the caches are waited for; `follow` adds kinds that become known later. */
  readonly discover?: (follow: (watch: Watch) => void) => void;
  /** Reads only. undefined: nothing to decide (the object is gone). */
  readonly observe: (key: string, context: ObserveContext) => O | undefined | Promise<O | undefined>;
}

export interface ControllerDefinition<O> {
  /** `replicaset` */
  readonly name: string;
  /** Name in Events. @default `<name>-controller` */
  readonly component?: string;
  /** @default 5 */
  readonly workers?: number;
  /** What happens to a key while own writes for it are not in the caches yet: it waits, or is planned with `inFlight` > 0. @default "wait" */
  readonly whileInFlight?: "wait" | "plan";
  /** Asks for informers and says how events map to keys; starts nothing. */
  readonly connect: (deps: ControllerDeps) => Connected<O>;
  readonly plan: (observed: O) => Plan;
}

/** A controller without its type: what `runControllers` takes. */
export interface Controller {
  readonly name: string;
  readonly component: string;
  readonly workers: number;
  readonly whileInFlight: "wait" | "plan";
  readonly connect: (deps: ControllerDeps) => {
    readonly watches: readonly Watch[];
    readonly keys: readonly string[];
    readonly discover: (follow: (watch: Watch) => void) => void;
    readonly decide: (key: string, context: ObserveContext) => Promise<Plan | undefined>;
  };
}

export function defineController<O>(definition: ControllerDefinition<O>): Controller {
  const { name, component = `${name}-controller`, workers = 5, whileInFlight = "wait", connect, plan } = definition;
  return {
    name,
    component,
    workers,
    whileInFlight,
    connect(deps) {
      const { watches, keys = [], discover = () => undefined, observe } = connect(deps);
      return {
        watches,
        keys,
        discover,
        async decide(key, context) {
          const observed = await observe(key, context);
          return observed === undefined ? undefined : plan(observed);
        },
      };
    },
  };
}
