/** The nodes of a cluster on this machine could not be made or removed. The message says what was found and what to do. */
export class NodesError extends Error {
  override readonly name = "NodesError";
}
