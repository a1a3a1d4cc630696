import type { Subject } from "#machinery/api/rbac-v1.ts";

/** Names of the subjects of one kind, in their order: `alice, bob`; service accounts as `namespace/name`. */
export function subjectsText(subjects: readonly Subject[] | undefined, kind: "User" | "Group" | "ServiceAccount"): string {
  return (subjects ?? [])
    .filter((subject) => subject.kind === kind)
    .map(({ namespace = "", name }) => (kind === "ServiceAccount" ? `${namespace}/${name}` : name))
    .join(", ");
}
