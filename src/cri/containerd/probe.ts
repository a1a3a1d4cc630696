import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { execResult } from "#base/node/exec.ts";
import type { Snapshotter } from "./render.ts";

/** Whether this machine refuses the scores that pods need, as it does without CAP_SYS_RESOURCE. Tried in a process of its own. */
export async function probeRestrictOomScoreAdj(signal: AbortSignal): Promise<boolean> {
  const { code } = await execResult(["sh", "-c", "echo -998 > /proc/self/oom_score_adj"], { signal });
  return code !== 0;
}

/** overlayfs where it can be mounted on the file system below `directory`, else copies of whole layers. Leaves nothing there. */
export async function probeSnapshotter(directory: string, signal: AbortSignal): Promise<Snapshotter> {
  await mkdir(directory, { recursive: true });
  const place = await mkdtemp(join(directory, ".overlay-probe-"));
  try {
    await Promise.all(["lower", "upper", "work", "merged"].map((name) => mkdir(join(place, name))));
    const mount = 'mount -t overlay overlay -o "lowerdir=$1/lower,upperdir=$1/upper,workdir=$1/work" "$1/merged"';
    const { code } = await execResult(["unshare", "--mount", "sh", "-c", mount, "sh", place], { signal });
    return code === 0 ? "overlayfs" : "native";
  } finally {
    await rm(place, { recursive: true, force: true });
  }
}
