// What pages of Parquet say of themselves, held against their bytes before hyparquet believes it: a run of levels that
// is longer than its page has values, or a size below 0, would have it fill memory or read for ever.
import type { FileMetaData, SchemaTree } from 'hyparquet';
import { FormatError } from '../../memory/errors.ts';

type Unpack = (bytes: Uint8Array, size: number) => Uint8Array;

/** A column's part of a row group: its bytes in the file, and what checks them. */
export interface Chunk {
  readonly start: number;
  readonly end: number;
  check(bytes: Uint8Array): void;
}

/** The most values of a page whose bytes have fewer bits; and of a nested chunk, whose values are objects. */
const [MOST_FLAT, MOST_NESTED] = [8_000_000, 2 ** 20];
/** How many bytes a page may become: as many as most writers give to a row group, and what packed ones may hold. */
const [MOST_PAGE, MOST_PACKED] = [2 ** 26, 255];
/** Zstandard's windows have 2^10 bytes, doubled up to so many times: 128 MiB, as its own program has it. */
const MOST_WINDOW = 17;
/** Types of pages, encodings and the type of truth, by their numbers in parquet.thrift. */
const [DATA, DICTIONARY, DATA_V2] = [0, 2, 3];
const [OLD_DICTIONARY, RLE, INDICES, SPLIT] = [2, 3, 8, 9];

function expect(truth: boolean, what: string): void {
  if (!truth) throw new RangeError(`a page with ${what}`);
}

type Fields = (number | Fields | undefined)[];

/** Thrift's compact protocol and runs of Parquet. Reading outside of the bytes throws RangeErrors. */
class Bytes {
  readonly view: DataView;
  at: number;

  constructor({ buffer, byteOffset, byteLength }: Uint8Array, at = 0) {
    this.view = new DataView(buffer, byteOffset, byteLength);
    this.at = at;
  }

  skip(count: number): void {
    expect(count >= 0 && this.at + count <= this.view.byteLength, 'a length that it has not');
    this.at += count;
  }

  byte(): number {
    return this.view.getUint8(this.at++);
  }

  /** Of 32 bits, as hyparquet reads it. */
  varint(): number {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = this.byte();
      value |= (byte & 127) << shift;
      if (byte < 128) return value;
    }
  }

  #zigzag(): number {
    const value = this.varint();
    return (value >>> 1) ^ -(value & 1);
  }

  /** The numbers and structs of a struct by their ids; truth is 1 or 2. */
  struct(): Fields {
    const fields: Fields = [];
    for (let id = 0; ; ) {
      const head = this.byte();
      if ((head & 15) === 0) return fields;
      id = head >> 4 ? id + (head >> 4) : this.#zigzag();
      const value = this.#element(head & 15);
      if (id > 0 && id < 16) fields[id] = value;
    }
  }

  #element(type: number): number | Fields | undefined {
    if (type < 3) return type;
    if (type === 5 || type === 4) return this.#zigzag();
    if (type === 12) return this.struct();
    if (type === 6) this.varint();
    else if (type === 9) this.#list();
    else this.skip(type === 3 ? 1 : type === 7 ? 8 : this.varint());
    return undefined;
  }

  #list(): void {
    const head = this.byte();
    const count = head >> 4 === 15 ? this.varint() : head >> 4;
    for (let i = 0; i < count; i++)
      if ((head & 15) < 3) this.skip(1);
      else this.#element(head & 15);
  }

  /**
   * Checks runs of `count` numbers of `width` bits up to byte `end`.
   * @param most what no level is above, and what is counted; null: any number
   * @returns how many numbers are `most`
   */
  runs(count: number, width: number, end: number, most: number | null): number {
    let full = 0;
    for (let seen = 0; seen < count; ) {
      const head = this.varint();
      const repeated = (head & 1) === 0;
      const length = repeated ? head >>> 1 : (head >>> 1) * 8;
      // Packed numbers come by eight; some writers fill the last runs up.
      expect(length <= count - seen + (repeated ? 0 : 511), 'a run that is longer than it is');
      const from = this.at;
      this.skip(repeated ? (width + 7) >> 3 : width ? (length / 8) * width : Math.min(1, end - from));
      expect(this.at <= end, 'a run that is longer than its bytes');
      const here = Math.min(length, count - seen);
      if (most !== null)
        full += repeated ? this.#level(from, 0, width, most) * here : this.#levels(from, here, width, most);
      seen += here;
    }
    return full;
  }

  /** Whether a level is `most`. */
  #level(from: number, bit: number, width: number, most: number): number {
    const at = from + (bit >> 3);
    const two = this.view.getUint8(at) | ((at + 1 < this.view.byteLength ? this.view.getUint8(at + 1) : 0) << 8);
    const level = (two >> (bit & 7)) & ((1 << width) - 1);
    expect(level <= most, 'a level that its column has not');
    return level === most ? 1 : 0;
  }

  #levels(from: number, count: number, width: number, most: number): number {
    let full = 0;
    for (let i = 0; i < count; i++) full += this.#level(from, i * width, width, most);
    return full;
  }
}

