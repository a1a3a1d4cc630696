import { decodeObject } from "#machinery/schema/decode.ts";
import type { KubeObject } from "#machinery/object.ts";
import type { Kind } from "#kinds/kind.ts";
import { eventFromCore, eventToCore } from "./event.ts";
import { autoscalerFromV2, autoscalerToV2 } from "./horizontal-pod-autoscaler.ts";

/** Two versions of one kind that share their place in the store. Objects come out canonical. */
export interface Conversion {
  /** The kind whose version is stored. */
  readonly storage: Kind;
  toStorage(object: KubeObject): KubeObject;
  fromStorage(object: KubeObject): KubeObject;
}

type Convert = (object: KubeObject) => KubeObject;

/** Kinds that are stored under another version of themselves: own and storage identity, and the two ways. */
const CONVERSIONS: readonly { readonly kind: string; readonly storage: string; readonly to: Convert; readonly from: Convert }[] = [
  {
    kind: "events.k8s.io/v1/Event",
    storage: "/v1/Event",
    to: eventToCore as unknown as Convert,
    from: eventFromCore as unknown as Convert,
  },
  {
    kind: "autoscaling/v1/HorizontalPodAutoscaler",
    storage: "autoscaling/v2/HorizontalPodAutoscaler",
    to: autoscalerToV2 as unknown as Convert,
    from: autoscalerFromV2 as unknown as Convert,
  },
];

/** How a kind that is stored under another version of itself is converted; undefined for kinds stored as they are. */
export function conversionOf(kind: Kind, kinds: readonly Kind[]): Conversion | undefined {
  const found = CONVERSIONS.find((conversion) => conversion.kind === identity(kind));
  const storage = kinds.find((candidate) => identity(candidate) === found?.storage);
  if (found === undefined || storage === undefined) return undefined;
  return {
    storage,
    toStorage: (object) => decodeObject(storage.typeName, found.to(object)).object,
    fromStorage: (object) => decodeObject(kind.typeName, found.from(object)).object,
  };
}

function identity({ group, version, kind }: Kind): string {
  return `${group}/${version}/${kind}`;
}
