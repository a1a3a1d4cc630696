import { defineKind, type Kind } from "#kinds/kind.ts";
import { KINDS } from "#kinds/registry.ts";
import type { CustomResourceDefinition } from "#machinery/api/apiextensions-v1.ts";
import type { KubeObject } from "#machinery/object.ts";

/** Kinds whose objects are kept and can be listed, watched and deleted, each once: other versions of the same objects are left out. */
export const KEPT_KINDS: readonly Kind[] = KINDS.filter(
  (kind, index) =>
    ["list", "watch", "delete"].every((verb) => kind.verbs.some((known) => known === verb)) &&
    KINDS.findIndex((other) => other.storagePrefix === kind.storagePrefix) === index,
);

/** The kind that a CustomResourceDefinition brings, in its stored version; undefined until it is established. */
export function kindOfCrd({ spec, status }: CustomResourceDefinition): Kind | undefined {
  const established = status?.conditions?.some(({ type, status }) => type === "Established" && status === "True");
  const version = spec.versions.find(({ storage, served }) => storage && served) ?? spec.versions.find(({ served }) => served);
  if (established !== true || version === undefined) return undefined;
  return defineKind<KubeObject>({
    group: spec.group,
    version: version.name,
    kind: spec.names.kind,
    plural: spec.names.plural,
    scope: spec.scope === "Namespaced" ? "Namespaced" : "Cluster",
    typeName: `${spec.group}.${version.name}.${spec.names.kind}`,
  });
}
