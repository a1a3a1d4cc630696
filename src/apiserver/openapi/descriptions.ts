import { readFile } from "node:fs/promises";
import { hasCode } from "#base/node/files.ts";

/** Type name -> field -> text; the empty field is the type itself. */
export type Descriptions = Readonly<Record<string, Readonly<Record<string, string>>>>;

const FILE = "descriptions.json";
/** Beside the bundle, or where the build leaves it when the sources are run as they are. */
const PLACES = [new URL(FILE, import.meta.url), new URL(`../../../dist/${FILE}`, import.meta.url)];

/** The texts of `kubectl explain`, made by the build; none where it has not run. */
export async function readDescriptions(): Promise<Descriptions> {
  for (const place of PLACES) {
    try {
      return JSON.parse(await readFile(place, "utf8")) as Descriptions;
    } catch (cause) {
      if (!hasCode(cause, "ENOENT")) throw cause;
    }
  }
  return {};
}
