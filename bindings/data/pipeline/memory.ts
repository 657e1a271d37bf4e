// Sources over what is in memory, and over whatever JavaScript can iterate. What reads them comes with the first pass.
import { ArgumentError, describe } from '../../memory/errors.ts';
import { Tensor } from '../../tensor.ts';
import type { Dataset } from '../loader.ts';
import { type Column, isColumn, isColumns, lengthOf } from './columns.ts';
import { type Begin, isIterable } from './iterable.ts';
import { stage } from './later.ts';
import type { Source } from './source.ts';

export const isDataset = (x: object): x is Dataset =>
  typeof (x as Dataset).batch === 'function' && Number.isSafeInteger((x as Dataset).length);

const iterated = (begin: Begin): Source<unknown> => stage('from', [], (stages) => stages.iterated(begin));

/** The columns that `x` has now, whatever it gets later. */
function columnar(op: string, x: Column | Readonly<Record<string, Column>>): Source<unknown> {
  const length = lengthOf(op, x);
  const columns = isColumn(x) ? x : new Map(Object.entries(x));
  return stage('from', [], (stages) => stages.inMemory(columns, length), { length, get: true });
}

/** What {@link from} makes a pipeline of. */
export function sourceOf(op: string, x: unknown): Source<unknown> {
  if (typeof x === 'function') return iterated(x as Begin);
  if (typeof x === 'object' && x !== null) {
    const { source = x } = x as { readonly source?: Partial<Source<unknown>> };
    if (typeof (source as Partial<Source<unknown>>)?.open === 'function') return source as Source<unknown>;
    if (isDataset(x)) {
      const { length } = x;
      return stage('dataset', [], (stages) => stages.ofDataset(x, length), { length, get: true });
    }
    if (!(x instanceof Tensor) && (isColumn(x) || isColumns(x))) return columnar(op, x);
    if (isIterable(x) && typeof (x as unknown as Iterator<unknown>).next !== 'function') return iterated(() => x);
  }
  throw new ArgumentError(
    `${op}: expected an array, an object of arrays of one length, a dataset, an iterable, or a function that begins one for each pass, got ${describe(x)}`,
  );
}