const widthOf = (most: number): number => 32 - Math.clz32(most);

/** What a column's pages are read by. */
interface Leaf {
  readonly repetition: number;
  readonly definition: number;
  readonly nested: boolean;
  readonly truth: boolean;
  readonly packed: boolean;
}

/** Checks the values of a page, `count` of them, from where `bytes` stand. */
function checkValues(
  bytes: Bytes,
  count: number,
  encoding: number | undefined,
  { truth }: Leaf,
  second: boolean,
): void {
  const { byteLength } = bytes.view;
  if (encoding === RLE || encoding === OLD_DICTIONARY || encoding === INDICES) {
    const flags = encoding === RLE || (truth && !second);
    const width = flags ? 1 : bytes.byte();
    if (flags) bytes.skip(4);
    if (width || second) bytes.runs(count, width, byteLength, null);
  } else if (encoding === SPLIT) expect(count <= byteLength, 'more values than bytes');
}

/** Checks a page of version 1, which is unpacked. */
function checkPage(page: Uint8Array, count: number, encoding: number | undefined, leaf: Leaf): void {
  const bytes = new Bytes(page);
  let values = count;
  for (const [i, most] of [leaf.repetition, leaf.definition].entries()) {
    if (most === 0) continue;
    const size = bytes.view.getUint32(bytes.at, true);
    bytes.at += 4;
    const end = bytes.at + size;
    const full = bytes.runs(count, widthOf(most), end, most);
    if (i === 1) values = full;
    bytes.at = end;
  }
  checkValues(bytes, values, encoding, leaf, false);
}

/** What is to check of a page once it is unpacked, and where it begins. */
interface Later {
  readonly at: number;
  readonly check: (page: Uint8Array) => void;
}

/** Checks what lies unpacked of a page of version 2 from `at` on. */
function checkSecond(bytes: Bytes, sizes: readonly [number, number], fields: Fields, leaf: Leaf): Later | null {
  const [packed, unpacked] = sizes;
  const [count, missing, , encoding, definition, repetition] = fields.slice(1).map((field) => field ?? 0) as number[];
  const [all, gone, levels, repeats] = [count, missing, definition, repetition] as [number, number, number, number];
  const [start, rest] = [bytes.at, unpacked - levels - repeats];
  expect(gone >= 0 && gone <= all, 'more missing values than values');
  expect(levels >= 0 && repeats >= 0 && levels + repeats <= packed && rest >= 0, 'sizes of levels that it has not');
  if (leaf.repetition) bytes.runs(all, widthOf(leaf.repetition), start + repeats, leaf.repetition);
  bytes.at = start + repeats;
  if (leaf.definition) bytes.runs(all, widthOf(leaf.definition), bytes.at + levels, leaf.definition);
  const at = start + repeats + (leaf.definition ? levels : 0);
  const check = (page: Uint8Array): void => checkValues(new Bytes(page), all - gone, encoding, leaf, true);
  if (fields[7] !== 2 && rest > 0 && leaf.packed) return { at, check };
  const { buffer, byteOffset } = bytes.view;
  check(new Uint8Array(buffer as ArrayBuffer, byteOffset + at, start + packed - at));
  return null;
}

