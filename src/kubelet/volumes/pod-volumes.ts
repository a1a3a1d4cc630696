import type { Pod, Volume, VolumeProjection } from "#machinery/api/core-v1.ts";
import type { Stored } from "#machinery/object.ts";
import { whole } from "../amount.ts";
import type { ProjectedFile, VolumeHost } from "../contract.ts";
import type { DownwardFacts } from "../field-ref.ts";
import { namespaceOf, podDirectory } from "../names.ts";
import type { ObjectReader } from "../object-reader.ts";
import { configMapFiles, downwardFiles, isSafePath, mergeFiles, type PayloadAnswer, secretFiles } from "./payload.ts";

export interface PodVolumesDeps {
  readonly reader: ObjectReader;
  readonly host: VolumeHost;
}

/** Where the pod's volumes are on the node, by volume name; or the first complaint, in upstream's words. */
export type MountAnswer =
  | { readonly ok: true; readonly paths: ReadonlyMap<string, string> }
  | { readonly ok: false; readonly message: string };

const DEFAULT_MODE = 0o644;
/** A token is its owner's alone as soon as the pod says who that is. */
const PRIVATE_MODE = 0o600;

/**
 * Makes all volumes of the pod, or brings those that carry API objects up to date. May be called again at any time; what is
 * there already is left as it is.
 */
