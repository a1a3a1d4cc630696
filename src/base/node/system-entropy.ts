import { randomBytes } from "node:crypto";
import { createEntropy, type Entropy } from "../entropy.ts";

const BYTES = 6;
/** Read a block at a time: a call to the source costs as much as hundreds of numbers. */
const BLOCK_BYTES = BYTES * 512;
let block = Buffer.alloc(0);
let at = 0;

function random(): number {
  if (at + BYTES > block.length) {
    block = randomBytes(BLOCK_BYTES);
    at = 0;
  }
  const value = block.readUIntBE(at, BYTES);
  at += BYTES;
  return value / 2 ** 48;
}

/** Entropy from the machine's random source. */
export const systemEntropy: Entropy = createEntropy(random);
