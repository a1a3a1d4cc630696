import type { ImageSpec } from "../spec.ts";
import { busyboxImage } from "./busybox.ts";
import { kubiaImage, type KubiaOptions } from "./kubia.ts";
import { pauseImage } from "./pause.ts";
import { toolboxImage } from "./toolbox.ts";

/** The images that every node has from its first start; pause first, as no pod starts without it. */
export function builtinImages(kubia: KubiaOptions): readonly ImageSpec[] {
  return [pauseImage, kubiaImage(kubia), busyboxImage, toolboxImage];
}

/** Debian packages without which these images cannot be packed. */
export function requiredPackages(images: readonly ImageSpec[]): readonly string[] {
  return [...new Set(images.flatMap(({ requires }) => requires))].sort();
}
