import { NamespaceKind } from "#kinds/core/namespace.ts";
import { erased } from "#kinds/kind.ts";
import type { Served } from "../served.ts";
import { ensureObject } from "./ensure.ts";

export const SYSTEM_NAMESPACES = ["default", "kube-system", "kube-public", "kube-node-lease"] as const;

export async function ensureNamespaces(served: Served, signal: AbortSignal): Promise<void> {
  for (const name of SYSTEM_NAMESPACES) await ensureObject(served, erased(NamespaceKind), { metadata: { name } }, signal);
}
