import type { Served } from "../served.ts";
import { ensureNamespaces } from "./namespaces.ts";

/** Makes the objects that every cluster has, in the order they need each other. Doing it again changes nothing. */
export async function bootstrap(served: Served, signal: AbortSignal): Promise<void> {
  await ensureNamespaces(served, signal);
}
