/**
 * A patch that cannot be applied; the message is upstream's. `bad`: the patch itself is malformed (400). `unprocessable`: it does not
 * fit the object (422). `tooLarge`: it has too many operations (413).
 */
export class PatchError extends Error {
  override readonly name = "PatchError";
  readonly because: "bad" | "unprocessable" | "tooLarge";
  constructor(because: "bad" | "unprocessable" | "tooLarge", message: string) {
    super(message);
    this.because = because;
  }
}
