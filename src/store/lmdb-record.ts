import { crc32 } from "node:zlib";
import type { Key, LeaseId, Revision } from "./contract.ts";
import type { Version } from "./version.ts";

/*
 * One version as it lies in the file, under its revision:
 *
 *   0  u32  CRC-32 of everything after it
 *   4  u8   1 = deletion
 *   5  u8   length of the lease id, 0 = none
 *   6  u16  length of the key
 *   8  f64  revision
 *  16  f64  createRevision
 *  24  key (UTF-8), lease id (Latin-1), value
 */
const HEADER = 24;

/** The page size that stores are made with: records of a few kilobytes fill it well when they are appended. */
export const PAGE_SIZE = 8192;
const PAGE_HEADER = 24;
/** What a B+tree leaf adds to a record: node header, revision, slot. */
const NODE_OVERHEAD = 20;
/** Larger nodes go to pages of their own. */
const MAX_NODE = PAGE_SIZE / 2 - PAGE_HEADER;

/** The bytes of pages that a record takes. */
export function recordSize(key: number, value: number): number {
  const node = HEADER + key + value + NODE_OVERHEAD;
  return node <= MAX_NODE ? node : PAGE_SIZE * Math.ceil((node + PAGE_HEADER) / PAGE_SIZE);
}

export function encodeRecord(version: Version): Buffer {
  const { key, revision, createRevision, deleted, value } = version;
  const lease: string = version.lease ?? "";
  const keyLength = Buffer.byteLength(key);
  const valueAt = HEADER + keyLength + lease.length;
  const record = Buffer.allocUnsafe(valueAt + (value?.byteLength ?? 0));
  record[4] = deleted ? 1 : 0;
  record[5] = lease.length;
  record.writeUInt16LE(keyLength, 6);
  record.writeDoubleLE(revision, 8);
  record.writeDoubleLE(createRevision, 16);
  record.write(key, HEADER, "utf8");
  record.write(lease, HEADER + keyLength, "latin1");
  if (value !== undefined) record.set(value, valueAt);
  record.writeUInt32LE(crc32(record.subarray(4)), 0);
  return record;
}

/**
 * The version in `record`; undefined when it is not as it was written. Nothing of `record` is kept: the value is a copy, and left out
 * unless asked for.
 */
export function decodeRecord(record: Buffer, withValue: boolean): Version | undefined {
  const { length } = record;
  if (length < HEADER || crc32(record.subarray(4, length)) !== record.readUInt32LE(0)) return undefined;
  const leaseAt = HEADER + record.readUInt16LE(6);
  const valueAt = leaseAt + record.readUInt8(5);
  const key = record.toString("utf8", HEADER, leaseAt) as Key;
  const deleted = record[4] === 1;
  let value: Buffer | undefined;
  if (withValue && !deleted) {
    value = memoryFor(length - valueAt);
    record.copy(value, 0, valueAt, length);
  }
  return {
    key,
    revision: record.readDoubleLE(8) as Revision,
    createRevision: record.readDoubleLE(16) as Revision,
    deleted,
    lease: valueAt === leaseAt ? undefined : (record.toString("latin1", leaseAt, valueAt) as LeaseId),
    size: recordSize(key.length, length - valueAt),
    value,
  };
}

/** Values are read to be looked at and dropped, often very many: they share pieces of memory that are larger than Node.js' own. */
const SLAB_BYTES = 128 * 1024;
let slab = Buffer.alloc(0);
let used = 0;

function memoryFor(length: number): Buffer {
  if (length > SLAB_BYTES / 8) return Buffer.allocUnsafeSlow(length);
  if (used + length > slab.length) {
    slab = Buffer.allocUnsafeSlow(SLAB_BYTES);
    used = 0;
  }
  used += length;
  return slab.subarray(used - length, used);
}
