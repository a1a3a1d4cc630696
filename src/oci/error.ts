/** An image could not be packed, or a file is not the image archive it was said to be. The message says what to do. */
export class ImageError extends Error {
  override readonly name = "ImageError";
}
