// Files of rows whose columns have names and types of their own. What reads them, readers/parquet.ts and
// readers/arrow.ts, comes with the first pass.
import { ArgumentError, describe } from '../../memory/errors.ts';
import { signature } from '../../signature.ts';
import { type Coming, Later, laterSource } from '../pipeline/later.ts';
import { Pipeline } from '../pipeline/pipeline.ts';
import type { Row, Source } from '../pipeline/source.ts';
import { type ByteSource, sourceKind } from './byte-source.ts';
import { COLUMN_TYPES, type ColumnType, type Field } from './types.ts';

/** Options of {@link parquet} and {@link arrow}. */
export interface TableOptions {
  /** Names of the columns that are read; others cost nothing. null: all. @defaultValue null */
  columns?: readonly string[] | null;
  /** What columns become, by their names; those that are not named become what the file says. @defaultValue null */
  types?: Readonly<Record<string, ColumnType>> | null;
}

interface FieldSource extends Source<Row> {
  schema(): Promise<readonly Field[]>;
}

const toSchema = signature('TableFile.schema()');

/** The rows of a file, in columns. */
export class TableFile extends Pipeline<Row> {
  readonly #file: Coming<FieldSource>;

  /** @internal */
  constructor(name: string, file: Coming<FieldSource>) {
    super(laterSource<Row>(name, file));
    this.#file = file;
  }

  /** The columns that are read, with their types. @throws what a pass throws that cannot begin */
  async schema(...args: []): Promise<readonly Field[]> {
    toSchema.parse(args);
    return (await this.#file.get()).schema();
  }
}

type Values = [source: ByteSource, columns: readonly string[] | null, types: (TableOptions['types'] & object) | null];

/** @throws ArgumentError unless all are types of columns */
function checkTypes(op: string, types: Readonly<Record<string, ColumnType>>): void {
  for (const [name, type] of Object.entries(types))
    if (!COLUMN_TYPES.includes(type))
      throw new ArgumentError(
        `${op}: expected types of ${COLUMN_TYPES.join(', ')}, got ${describe(type)} for column '${name}'`,
      );
}

const toParquet = signature(
  'parquet(source: source, *, columns: string[]|null = null, types: object|null = null)',
  sourceKind,
);
const toArrow = signature(
  'arrow(source: source, *, columns: string[]|null = null, types: object|null = null)',
  sourceKind,
);

/**
 * The rows of a Parquet file, by the package `hyparquet`, and `hyparquet-compressors` for what is packed by anything
 * but Snappy. Row groups and columns are read by ranges, of a URL too, and one row group is in memory at a time.
 *
 * Numbers become typed arrays: whole numbers of 64 bits f64, which has all up to 2 ** 53, unless `types` says i64;
 * dates and times milliseconds since 1970; text strings; lists and structs arrays and objects.
 * ```ts
 * const flights = data.parquet('flights.parquet', { columns: ['delay', 'distance'] });
 * console.log(await flights.schema());
 * for await (const { delay, distance } of flights.batch(1024)) console.log(delay, distance);
 * ```
 * @throws ArgumentError; while it is read, also FormatError for what is no such file or damaged, BackendError where a
 * package is missing, and the system's errors
 */
export function parquet(...args: [source: ByteSource, options?: TableOptions]): TableFile {
  const [source, columns, types] = toParquet.parse(args) as Values;
  const own = { ...types };
  checkTypes('parquet', own);
  const file = new Later(
    () => import('../readers/parquet.ts'),
    ({ ParquetSource }) => new ParquetSource(source, columns, own),
  );
  return new TableFile('parquet', file);
}

/**
 * The rows of an Arrow IPC file or stream, or a Feather file (version 2), by the package `@uwdata/flechette`, and
 * `fzstd` for what is packed by Zstandard. One record batch is in memory at a time. Types are as {@link parquet} has
 * them.
 * @throws as {@link parquet} does
 */
export function arrow(...args: [source: ByteSource, options?: TableOptions]): TableFile {
  const [source, columns, types] = toArrow.parse(args) as Values;
  const own = { ...types };
  checkTypes('arrow', own);
  const file = new Later(
    () => import('../readers/arrow.ts'),
    ({ ArrowSource }) => new ArrowSource(source, columns, own),
  );
  return new TableFile('arrow', file);
}
