import type { Revision } from "#store/contract.ts";
import { invalidField } from "#machinery/field-error.ts";
import { invalid, STATUS_CODES, StatusError } from "#machinery/status.ts";
import type { Resource } from "../resource.ts";
import type { Served } from "../served.ts";

/** How long a read waits for a revision that is ahead of the cache, as upstream. */
const WAIT_MS = 3_000;

export function parseRevision(text: string): Revision | undefined {
  if (text === "") return undefined;
  if (!/^[0-9]{1,19}$/.test(text)) {
    throw invalid({ group: "meta.k8s.io", kind: "ListOptions" }, "", [
      invalidField("resourceVersion", text, `strconv.ParseUint: parsing ${JSON.stringify(text)}: invalid syntax`),
    ]);
  }
  return Number(text) as Revision;
}

/** Waits until the cache is as new as asked: "" the newest, "0" whatever there is, N at least that. */
export async function awaitRevision(served: Served, resource: Resource, resourceVersion: string, signal: AbortSignal): Promise<void> {
  const wanted = parseRevision(resourceVersion);
  if (wanted === undefined) return resource.fresh(signal);
  if (wanted === 0 || resource.cache.revision() >= wanted) return;
  const limit = new AbortController();
  const waiting = AbortSignal.any([signal, limit.signal]);
  const seen = resource.cache.waitFor(wanted, waiting).then(
    () => true,
    (cause: unknown) => {
      if (limit.signal.aborted) return false;
      throw cause;
    },
  );
  const expired = served.clock.sleep(WAIT_MS, limit.signal).then(() => false);
  const ok = await Promise.race([seen, expired]);
  limit.abort();
  if (!ok && resource.cache.revision() < wanted) throw tooLargeVersion(wanted, resource.cache.revision());
}

export function tooLargeVersion(wanted: number, current: number): StatusError {
  return new StatusError({
    reason: "Timeout",
    code: STATUS_CODES.Timeout,
    message: `Timeout: Too large resource version: ${wanted}, current: ${current}`,
    details: { causes: [{ reason: "ResourceVersionTooLarge", message: "Too large resource version" }], retryAfterSeconds: 1 },
  });
}
