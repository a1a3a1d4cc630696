/** What the dynamic loader would read of an ELF file. `interpreter` is undefined in static programs and in libraries. */
export interface ElfDynamics {
  readonly interpreter: string | undefined;
  readonly needed: readonly string[];
  readonly soname: string | undefined;
  /** DT_RPATH entries: searched before anything else, unless `runpath` is set. */
  readonly rpath: readonly string[];
  readonly runpath: readonly string[];
}

export class ElfError extends Error {
  override readonly name = "ElfError";
}

/** Reads `length` bytes at `offset`; fewer only at the end of the file. */
export type ReadAt = (offset: number, length: number) => Promise<Buffer>;

const PT_LOAD = 1;
const PT_DYNAMIC = 2;
const PT_INTERP = 3;
const DT_NEEDED = 1;
const DT_STRTAB = 5;
const DT_STRSZ = 10;
const DT_SONAME = 14;
const DT_RPATH = 15;
const DT_RUNPATH = 29;
const MAX_STRING_TABLE_BYTES = 64 * 1024 * 1024;

export function isElf(head: Buffer): boolean {
  return head.length >= 4 && head.readUInt32BE(0) === 0x7f454c46;
}

/** Reads the dynamic section of a 64-bit little-endian ELF file; throws ElfError with the reason for anything else. */
export async function readElfDynamics(read: ReadAt): Promise<ElfDynamics> {
  const header = await exactly(read, 0, 64, "header");
  if (!isElf(header)) throw new ElfError("it does not begin with the ELF magic number");
  if (header[4] !== 2 || header[5] !== 1) throw new ElfError("it is not 64-bit little-endian ELF");
  const programHeaders = await readProgramHeaders(read, header);

  const interp = programHeaders.find(({ type }) => type === PT_INTERP);
  const interpreter = interp && cString(await exactly(read, interp.offset, interp.fileSize, "interpreter"), 0);
  const dynamic = programHeaders.find(({ type }) => type === PT_DYNAMIC);
  if (dynamic === undefined) return { interpreter, needed: [], soname: undefined, rpath: [], runpath: [] };

  const section = await exactly(read, dynamic.offset, dynamic.fileSize, "dynamic section");
  const tags: { tag: number; value: number }[] = [];
  for (let at = 0; at + 16 <= section.length; at += 16) {
    const tag = Number(section.readBigInt64LE(at));
    if (tag === 0) break;
    tags.push({ tag, value: Number(section.readBigUInt64LE(at + 8)) });
  }
  const valueOf = (wanted: number) => tags.find(({ tag }) => tag === wanted)?.value;
  const address = valueOf(DT_STRTAB);
  const size = valueOf(DT_STRSZ);
  if (address === undefined || size === undefined) return { interpreter, needed: [], soname: undefined, rpath: [], runpath: [] };
  if (size > MAX_STRING_TABLE_BYTES) throw new ElfError(`its string table claims ${size} bytes`);
  const segment = programHeaders.find(
    ({ type, address: start, fileSize }) => type === PT_LOAD && start <= address && address < start + fileSize,
  );
  if (segment === undefined) throw new ElfError("its string table lies outside of the loaded segments");
  const strings = await exactly(read, segment.offset + (address - segment.address), size, "string table");

  const stringOf = (wanted: number) => {
    const value = valueOf(wanted);
    return value === undefined ? undefined : cString(strings, value);
  };
  return {
    interpreter,
    needed: tags.filter(({ tag }) => tag === DT_NEEDED).map(({ value }) => cString(strings, value)),
    soname: stringOf(DT_SONAME),
    rpath: splitPath(stringOf(DT_RPATH)),
    runpath: splitPath(stringOf(DT_RUNPATH)),
  };
}

interface ProgramHeader {
  readonly type: number;
  readonly offset: number;
  readonly address: number;
  readonly fileSize: number;
}

async function readProgramHeaders(read: ReadAt, header: Buffer): Promise<readonly ProgramHeader[]> {
  const start = Number(header.readBigUInt64LE(32));
  const entrySize = header.readUInt16LE(54);
  const count = header.readUInt16LE(56);
  if (count > 0 && entrySize < 56) throw new ElfError(`its program headers are ${entrySize} bytes long`);
  const table = await exactly(read, start, entrySize * count, "program header table");
  return Array.from({ length: count }, (_, index) => {
    const at = index * entrySize;
    return {
      type: table.readUInt32LE(at),
      offset: Number(table.readBigUInt64LE(at + 8)),
      address: Number(table.readBigUInt64LE(at + 16)),
      fileSize: Number(table.readBigUInt64LE(at + 32)),
    };
  });
}

async function exactly(read: ReadAt, offset: number, length: number, what: string): Promise<Buffer> {
  const bytes = await read(offset, length);
  if (bytes.length < length) throw new ElfError(`its ${what} is cut off`);
  return bytes;
}

function cString(bytes: Buffer, start: number): string {
  const end = bytes.indexOf(0, start);
  if (start > bytes.length || end < 0) throw new ElfError("a string runs past its table");
  return bytes.toString("utf8", start, end);
}

function splitPath(path: string | undefined): readonly string[] {
  return path === undefined ? [] : path.split(":").filter((part) => part !== "");
}
