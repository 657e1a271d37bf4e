// Parquet, by hyparquet: row groups and columns are read by range as they are asked for.
import type { AsyncBuffer, FileMetaData, ParquetScan, SchemaElement, SchemaTree } from 'hyparquet';
import { BackendError, FormatError } from '../../memory/errors.ts';
import { Table } from '../passes/table.ts';
import type { Reader, Row, Source, State } from '../pipeline/source.ts';
import type { ByteSource } from '../sources/byte-source.ts';
import type { ColumnType, Field } from '../sources/types.ts';
import { openRandom, type RandomBytes } from './bytes.ts';
import { pick, reading, toColumn } from './columns.ts';
import type { Chunk } from './parquet-pages.ts';

/** Rows that are handed on at a time. */
const ROWS = 65_536;
/** Values that are decoded at a time, in all columns; row groups of more are read in parts. */
const VALUES = 8_000_000;

/** Dates as milliseconds, without an object each. */
const parsers = {
  timestampFromMilliseconds: Number,
  timestampFromMicroseconds: (micros: bigint) => Number(micros) / 1000,
  timestampFromNanoseconds: (nanos: bigint) => Number(nanos / 1000n) / 1000,
  dateFromDays: (days: number) => days * 86_400_000,
};

const DATES = /^(DATE|TIMESTAMP)/;

/** What numbers of a physical type become, where none can be missing and where some can. */
const NUMBERS: Readonly<Record<string, readonly [ColumnType, ColumnType]>> = {
  BOOLEAN: ['bool', 'bool'],
  INT32: ['i32', 'f64'],
  INT64: ['f64', 'f64'],
  FLOAT: ['f32', 'f32'],
  DOUBLE: ['f64', 'f64'],
};

function typeOf(element: SchemaElement, nullable: boolean): ColumnType {
  const { logical_type, repetition_type } = element;
  const [type, convertedType, meaning] = [element.type, element.converted_type, logical_type?.type].map(String) as [
    string,
    string,
    string,
  ];
  if (repetition_type === 'REPEATED') return 'any';
  if (DATES.test(convertedType) || DATES.test(meaning) || type === 'INT96') return 'date';
  if (convertedType === 'DECIMAL' || meaning === 'DECIMAL') return 'f64';
  if (meaning === 'FLOAT16') return 'f32';
  if (convertedType === 'UINT_32') return 'f64';
  if (['UTF8', 'ENUM'].includes(convertedType) || ['STRING', 'ENUM', 'UUID'].includes(meaning)) return 'string';
  return NUMBERS[type]?.[nullable ? 1 : 0] ?? (type === 'BYTE_ARRAY' && convertedType === meaning ? 'string' : 'any');
}

/**
 * Whether a column has missing values anywhere, by what the file says of its row groups; if it says nothing, it may.
 */
function hasMissing({ row_groups }: FileMetaData, name: string): boolean {
  return row_groups.some(({ columns }) =>
    columns.some(({ meta_data: at }) => at?.path_in_schema[0] === name && at.statistics?.null_count !== 0n),
  );
}

function fieldOf(metadata: FileMetaData, { element, children }: SchemaTree): Field {
  const { name } = element;
  if (children.length > 0) return { name, type: 'any', nullable: element.repetition_type !== 'REQUIRED' };
  const nullable = element.repetition_type !== 'REQUIRED' && hasMissing(metadata, name);
  return { name, type: typeOf(element, nullable), nullable };
}

const missing = (name: string, what: string, cause: unknown): BackendError =>
  new BackendError(`parquet: expected the package ${name}, which ${what}, got none; npm install ${name}`, { cause });

async function hyparquet(): Promise<typeof import('hyparquet')> {
  try {
    return await import('hyparquet');
  } catch (cause) {
    throw missing('hyparquet', 'reads Parquet files', cause);
  }
}

/** What unpacks the pages of a file; hyparquet itself has Snappy only. */
async function compressorsOf({ row_groups }: FileMetaData): Promise<object> {
  const codecs = new Set(row_groups.flatMap(({ columns }) => columns.map((column) => column.meta_data?.codec)));
  const others = [...codecs].filter((codec) => codec && codec !== 'UNCOMPRESSED' && codec !== 'SNAPPY');
  if (others.length === 0) return {};
  try {
    return (await import('hyparquet-compressors')).compressors;
  } catch (cause) {
    throw missing('hyparquet-compressors', `unpacks ${others.join(' and ')}`, cause);
  }
}

async function metadataOf(
  buffer: AsyncBuffer,
  read: typeof import('hyparquet').parquetMetadataAsync,
): Promise<FileMetaData> {
  // The search for places on the earth does not end where a group has fewer than no columns.
  const metadata = await read(buffer, { geoparquet: false });
  const { schema, num_rows, key_value_metadata: pairs } = metadata;
  if (schema.some(({ num_children = 0 }) => num_children < 0) || (schema.length < 2 && num_rows > 0))
    throw new RangeError('a schema of less than no columns');
  return pairs?.some(({ key }) => key === 'geo') ? read(buffer) : metadata;
}

