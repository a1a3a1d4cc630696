/** containerd could not be started, adopted, stopped or given an image. The message holds the end of its log where that tells why. */
export class ContainerdError extends Error {
  override readonly name = "ContainerdError";
}
