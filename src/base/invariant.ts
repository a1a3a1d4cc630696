/** A state that the code rules out was reached: a bug of ours, never the user's fault. */
export class BugError extends Error {
  override readonly name = "BugError";
}

/** Throws BugError unless `condition` holds. For facts that our own code guarantees, never for input. */
export function invariant(condition: unknown, message: string): asserts condition {
  if (!condition) throw new BugError(message);
}

/** Marks the default branch of an exhaustive switch. */
export function unreachable(value: never): never {
  throw new BugError(`unreachable: ${JSON.stringify(value)}`);
}

/** The value, or BugError where our own code guarantees that it is there. */
export function required<T>(value: T | undefined | null, what: string): T {
  invariant(value !== undefined && value !== null, `${what} is missing`);
  return value;
}
