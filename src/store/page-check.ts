import { readSync } from "node:fs";
import { setImmediate as yieldToLoop } from "node:timers/promises";

/** Where LMDB's trees begin, as its newest meta page says. */
export interface Roots {
  readonly pageSize: number;
  readonly lastPage: number;
  readonly transaction: bigint;
  /** Of the free list and of the main tree. */
  readonly roots: readonly bigint[];
}

const MAGIC = 0xbeefc0de;
const PAGE_HEADER = 24;
const META_LENGTH = 136;
const NO_PAGE = 2n ** 64n - 1n;
const BRANCH = 1;
const LEAF = 2;
const OVERFLOW = 4;
const BIG_DATA = 1;
const SUB_TREE = 2;
const NODE_HEADER = 8;

/** Pages read between two breaths. */
const STEP = 256;

/** The meta page at `at`; undefined when there is none. */
export function readMeta(file: number, at: number): Roots | undefined {
  const page = Buffer.alloc(PAGE_HEADER + META_LENGTH);
  const length = readSync(file, page, 0, page.length, at);
  const meta = page.subarray(PAGE_HEADER);
  if (length < page.length || meta.readUInt32LE(0) !== MAGIC) return undefined;
  const pageSize = meta.readUInt32LE(24);
  if (pageSize < 256 || pageSize > 65_536 || (pageSize & (pageSize - 1)) !== 0) return undefined;
  return {
    pageSize,
    lastPage: Number(meta.readBigUInt64LE(120)),
    transaction: meta.readBigUInt64LE(128),
    roots: [meta.readBigUInt64LE(64), meta.readBigUInt64LE(112)],
  };
}

/**
 * Walks every page that LMDB can reach and answers what is wrong with the first bad one, undefined when all are sound.
 *
 * LMDB itself trusts its pages: it ends the process over one that is not what the tree says it is, and over one that a shortened file no
 * longer has. The contents of records are not looked at.
 */
export async function findBadPage(file: number, { pageSize, lastPage, roots }: Roots): Promise<string | undefined> {
  const page = Buffer.alloc(pageSize);
  const todo = roots.filter((root) => root !== NO_PAGE).map((number) => ({ number, overflow: false }));
  for (let count = 1; ; count++) {
    const next = todo.pop();
    if (next === undefined) return undefined;
    if (count % STEP === 0) await yieldToLoop();
    const wrong = checkPage(next.number, next.overflow);
    if (wrong !== undefined) return `page ${next.number} ${wrong}`;
  }

  function checkPage(number: bigint, overflow: boolean): string | undefined {
    if (number > BigInt(lastPage)) return "lies behind the last one";
    if (readSync(file, page, 0, pageSize, Number(number) * pageSize) < pageSize) return "is missing";
    const flags = page.readUInt16LE(18);
    if (page.readBigUInt64LE(0) !== number) return "is not itself";
    if (overflow) return (flags & OVERFLOW) === 0 ? "holds no long record" : checkLength(number, page.readUInt32LE(20));
    if ((flags & (BRANCH | LEAF)) === 0) return "is no part of a tree";
    const indexEnd = PAGE_HEADER + page.readUInt16LE(20); // offsets count from the end of the header
    if (indexEnd > pageSize) return "has a broken header";
    for (let at = PAGE_HEADER; at < indexEnd; at += 2) {
      const node = PAGE_HEADER + page.readUInt16LE(at);
      if (node < indexEnd || node + NODE_HEADER > pageSize) return "has a broken index";
      if (!addChild(node, (flags & BRANCH) !== 0)) return "has a broken record";
    }
    return undefined;
  }

  /** All pages of a long record are in the file. */
  function checkLength(number: bigint, pages: number): string | undefined {
    const last = Number(number) + pages - 1;
    if (pages < 1 || last > lastPage) return "has a broken length";
    return readSync(file, page, 0, 1, (last + 1) * pageSize - 1) === 1 ? undefined : "is cut off";
  }

  function addChild(node: number, inBranch: boolean): boolean {
    if (inBranch) {
      todo.push({ number: BigInt(page.readUInt32LE(node)) | (BigInt(page.readUInt16LE(node + 4)) << 32n), overflow: false });
      return true;
    }
    const length = page.readUInt32LE(node);
    const flags = page.readUInt16LE(node + 4);
    const value = node + NODE_HEADER + page.readUInt16LE(node + 6);
    if ((flags & BIG_DATA) !== 0) {
      if (value + 8 > pageSize) return false;
      todo.push({ number: page.readBigUInt64LE(value), overflow: true });
    } else {
      if (value + length > pageSize) return false;
      if ((flags & SUB_TREE) === 0) return true;
      if (length < 48) return false;
      const root = page.readBigUInt64LE(value + 40);
      if (root !== NO_PAGE) todo.push({ number: root, overflow: false });
    }
    return true;
  }
}
