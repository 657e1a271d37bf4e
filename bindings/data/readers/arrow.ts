// Arrow IPC files (Feather) and streams, by flechette: record batch by record batch, each read when it is asked for.
import type { Field as ArrowField, Table as ArrowTable, DataType } from '@uwdata/flechette';
import { BackendError, FormatError } from '../../memory/errors.ts';
import { Table } from '../passes/table.ts';
import type { Reader, Row, Source, State } from '../pipeline/source.ts';
import type { ByteSource } from '../sources/byte-source.ts';
import type { ColumnType, Field } from '../sources/types.ts';
import type { checkCosts } from './arrow-costs.ts';
import { openRandom, type RandomBytes } from './bytes.ts';
import { pick, reading, toColumn } from './columns.ts';
import { DICTIONARY, messageOf, RECORDS, SCHEMA } from './flatbuffer.ts';
import { unpackLz4 } from './lz4.ts';

type Flechette = typeof import('@uwdata/flechette');

/** What a file begins with; a stream begins with its first message. */
const MAGIC = 'ARROW1';
/** Bytes that hold the head of most messages, whose length nobody knows before. */
const HEAD = 4096;

const missing = (name: string, what: string, cause: unknown): BackendError =>
  new BackendError(`arrow: expected the package ${name}, which ${what}, got none; npm install ${name}`, { cause });

async function flechette(): Promise<Flechette> {
  try {
    return await import('@uwdata/flechette');
  } catch (cause) {
    throw missing('@uwdata/flechette', 'reads Arrow files', cause);
  }
}

/** Has flechette unpack what Arrow packs by LZ4 or Zstandard. */
async function addCodecs({ CompressionType, setCompressionCodec }: Flechette): Promise<void> {
  const encode = (): never => {
    throw new FormatError('arrow: expected to read, got asked to write');
  };
  setCompressionCodec(CompressionType.LZ4_FRAME, { encode, decode: unpackLz4 });
  let zstd: (bytes: Uint8Array) => Uint8Array;
  try {
    const { decompress } = await import('fzstd');
    zstd = (bytes) => {
      const size = unpackedSize(bytes);
      const unpacked = decompress(bytes);
      if (unpacked.length !== size) throw new RangeError(`bytes that unpack to ${size}, not ${unpacked.length}`);
      return unpacked.slice(); // to begin where every type of numbers may
    };
  } catch (cause) {
    // Only now, since most files are not packed so.
    zstd = () => {
      throw missing('fzstd', 'unpacks Zstandard', cause);
    };
  }
  setCompressionCodec(CompressionType.ZSTD, { encode, decode: zstd });
}

/**
 * How many bytes packed ones become, which Arrow has in front of them.
 * @throws RangeError where they never do, and where Zstandard's window is larger than its own program has it: 128 MiB
 */
function unpackedSize(bytes: Uint8Array): number {
  const size = Number(new DataView(bytes.buffer, bytes.byteOffset - 8, 8).getBigInt64(0, true));
  const window = ((bytes[4] as number) & 32) > 0 ? 0 : (bytes[5] as number) >> 3;
  if (!(size >= 0 && size <= 2 ** 26 + 255 * bytes.length && window <= 17))
    throw new RangeError(`${bytes.length} bytes that unpack to ${size}`);
  return size;
}

/**
 * The table of messages. flechette makes the values of dictionaries as it reads them, so that these are counted first.
 */
function tableOf({ Column, tableFromIPC }: Flechette, messages: Uint8Array[], check: typeof checkCosts): ArrowTable {
  const { cache } = Column.prototype;
  Column.prototype.cache = function () {
    check([this]);
    return cache.call(this);
  };
  try {
    // Dates as milliseconds, and whole numbers of 64 bits as bigint, whose values toColumn() looks at.
    return tableFromIPC(messages, { useBigInt: true, useDate: false });
  } finally {
    Column.prototype.cache = cache;
  }
}

/** A message of a stream: what it holds, its bytes, and where the next begins. */
interface Message {
  readonly type: number;
  readonly bytes: Uint8Array;
  readonly end: number;
}

/** The message at byte `at`; null at the end. @throws FormatError */
async function readMessage(file: RandomBytes, at: number): Promise<Message | null> {
  const head = await file.read(at, Math.min(file.size, at + HEAD));
  if (head.length < 8) return null;
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  // Before version 0.15 the length came first, without four bytes of 0xff.
  const prefix = view.getInt32(0, true) === -1 ? 8 : 4;
  const length = view.getInt32(prefix - 4, true);
  if (length === 0) return null;
  if (length < 16 || at + prefix + length > file.size) throw damaged(file, at);
  const metadata = await file.read(at + prefix, at + prefix + length);
  const header = messageOf(metadata);
  if (!header) throw damaged(file, at);
  const { type, body } = header;
  const end = at + prefix + length + body;
  if (end > file.size) throw damaged(file, at);
  const bytes = await file.read(at, end);
  // Its arrays become views, which have to begin at multiples of their elements.
  return { type, bytes: bytes.byteOffset % 8 === 0 ? bytes : bytes.slice(), end };
}

const damaged = (file: RandomBytes, at: number): FormatError =>
  new FormatError(
    `arrow: expected a message of Arrow IPC at byte ${at} of ${file.name}, got other bytes; it is damaged`,
  );

