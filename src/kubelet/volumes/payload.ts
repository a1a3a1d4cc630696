import type { ConfigMap, DownwardAPIVolumeFile, KeyToPath, Pod, Secret } from "#machinery/api/core-v1.ts";
import type { ProjectedFile } from "../contract.ts";
import { type DownwardFacts, readField, readResource } from "../field-ref.ts";

export type PayloadAnswer =
  | { readonly ok: true; readonly files: readonly ProjectedFile[] }
  /** Upstream's complaint, shown in the FailedMount event. */
  | { readonly ok: false; readonly message: string };

export interface PayloadOptions {
  readonly items: readonly KeyToPath[] | undefined;
  readonly optional: boolean;
  readonly mode: number;
}

/** The files of a ConfigMap, all keys or those asked for. undefined: there is no such ConfigMap. */
export function configMapFiles(
  ref: { readonly namespace: string; readonly name: string },
  map: ConfigMap | undefined,
  options: PayloadOptions,
): PayloadAnswer {
  if (map === undefined) return options.optional ? { ok: true, files: [] } : { ok: false, message: `configmap "${ref.name}" not found` };
  const content = new Map<string, Uint8Array>();
  for (const [key, text] of Object.entries(map.data ?? {})) content.set(key, Buffer.from(text));
  for (const [key, base64] of Object.entries(map.binaryData ?? {})) content.set(key, Buffer.from(base64, "base64"));
  return pick(content, options, "configmap references non-existent config key");
}

export function secretFiles(
  ref: { readonly namespace: string; readonly name: string },
  secret: Secret | undefined,
  options: PayloadOptions,
): PayloadAnswer {
  if (secret === undefined) return options.optional ? { ok: true, files: [] } : { ok: false, message: `secret "${ref.name}" not found` };
  const content = new Map(Object.entries(secret.data ?? {}).map(([key, base64]) => [key, Buffer.from(base64, "base64")]));
  return pick(content, options, "references non-existent secret key");
}

function pick(content: ReadonlyMap<string, Uint8Array>, { items, optional, mode }: PayloadOptions, complaint: string): PayloadAnswer {
  if (items === undefined) return { ok: true, files: Array.from(content, ([path, bytes]) => ({ path, content: bytes, mode })) };
  const files: ProjectedFile[] = [];
  for (const item of items) {
    const bytes = content.get(item.key);
    if (bytes !== undefined) files.push({ path: item.path, content: bytes, mode: item.mode ?? mode });
    else if (!optional) return { ok: false, message: `${complaint}: ${item.key}` };
  }
  return { ok: true, files };
}

export function downwardFiles(pod: Pod, items: readonly DownwardAPIVolumeFile[], mode: number, facts: DownwardFacts): PayloadAnswer {
  const files: ProjectedFile[] = [];
  for (const item of items) {
    const answer =
      item.fieldRef !== undefined
        ? readField(pod, item.fieldRef, facts)
        : item.resourceFieldRef !== undefined
          ? readResource(pod, item.resourceFieldRef, undefined, facts)
          : { ok: false as const, message: `downward API file ${item.path} names neither fieldRef nor resourceFieldRef` };
    if (!answer.ok) return answer;
    files.push({ path: item.path, content: Buffer.from(answer.value), mode: item.mode ?? mode });
  }
  return { ok: true, files };
}

/** Later sources win where paths are the same. */
export function mergeFiles(parts: readonly (readonly ProjectedFile[])[]): readonly ProjectedFile[] {
  return [...new Map(parts.flat().map((file) => [file.path, file])).values()];
}

/** Paths come from users: relative, without `..`, not below the link that switches versions. */
export function isSafePath(path: string): boolean {
  const steps = path.split("/");
  return path !== "" && !path.startsWith("/") && !steps.includes("..") && !path.startsWith("..") && !steps.includes("");
}
