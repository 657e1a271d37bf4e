// Looks at the records of a source, and tells of them as text, and as a page.
import { isPlain } from '../../kinds.ts';
import { ArgumentError, describe as inWords } from '../../memory/errors.ts';
import { short } from '../../page/html.ts';
import { Cursor } from '../passes/cursor.ts';
import { Table } from '../passes/table.ts';
import { type Column, countOf, isNdArray, isNumbers, type NdArray, valueAt } from '../pipeline/columns.ts';
import { Pipeline } from '../pipeline/pipeline.ts';
import { Counts, Moments, Sample } from '../prepare/statistics.ts';
import { numbersOf } from '../prepare/values.ts';
import { page } from './page.ts';
import type { ColumnSummary, Description, Found, NumberSummary } from './summary.ts';

const EXAMPLES = 4;
const FREQUENT = 8;
const BINS = 20;
/** Different numbers that are told apart. */
const FEW = 1000;

/** Looks at one column. */
class Look {
  readonly #types = new Set<string>();
  readonly #counts = new Counts();
  /** Of numbers: most are not many that are alike. */
  readonly #few = new Counts(FEW);
  readonly #moments = new Moments();
  readonly #sample = new Sample();
  readonly #examples: unknown[] = [];
  /** Numbers that are missing, of those that nobody told apart any more. */
  #unseen = 0;

  add(column: Column): void {
    const examples = Math.min(countOf(column), EXAMPLES - this.#examples.length);
    for (let i = 0; i < examples; i++) this.#examples.push(valueAt(column, i));
    if (isNdArray(column)) this.#array({ data: column.data, shape: column.shape.slice(1) });
    else if (isNumbers(column)) this.#numbers('number', column);
    else this.#values(column as readonly unknown[]);
  }

  #numbers(type: string, values: ArrayLike<unknown>): void {
    const numbers = numbersOf(values);
    this.#types.add(type);
    this.#moments.add(numbers);
    this.#sample.add(numbers);
    if (this.#few.full) this.#unseen += numbers.reduce((sum, x) => sum + Number(Number.isNaN(x)), 0);
    else this.#few.add(numbers);
  }

  #array({ data, shape }: NdArray): void {
    const numbers = numbersOf(data);
    this.#types.add(`array [${shape.join(', ')}]`);
    this.#moments.add(numbers);
    this.#sample.add(numbers);
  }

  #values(values: readonly unknown[]): void {
    const numbers: number[] = [];
    const others: unknown[] = [];
    for (const value of values)
      if (typeof value === 'number') numbers.push(value);
      else if (isNdArray(value)) this.#array(value);
      else if (isNumbers(value)) this.#array({ data: value, shape: [value.length] });
      else {
        others.push(value);
        if (value !== null && value !== undefined) this.#types.add(Array.isArray(value) ? 'list' : typeof value);
      }
    if (numbers.length > 0) this.#numbers('number', numbers);
    this.#counts.add(others);
  }

  summary(name: string): ColumnSummary {
    const all = this.#few.full ? [] : this.#few.sorted();
    const sorted = [...this.#counts.sorted(), ...all].sort(([, a], [, b]) => b - a);
    const missing = this.#counts.missing + this.#few.missing + this.#unseen;
    return {
      ...{ name, type: [...this.#types].sort().join(' | ') || 'nothing', missing },
      distinct: sorted.length > 0 && !this.#few.full ? sorted.length : null,
      frequent: sorted.slice(0, FREQUENT),
      numbers: this.#moments.count > 0 ? this.#summaryOfNumbers() : null,
      examples: this.#examples,
    };
  }

  #summaryOfNumbers(): NumberSummary {
    const { min, max, mean, std } = this.#moments;
    const [, q1 = min, q2 = mean, q3 = max] = this.#sample.quantiles(5);
    return { min, max, mean, std, quartiles: [q1, q2, q3], histogram: this.#sample.histogram(min, max, BINS) };
  }
}

/** Looks at `limit` records of a pipeline at most. @throws ArgumentError for what is none, and unless limit ≥ 1 */
export async function look(pipeline: Pipeline<unknown>, limit: number): Promise<Description> {
  if (!(pipeline instanceof Pipeline))
    throw new ArgumentError(`describe: expected a pipeline, got ${inWords(pipeline)}; make one with data.from()`);
  if (!(limit >= 1)) throw new ArgumentError(`describe: expected limit >= 1, got ${limit}`);
  const looks = new Map<string, Look>();
  const add = (name: string, column: Column): void => {
    const own = looks.get(name) ?? new Look();
    looks.set(name, own);
    own.add(column);
  };
  const cursor = await Cursor.open(pipeline.source, 0);
  let rows = 0;
  let whole = false;
  try {
    while (rows < limit) {
      const chunk = await cursor.look(1, limit - rows);
      whole = !chunk;
      if (!chunk) break;
      if (chunk instanceof Table) for (const [name, column] of chunk.columns) add(name, column);
      else for (const [name, values] of byName(chunk)) add(name, values);
      rows += chunk.length;
      cursor.drop(chunk.length);
    }
  } finally {
    await cursor.close();
  }
  const columns = [...looks].map(([name, own]) => own.summary(name));
  const found = { rows, whole, columns };
  return { ...found, toString: () => asText(found), toHtml: () => page(found) };
}

/** The values of records by the names that these have for them. */
function byName(chunk: { readonly length: number; at(i: number): unknown }): Map<string, unknown[]> {
  const columns = new Map<string, unknown[]>();
  for (let i = 0; i < chunk.length; i++) {
    const record = chunk.at(i);
    const entries =
      isPlain(record) && !isNdArray(record)
        ? Object.entries(record)
        : Array.isArray(record)
          ? record.entries()
          : [['', record]];
    for (const [key, value] of entries as Iterable<[unknown, unknown]>) {
      const name = String(key);
      const values = columns.get(name) ?? [];
      columns.set(name, values);
      values.push(value);
    }
  }
  return columns;
}

/** A table for a terminal. */
function asText({ rows, whole, columns }: Found): string {
  const lines = columns.map(({ name, type, missing, distinct, numbers, frequent }) => [
    name,
    type,
    String(missing),
    distinct === null ? '' : String(distinct),
    numbers
      ? `${short(numbers.min)} … ${short(numbers.max)}, mean ${short(numbers.mean)}, std ${short(numbers.std)}`
      : frequent
          .slice(0, 3)
          .map(([value, count]) => `${value.slice(0, 20)} (${count})`)
          .join(', '),
  ]);
  const table = [['column', 'type', 'missing', 'distinct', 'values'], ...lines];
  const widths = (table[0] as string[]).map((_, i) => Math.max(...table.map((line) => (line[i] as string).length)));
  const text = table.map((line) =>
    line
      .map((cell, i) => cell.padEnd(widths[i] as number))
      .join('  ')
      .trimEnd(),
  );
  return [`${rows} records${whole ? '' : ', and more'}`, ...text].join('\n');
}
