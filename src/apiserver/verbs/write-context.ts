import type { User } from "../auth/user.ts";

/** Who writes, and how. */
export interface WriteContext {
  readonly user: User;
  readonly dryRun: boolean;
  /** Name under which the change is tracked in managedFields. */
  readonly fieldManager: string;
  /** Adds a `Warning` header. */
  readonly warn: (text: string) => void;
  readonly signal: AbortSignal;
}
