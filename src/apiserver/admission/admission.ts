import type { Kind } from "#kinds/kind.ts";
import type { KubeObject } from "#machinery/object.ts";
import type { User } from "../auth/user.ts";

export type Operation = "CREATE" | "UPDATE" | "DELETE" | "CONNECT";

/** What a plug-in sees of a request. */
export interface AdmissionRequest {
  readonly operation: Operation;
  readonly kind: Kind;
  readonly subresource: string;
  readonly namespace: string;
  readonly name: string;
  /** The new object; undefined for DELETE and CONNECT. */
  readonly object: KubeObject | undefined;
  readonly previous: KubeObject | undefined;
  readonly user: User;
  readonly dryRun: boolean;
  readonly warn: (text: string) => void;
  readonly signal: AbortSignal;
}

/** A check or change on the way into the store, in the order of the registry. Both may throw StatusError. */
export interface AdmissionPlugin {
  readonly name: string;
  /** Returns the object as it is to be stored, or the same one. Called for CREATE and UPDATE. */
  readonly admit?: (request: AdmissionRequest & { readonly object: KubeObject }) => Promise<KubeObject>;
  /** Called after all `admit` and after validation. */
  readonly validate?: (request: AdmissionRequest) => Promise<void>;
}

export interface Admission {
  admit(request: AdmissionRequest & { readonly object: KubeObject }): Promise<KubeObject>;
  validate(request: AdmissionRequest): Promise<void>;
}

export function createAdmission(plugins: readonly AdmissionPlugin[]): Admission {
  return {
    async admit(request) {
      let { object } = request;
      for (const plugin of plugins) if (plugin.admit !== undefined) object = await plugin.admit({ ...request, object });
      return object;
    },
    async validate(request) {
      for (const plugin of plugins) await plugin.validate?.(request);
    },
  };
}