/** Checks the page where `bytes` stand, and goes to its end. @returns its count of values, and what to check later */
function checkNext(bytes: Bytes, leaf: Leaf): readonly [count: number, later: Later | null] {
  const header = bytes.struct();
  const [type, unpacked, packed] = [header[1], header[2] ?? -1, header[3] ?? -1] as number[] as [
    number,
    number,
    number,
  ];
  const start = bytes.at;
  bytes.skip(packed);
  const end = bytes.at;
  expect(unpacked >= 0 && unpacked <= MOST_PAGE + MOST_PACKED * packed, 'a size that nothing is packed from');
  const fields = header[type === DATA ? 5 : type === DICTIONARY ? 7 : 8] as Fields;
  const count = Number(fields[1]);
  if (type === DICTIONARY) {
    expect(count >= 0 && count <= 8 * unpacked, 'more values than bits');
    return [0, null];
  }
  expect(count >= 0 && count <= Math.max(MOST_FLAT, 8 * packed), 'more values than it can have');
  let later: Later | null;
  if (type === DATA_V2) {
    bytes.at = start;
    later = checkSecond(bytes, [packed, unpacked], fields, leaf);
  } else {
    const check = (page: Uint8Array): void => checkPage(page, count, fields[2] as number | undefined, leaf);
    later = leaf.packed ? { at: start, check } : null;
    if (!later) check(new Uint8Array(bytes.view.buffer as ArrayBuffer, bytes.view.byteOffset + start, packed));
  }
  bytes.at = end;
  return [count, later];
}

/** The levels of the column at `path`, as hyparquet counts them. */
function leafOf(root: SchemaTree, path: readonly string[], codec: string): Leaf {
  const nodes = [root];
  for (const name of path) {
    const node = nodes.at(-1)?.children.find(({ element }) => element.name === name);
    if (!node) throw new RangeError(`columns without the schema of ${path.join('.')}`);
    nodes.push(node);
  }
  const repeated = nodes.filter(({ element }) => element.repetition_type === 'REPEATED').length;
  const definition = nodes.slice(1).filter(({ element }) => element.repetition_type !== 'REQUIRED').length;
  const truth = nodes.at(-1)?.element.type === 'BOOLEAN';
  const nested = nodes.length !== 2 || nodes[1]?.element.repetition_type === 'REPEATED';
  expect(widthOf(Math.max(repeated, definition)) < 8, 'more levels than anyone nests');
  return { repetition: repeated, definition, nested, truth, packed: codec !== 'UNCOMPRESSED' };
}

/**
 * The chunks of a file, which are checked once they are read, and what unpacks their pages and checks those then:
 * each by a codec of its own, which the metadata has from now on, so that no page goes unchecked.
 */
export function checkedChunks(
  { row_groups }: FileMetaData,
  root: SchemaTree,
  unpackers: Readonly<Record<string, Unpack | undefined>>,
): { readonly chunks: readonly Chunk[]; readonly compressors: Record<string, Unpack> } {
  const compressors: Record<string, Unpack> = {};
  const metas = row_groups.flatMap(({ columns }) => columns.flatMap(({ meta_data: meta }) => meta ?? []));
  const chunks = metas.map((meta, i): Chunk => {
    const [codec, unpack, later] = [meta.codec, unpackers[meta.codec], new Map<number, Later['check']>()];
    const leaf = leafOf(root, meta.path_in_schema, codec);
    if (leaf.packed && unpack) {
      meta.codec = `${codec} ${i}` as typeof codec;
      compressors[meta.codec] = (bytes, size) => {
        expect(
          codec !== 'ZSTD' || (bytes[4] as number & 32) > 0 || (bytes[5] as number) >> 3 <= MOST_WINDOW,
          'a window that is too large',
        );
        const page = unpack(bytes, size);
        // Dictionaries have nothing to check.
        later.get(bytes.byteOffset)?.(page);
        return page;
      };
    }
    const start = Number(meta.dictionary_page_offset || meta.data_page_offset);
    const end = start + Number(meta.total_compressed_size);
    const check = (chunk: Uint8Array): void => {
      let total = 0;
      // As hyparquet does: a byte at the end is none of a page.
      for (const bytes = new Bytes(chunk); bytes.at < chunk.length - 1; ) {
        const [count, next] = checkNext(bytes, leaf);
        if (next) later.set(next.at, next.check);
        total += count;
      }
      if (leaf.nested && total > Math.max(MOST_NESTED, 8 * chunk.length))
        throw new FormatError(
          `parquet: expected up to ${MOST_NESTED} values of '${meta.path_in_schema.join('.')}' in a row group, or a bit ` +
            `for each, got ${total} in ${chunk.length} bytes; write smaller row groups`,
        );
    };
    return { start, end, check };
  });
  return { chunks, compressors };
}
