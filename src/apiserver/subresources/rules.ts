import type { CertificateSigningRequest } from "#machinery/api/certificates-v1.ts";
import type { Container, Namespace, Pod } from "#machinery/api/core-v1.ts";
import { formatTime } from "#base/clock.ts";
import { forbiddenField, invalidField } from "#machinery/field-error.ts";
import type { KubeObject } from "#machinery/object.ts";
import { qosClassOf } from "#kinds/core/resources.ts";
import type { Kind } from "#kinds/kind.ts";
import { isDeepStrictEqual } from "node:util";
import type { UpdateRules } from "../verbs/update-entry.ts";

/** PUT namespaces/x/finalize: nothing but the finalizers in `spec`. */
export const finalizeRules: UpdateRules = {
  subresource: "finalize",
  prepare: (next, previous) => {
    const { spec } = next as Namespace;
    return { ...previous, spec: spec ?? {} } as KubeObject;
  },
  validate: () => [],
};

/** certificatesigningrequests/x/approval: nothing but the conditions that approve or deny. */
export function approvalRules(now: () => number): UpdateRules {
  return {
    subresource: "approval",
    prepare: (next, previous) => {
      const wanted = (next as CertificateSigningRequest).status?.conditions ?? [];
      const before = previous as CertificateSigningRequest;
      const conditions = wanted.map((condition) => {
        const old = before.status?.conditions?.find(({ type }) => type === condition.type);
        const time = formatTime(now());
        return {
          ...condition,
          lastUpdateTime: condition.lastUpdateTime ?? old?.lastUpdateTime ?? time,
          lastTransitionTime:
            condition.lastTransitionTime ?? (old?.status === condition.status ? old.lastTransitionTime : undefined) ?? time,
        };
      });
      return { ...before, status: { ...before.status, ...(conditions.length === 0 ? {} : { conditions }) } } as KubeObject;
    },
    validate: () => [],
  };
}

/** pods/x/ephemeralcontainers: adds containers to those there are. */
export function ephemeralContainersRules(kind: Kind): UpdateRules {
  return {
    subresource: "ephemeralcontainers",
    prepare: (next, previous) => {
      const before = previous as Pod;
      const { ephemeralContainers } = (next as Pod).spec ?? { ephemeralContainers: undefined };
      const { ephemeralContainers: _, ...spec } = before.spec ?? { containers: [] };
      const pod = { ...before, spec: { ...spec, ...(ephemeralContainers === undefined ? {} : { ephemeralContainers }) } };
      return pod;
    },
    validate: (next, previous) => {
      const kept = new Map(((next as Pod).spec?.ephemeralContainers ?? []).map((container) => [container.name, container]));
      const changed = ((previous as Pod).spec?.ephemeralContainers ?? []).filter(
        (container) => !isDeepStrictEqual(kept.get(container.name), container),
      );
      const errors = changed.map(() =>
        forbiddenField("spec.ephemeralContainers", "existing ephemeral containers may not be changed or removed"),
      );
      return [...(kind.strategy.validate?.(next) ?? []), ...errors];
    },
  };
}

/** pods/x/resize: the resources and resize policies of containers. */
export function resizeRules(kind: Kind): UpdateRules {
  return {
    subresource: "resize",
    prepare: (next, previous) => {
      const before = previous as Pod;
      const wanted = (next as Pod).spec;
      const spec = {
        ...before.spec,
        containers: resized(before.spec?.containers ?? [], wanted?.containers ?? []),
        ...(before.spec?.initContainers === undefined
          ? {}
          : { initContainers: resized(before.spec.initContainers, wanted?.initContainers ?? []) }),
      };
      return { ...before, spec } as unknown as KubeObject;
    },
    validate: (next, previous) => {
      const [after, before] = [qosClassOf((next as Pod).spec), qosClassOf((previous as Pod).spec)];
      const errors = after === before ? [] : [invalidField("spec", after, "Pod QOS Class may not change as a result of resizing")];
      return [...(kind.strategy.validate?.(next) ?? []), ...errors];
    },
  };
}

function resized(before: readonly Container[], wanted: readonly Container[]): readonly Container[] {
  return before.map((container) => {
    const next = wanted.find(({ name }) => name === container.name);
    if (next === undefined) return container;
    const { resizePolicy, resources } = next;
    return { ...container, ...(resources === undefined ? {} : { resources }), ...(resizePolicy === undefined ? {} : { resizePolicy }) };
  });
}