/** A file whose rows can be read. */
interface Opened {
  readonly file: RandomBytes;
  readonly scan: () => Promise<ParquetScan>;
  /** The row groups. */
  readonly ranges: ParquetScan['ranges'];
  /** The columns that are asked for. */
  readonly fields: readonly Field[];
}

/** Rows from … to − 1, which are decoded at once. */
interface Part {
  readonly from: number;
  readonly to: number;
}

/** A Parquet file, of which some columns are wanted; null: all. */
export class ParquetSource implements Source<Row> {
  readonly name = 'parquet';
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
    const { file, fields } = await this.#opened();
    await file.close();
    return fields;
  }

  async #opened(): Promise<Opened> {
    const { parquetMetadataAsync, parquetScan, parquetSchema, snappyUncompress } = await hyparquet();
    const file = await openRandom('parquet', this.#source);
    let chunks: readonly Chunk[] = [];
    const buffer: AsyncBuffer = {
      byteLength: file.size,
      async slice(from, to = file.size) {
        const bytes = await file.read(from < 0 ? file.size + from : from, to);
        for (const { start, end, check } of chunks)
          if (from <= start && end <= to) check(bytes.subarray(start - from, end - from));
        const whole = bytes.byteLength === bytes.buffer.byteLength;
        return (whole ? bytes.buffer : bytes.slice().buffer) as ArrayBuffer;
      },
    };
    try {
      return await reading('parquet', file.name, async () => {
        const metadata = await metadataOf(buffer, parquetMetadataAsync);
        const schema = parquetSchema(metadata);
        const all = schema.children.map((child) => fieldOf(metadata, child));
        const fields = pick('parquet', all, this.#columns, this.#types);
        const SNAPPY = (bytes: Uint8Array, size: number): Uint8Array => {
          const page = new Uint8Array(size);
          snappyUncompress(bytes, page);
          return page;
        };
        const unpackers = { SNAPPY, ...(await compressorsOf(metadata)) };
        const checked = (await import('./parquet-pages.ts')).checkedChunks(metadata, schema, unpackers);
        const [{ compressors }, columns] = [checked, fields.map(({ name }) => name)];
        chunks = checked.chunks;
        // A scan keeps what it decoded last: each part has one of its own. Chunks are read whole, since only then are
        // the pages those that were checked.
        const scan = () =>
          parquetScan({ file: buffer, metadata, columns, compressors, parsers, useOffsetIndex: false });
        return { file, fields, scan, ranges: (await scan()).ranges };
      });
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  async open(_epoch: number, state?: State): Promise<Reader<Row>> {
    return new ParquetReader(await this.#opened(), (state as { row: number } | undefined)?.row ?? 0);
  }
}

class ParquetReader implements Reader<Row> {
  readonly #opened: Opened;
  /** The most rows of a part. */
  readonly #most: number;
  /** What is decoded, from row `from` on. */
  #decoded: { readonly from: number; readonly table: Table } | null = null;
  /** The next row. */
  #row: number;
  #closed = false;

  constructor(opened: Opened, row: number) {
    this.#opened = opened;
    this.#row = row;
    this.#most = Math.max(1, Math.floor(VALUES / ROWS / Math.max(1, opened.fields.length))) * ROWS;
  }

  /** The part that `row` is in. */
  #part(row: number): Part | undefined {
    const range = this.#opened.ranges.find(({ rowStart, rowEnd }) => rowStart <= row && row < rowEnd);
    const from = range && row - ((row - range.rowStart) % this.#most);
    return range && { from: from as number, to: Math.min(range.rowEnd, (from as number) + this.#most) };
  }

  async next(): Promise<Table | null> {
    const row = this.#row;
    const part = this.#closed ? undefined : this.#part(row);
    if (!part) return null;
    if (this.#decoded?.from !== part.from) this.#decoded = { from: part.from, table: await this.#decode(part) };
    const to = Math.min(part.to, row + ROWS);
    this.#row = to;
    const { table } = this.#decoded;
    if (to === part.to) this.#decoded = null;
    return table.length <= ROWS ? table : table.slice(row - part.from, to - part.from);
  }

  async #decode({ from: rowStart, to: rowEnd }: Part): Promise<Table> {
    const { file, scan, fields } = this.#opened;
    return reading('parquet', file.name, async () => {
      const { readColumn } = await scan();
      const columns = fields.map(async ({ name: column, type }) => {
        const where = `parquet: column '${column}' of ${file.name}`;
        const values = await readColumn({ column, rowStart, rowEnd });
        if (values.length !== rowEnd - rowStart)
          throw new FormatError(`${where}: expected ${rowEnd - rowStart} values, got ${values.length}; it is damaged`);
        return [column, toColumn(values, type, where)] as const;
      });
      await Promise.allSettled(columns); // so that none fails unheard
      return new Table(new Map(await Promise.all(columns)), rowEnd - rowStart);
    });
  }

  state(): State {
    return { row: this.#row };
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#decoded = null;
    await this.#opened.file.close();
  }
}
