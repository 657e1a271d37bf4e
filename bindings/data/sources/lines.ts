// Files of lines as pipelines: of texts, or of JSON. What reads them, readers/lines.ts, comes with the first pass.
import { isPlain } from '../../kinds.ts';
import { ArgumentError } from '../../memory/errors.ts';
import { callable } from '../../signature.ts';
import { Later, laterSource } from '../pipeline/later.ts';
import { Pipeline } from '../pipeline/pipeline.ts';
import type { Row } from '../pipeline/source.ts';
import { type ByteSource, sourceKind } from './byte-source.ts';
import { type LineReport, nothingYet } from './report.ts';
import { type CsvType, checkCsvTypes, encodingOf } from './types.ts';

/** Options of {@link lines}. */
export interface LinesOptions {
  /** Whether wrong lines are left out and counted in the report, or throw a FormatError. @defaultValue 'report' */
  onError?: 'report' | 'throw';
  /** The most bytes of a line. @defaultValue 4194304 */
  maxRecord?: number;
  /** How text is written, as TextDecoder names it; one in which a line feed is a byte. @defaultValue 'utf-8' */
  encoding?: string;
}

/** Options of {@link jsonLines}. */
export interface JsonLinesOptions extends LinesOptions {
  /**
   * The columns that are taken of objects, and their types, as {@link CsvOptions.types} has it: records are rows of
   * these then, and stay in typed arrays. A key that is not there is a missing value. null: values are as they are.
   * @defaultValue null
   */
  types?: Readonly<Record<string, CsvType>> | null;
}

/** Records out of lines: what {@link lines} and {@link jsonLines} give. */
export interface LinesPipeline<T> extends Pipeline<T> {
  /** What the pass that was begun last has read and left out. */
  report(): LineReport;
}

/** A pipeline of the lines of `source`, or of what they are in JSON. */
function linesOf<T>(
  name: string,
  source: ByteSource,
  types: Readonly<Record<string, CsvType>> | null,
  onError: string,
  maxRecord: number,
  encoding: string,
): LinesPipeline<T> {
  const settings = { onError, maxRecord, encoding: encodingOf(name, encoding), json: name === 'jsonLines', types };
  const own = new Later(
    () => import('../readers/lines.ts'),
    ({ LinesSource }) => new LinesSource<T>(name, source, settings),
  );
  return Object.assign(new Pipeline(laterSource<T>(name, own)), { report: () => own.made?.report ?? nothingYet() });
}

/**
 * The lines of a text, without their ends (LF or CRLF).
 *
 * @param source the path of a file, a URL, a Blob, bytes, a stream; packed by gzip or Zstandard or not
 * @throws FormatError for damage, and for wrong lines where onError is 'throw'; the system's error where it
 * cannot be read
 * @example
 * ```ts
 * for await (const line of data.lines(new TextEncoder().encode('one\ntwo\n'))) console.log(line); // 'one', 'two'
 * ```
 */
export const lines = callable<(source: ByteSource, options?: LinesOptions) => LinesPipeline<string>>(
  "lines(source: source, *, onError: 'report'|'throw' = 'report', maxRecord: int = 4194304, encoding: string = 'utf-8')",
  (source: ByteSource, onError: string, maxRecord: number, encoding: string) =>
    linesOf<string>('lines', source, null, onError, maxRecord, encoding),
  sourceKind,
);

/**
 * The values of a file of JSON lines (NDJSON), one a line: as they are, or as rows of typed columns. Empty lines are
 * left out.
 *
 * @param source the path of a file, a URL, a Blob, bytes, a stream; packed by gzip or Zstandard or not
 * @throws ArgumentError for types that are none; FormatError for damage, and for wrong lines where onError is
 * 'throw'; the system's error where it cannot be read
 * @example
 * ```ts
 * const text = '{"x": 1, "label": "a"}\n{"x": null}\n';
 * const rows = data.jsonLines(new TextEncoder().encode(text), { types: { x: 'f32', label: 'string' } });
 * for await (const row of rows) console.log(row); // { x: 1, label: 'a' }, { x: NaN, label: null }
 * ```
 */
export const jsonLines = callable<<T = Row>(source: ByteSource, options?: JsonLinesOptions) => LinesPipeline<T>>(
  "jsonLines(source: source, *, types: types|null = null, onError: 'report'|'throw' = 'report', maxRecord: int = 4194304, " +
    "encoding: string = 'utf-8')",
  (source: ByteSource, types: Record<string, CsvType> | null, onError: string, maxRecord: number, encoding: string) => {
    checkCsvTypes('jsonLines', types);
    if (types && Object.keys(types).length === 0)
      throw new ArgumentError('jsonLines: expected types of one column or more, got none; leave it out for objects');
    return linesOf('jsonLines', source, types, onError, maxRecord, encoding) as never;
  },
  { ...sourceKind, types: [isPlain, 'an object of types by the names of columns'] },
);