/** What numbers of an Arrow type become, where none can be missing and where some can. */
function numberOf(type: DataType): readonly [ColumnType, ColumnType] | undefined {
  const {
    bitWidth = 0,
    signed = false,
    precision = 0,
  } = type as { bitWidth?: number; signed?: boolean; precision?: number };
  const TYPES: Readonly<Record<number, readonly [ColumnType, ColumnType]>> = {
    2:
      bitWidth === 8 && !signed
        ? ['u8', 'f32']
        : bitWidth < 32
          ? ['i32', 'f32']
          : bitWidth < 64 && signed
            ? ['i32', 'f64']
            : ['f64', 'f64'],
    3: precision < 2 ? ['f32', 'f32'] : ['f64', 'f64'],
    6: ['bool', 'bool'],
    7: ['f64', 'f64'],
    8: ['date', 'date'],
    10: ['date', 'date'],
  };
  return TYPES[type.typeId];
}

/** The types of texts: Utf8, LargeUtf8, Utf8View. */
const TEXTS = new Set([5, 20, 24]);

function fieldOf({ name, type, nullable }: ArrowField): Field {
  const values = (type as { dictionary?: DataType }).dictionary ?? type;
  const number = numberOf(values);
  return { name, nullable, type: number?.[nullable ? 1 : 0] ?? (TEXTS.has(values.typeId) ? 'string' : 'any') };
}

/** Where a pass stands: the next message, and those of dictionaries before it. */
interface ArrowState {
  readonly at: number;
  readonly dictionaries: readonly number[];
}

/** An Arrow file or stream, of which some columns are wanted; null: all. */
export class ArrowSource implements Source<Row> {
  readonly name = 'arrow';
  readonly inputs: readonly [] = [];
  readonly #source: ByteSource;
  readonly #columns: readonly string[] | null;
  readonly #types: Readonly<Record<string, ColumnType>>;

  constructor(source: ByteSource, columns: readonly string[] | null, types: Readonly<Record<string, ColumnType>>) {
    this.#source = source;
    this.#columns = columns;
    this.#types = types;
  }

  /** The columns that are read. */
  async schema(): Promise<readonly Field[]> {
    const reader = await this.open(0);
    await reader.close();
    return reader.fields;
  }

  async open(_epoch: number, state?: State): Promise<ArrowReader> {
    const [library, { checkCosts }] = [await flechette(), await import('./arrow-costs.ts')];
    await addCodecs(library);
    const file = await openRandom('arrow', this.#source);
    try {
      return await reading('arrow', file.name, async () => {
        const start = new TextDecoder().decode(await file.read(0, Math.min(file.size, 6))) === MAGIC ? 8 : 0;
        const schema = await readMessage(file, start);
        if (schema?.type !== SCHEMA) throw damaged(file, start);
        const { fields = [] } = library.tableFromIPC([schema.bytes]).schema;
        const wanted = pick('arrow', fields.map(fieldOf), this.#columns, this.#types);
        const { at, dictionaries } = (state as ArrowState | undefined) ?? { at: schema.end, dictionaries: [] };
        const reader = new ArrowReader(library, checkCosts, file, wanted, schema.bytes, at);
        for (const place of dictionaries) await reader.addDictionary(place);
        return reader;
      });
    } catch (error) {
      await file.close();
      throw error;
    }
  }
}

class ArrowReader implements Reader<Row> {
  readonly fields: readonly Field[];
  readonly #library: Flechette;
  readonly #check: typeof checkCosts;
  readonly #file: RandomBytes;
  /** The messages that every batch needs: the schema, then dictionaries. */
  readonly #before: Uint8Array[];
  readonly #dictionaries: number[] = [];
  #at: number;
  #closed = false;

  constructor(
    library: Flechette,
    check: typeof checkCosts,
    file: RandomBytes,
    fields: readonly Field[],
    schema: Uint8Array,
    at: number,
  ) {
    this.#library = library;
    this.#check = check;
    this.#file = file;
    this.fields = fields;
    this.#before = [schema];
    this.#at = at;
  }

  /** Reads the dictionary at byte `at`. */
  async addDictionary(at: number): Promise<void> {
    const message = await readMessage(this.#file, at);
    if (message?.type !== DICTIONARY) throw damaged(this.#file, at);
    this.#dictionaries.push(at);
    this.#before.push(message.bytes);
  }

  next(): Promise<Table | null> {
    return reading('arrow', this.#file.name, async () => {
      while (!this.#closed) {
        const at = this.#at;
        const message = await readMessage(this.#file, at);
        if (!message) return null;
        if (message.type === DICTIONARY) await this.addDictionary(at);
        this.#at = message.end;
        if (message.type !== RECORDS) continue;
        const table = this.#decode(message.bytes);
        if (table.length > 0) return table;
      }
      return null;
    });
  }

  #decode(bytes: Uint8Array): Table {
    const table = tableOf(this.#library, [...this.#before, bytes], this.#check);
    this.#check(this.fields.map(({ name }) => table.getChild(name)));
    const columns = this.fields.map(({ name, type }) => {
      const values = table.getChild(name).toArray() as ArrayLike<unknown>;
      if (values.length < table.numRows) throw damaged(this.#file, this.#at);
      return [name, toColumn(values, type, `arrow: column '${name}' of ${this.#file.name}`)] as const;
    });
    return new Table(new Map(columns), table.numRows);
  }

  state(): ArrowState {
    return { at: this.#at, dictionaries: [...this.#dictionaries] };
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#file.close();
  }
}
