import type { Mount } from "#cri/contract.ts";
import type { Container, Pod } from "#machinery/api/core-v1.ts";
import type { VolumeHost } from "../contract.ts";
import { expand } from "../expand.ts";
import type { EnvPair } from "../service-env.ts";
import { isSafePath } from "./payload.ts";

export type ContainerMountsAnswer =
  | { readonly ok: true; readonly mounts: readonly Mount[] }
  | { readonly ok: false; readonly message: string };

const PROPAGATION = {
  None: "PROPAGATION_PRIVATE",
  HostToContainer: "PROPAGATION_HOST_TO_CONTAINER",
  Bidirectional: "PROPAGATION_BIDIRECTIONAL",
} as const;

/** The container's volume mounts, subPaths resolved; shallower ones first, so that a mount inside another is not hidden. */
export async function containerMounts(
  host: VolumeHost,
  options: {
    readonly pod: Pod;
    readonly container: Container;
    /** Volumes by name. */
    readonly paths: ReadonlyMap<string, string>;
    readonly env: readonly EnvPair[];
    /** Where subPaths are mounted: upstream's volume-subpaths below the pod's directory. */
    readonly subPathDirectory: string;
  },
  signal: AbortSignal,
): Promise<ContainerMountsAnswer> {
  const { pod, container, paths, env, subPathDirectory } = options;
  const variables = new Map(env.map(({ name, value }) => [name, value]));
  const fsGroup = pod.spec.securityContext?.fsGroup;
  const mounts: Mount[] = [];
  for (const [index, mount] of (container.volumeMounts ?? []).entries()) {
    const volume = paths.get(mount.name);
    if (volume === undefined)
      return { ok: false, message: `cannot find volume "${mount.name}" to mount into container "${container.name}"` };
    let hostPath = volume;
    const subPath = mount.subPathExpr === undefined ? (mount.subPath ?? "") : expandStrictly(mount.subPathExpr, variables);
    if (subPath === undefined) return { ok: false, message: `missing value for "${mount.subPathExpr}"` };
    if (subPath !== "") {
      if (!isSafePath(subPath.replace(/\/$/, "")))
        return { ok: false, message: `unable to provision SubPath \`${subPath}\`: must not contain '..'` };
      const target = `${subPathDirectory}/${mount.name}/${container.name}/${index}`;
      hostPath = await host.subPath(volume, subPath, { target, signal, ...(fsGroup === undefined ? {} : { fsGroup }) });
    }
    const source = pod.spec.volumes?.find((each) => each.name === mount.name);
    const written =
      source?.configMap !== undefined ||
      source?.secret !== undefined ||
      source?.projected !== undefined ||
      source?.downwardAPI !== undefined;
    mounts.push({
      containerPath: mount.mountPath,
      hostPath,
      // Containers must not change what the node agent keeps up to date.
      readonly: mount.readOnly === true || written,
      propagation: PROPAGATION[mount.mountPropagation ?? "None"],
    });
  }
  const depth = (path: string) => path.split("/").filter((step) => step !== "").length;
  return { ok: true, mounts: mounts.toSorted((a, b) => depth(a.containerPath) - depth(b.containerPath)) };
}

function expandStrictly(text: string, variables: ReadonlyMap<string, string>): string | undefined {
  let missing = false;
  const value = expand(text, (name) => {
    const found = variables.get(name);
    if (found === undefined) missing = true;
    return found;
  });
  return missing ? undefined : value;
}