export async function mountVolumes(
  { reader, host }: PodVolumesDeps,
  {
    pod,
    rootDirectory,
    facts,
    signal,
  }: { readonly pod: Stored<Pod>; readonly rootDirectory: string; readonly facts: DownwardFacts; readonly signal: AbortSignal },
): Promise<MountAnswer> {
  const fsGroup = pod.spec.securityContext?.fsGroup;
  const group = fsGroup === undefined ? {} : { fsGroup };
  const namespace = namespaceOf(pod);
  const paths = new Map<string, string>();
  for (const volume of pod.spec.volumes ?? []) {
    const at = (plugin: string) => `${podDirectory(rootDirectory, pod.metadata.uid)}/volumes/kubernetes.io~${plugin}/${volume.name}`;
    const answer = await mount(volume, at);
    if (!answer.ok) return { ok: false, message: `MountVolume.SetUp failed for volume "${volume.name}" : ${answer.message}` };
    paths.set(volume.name, answer.path);
  }
  return { ok: true, paths };

  async function mount(
    volume: Volume,
    at: (plugin: string) => string,
  ): Promise<{ ok: true; path: string } | { ok: false; message: string }> {
    if (volume.emptyDir !== undefined) {
      const { medium, sizeLimit } = volume.emptyDir;
      if (medium !== undefined && medium !== "" && medium !== "Memory")
        return { ok: false, message: `emptyDir medium "${medium}" is not supported` };
      const path = at("empty-dir");
      const size = sizeLimit === undefined ? {} : { sizeBytes: whole(sizeLimit) };
      await host.emptyDirectory(path, { medium: medium === "Memory" ? "memory" : "disk", ...size, ...group, signal });
      return { ok: true, path };
    }
    if (volume.hostPath !== undefined) {
      const complaint = await host.hostPath(volume.hostPath.path, volume.hostPath.type ?? "");
      return complaint === undefined ? { ok: true, path: volume.hostPath.path } : { ok: false, message: complaint };
    }
    if (volume.configMap !== undefined) return project(at("configmap"), await filesOf(volume), false);
    if (volume.secret !== undefined) return project(at("secret"), await filesOf(volume), true);
    if (volume.downwardAPI !== undefined) return project(at("downward-api"), await filesOf(volume), false);
    if (volume.projected !== undefined) return project(at("projected"), await filesOf(volume), true);
    return { ok: false, message: `volume type ${typeOf(volume)} is not supported` };
  }

  async function project(
    path: string,
    answer: PayloadAnswer,
    inMemory: boolean,
  ): Promise<{ ok: true; path: string } | { ok: false; message: string }> {
    if (!answer.ok) return answer;
    const unsafe = answer.files.find((file) => !isSafePath(file.path));
    if (unsafe !== undefined) return { ok: false, message: `invalid path: must not contain '..': ${unsafe.path}` };
    await host.project(path, answer.files, { ...group, inMemory, signal });
    return { ok: true, path };
  }

  async function filesOf(volume: Volume): Promise<PayloadAnswer> {
    const { configMap, secret, downwardAPI, projected } = volume;
    if (configMap !== undefined) {
      const { name = "", items, optional = false, defaultMode = DEFAULT_MODE } = configMap;
      return configMapFiles({ namespace, name }, await reader.configMap(namespace, name, signal), { items, optional, mode: defaultMode });
    }
    if (secret !== undefined) {
      const { secretName = "", items, optional = false, defaultMode = DEFAULT_MODE } = secret;
      return secretFiles({ namespace, name: secretName }, await reader.secret(namespace, secretName, signal), {
        items,
        optional,
        mode: defaultMode,
      });
    }
    if (downwardAPI !== undefined) return downwardFiles(pod, downwardAPI.items ?? [], downwardAPI.defaultMode ?? DEFAULT_MODE, facts);
    const parts: (readonly ProjectedFile[])[] = [];
    const complaints: string[] = [];
    for (const source of projected?.sources ?? []) {
      const part = await filesOfSource(source, projected?.defaultMode ?? DEFAULT_MODE);
      if (part.ok) parts.push(part.files);
      else complaints.push(part.message);
    }
    if (complaints.length > 0)
      return { ok: false, message: complaints.length === 1 ? (complaints[0] ?? "") : `[${complaints.join(", ")}]` };
    return { ok: true, files: mergeFiles(parts) };
  }

  async function filesOfSource(source: VolumeProjection, mode: number): Promise<PayloadAnswer> {
    const { configMap, secret, downwardAPI, serviceAccountToken } = source;
    if (configMap !== undefined) {
      const { name = "", items, optional = false } = configMap;
      return configMapFiles({ namespace, name }, await reader.configMap(namespace, name, signal), { items, optional, mode });
    }
    if (secret !== undefined) {
      const { name = "", items, optional = false } = secret;
      return secretFiles({ namespace, name }, await reader.secret(namespace, name, signal), { items, optional, mode });
    }
    if (downwardAPI !== undefined) return downwardFiles(pod, downwardAPI.items ?? [], mode, facts);
    if (serviceAccountToken !== undefined) {
      const owner = commonUser(pod);
      const content = Buffer.from(await reader.token(pod, serviceAccountToken, signal));
      const isPrivate = owner !== undefined || fsGroup !== undefined;
      return {
        ok: true,
        files: [
          {
            path: serviceAccountToken.path,
            content,
            mode: isPrivate ? PRIVATE_MODE : mode,
            ...(owner === undefined ? {} : { uid: owner }),
          },
        ],
      };
    }
    const kind = Object.keys(source)[0] ?? "unknown";
    return { ok: false, message: `projected volume source ${kind} is not supported` };
  }
}

/** The user that all containers of the pod run as, where the pod says so for each. */
function commonUser({ spec }: Pod): number | undefined {
  const users = [...(spec.initContainers ?? []), ...spec.containers].map(
    (each) => each.securityContext?.runAsUser ?? spec.securityContext?.runAsUser,
  );
  return users.every((user) => user === users[0]) ? users[0] : undefined;
}

function typeOf(volume: Volume): string {
  return Object.keys(volume).find((key) => key !== "name") ?? "unknown";
}

/** Whether the volume's content follows API objects, so that it must be looked at again from time to time. */
export function isLive(volume: Volume): boolean {
  return (
    volume.configMap !== undefined || volume.secret !== undefined || volume.downwardAPI !== undefined || volume.projected !== undefined
  );
}
