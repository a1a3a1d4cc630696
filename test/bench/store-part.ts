import { type Part, nothingMissing } from "./part.ts";
import { benchStore } from "./store.ts";

export const storePart: Part = {
  name: "store",
  about: "commits, restart and fan-out of the store on its own: no HTTP, no JSON",
  limitMs: 60_000,
  missing: nothingMissing,
  async run({ row, progress }) {
    progress("100,000 objects of 1.5 KB, durable and in memory");
    for (const figure of await benchStore()) row(figure);
  },
};
