import { randomBytes } from "node:crypto";
import { createEntropy, type Entropy } from "../entropy.ts";

/** Entropy from the machine's random source. */
export const systemEntropy: Entropy = createEntropy(() => randomBytes(6).readUIntBE(0, 6) / 2 ** 48);
