// Where a pipeline begins.
import { callable } from '../../signature.ts';
import type { Tensor } from '../../tensor.ts';
import type { Dataset } from '../loader.ts';
import type { Column, NdArray, Numbers } from './columns.ts';
import type { AnyIterable } from './iterable.ts';
import { sourceOf } from './memory.ts';
import { Pipeline } from './pipeline.ts';
import type { Source } from './source.ts';

/** The value that a column has for each row. */
export type ValueOf<C> = C extends BigInt64Array | BigUint64Array
  ? bigint
  : C extends Numbers
    ? number
    : C extends NdArray<infer A>
      ? NdArray<A>
      : C extends readonly (infer V)[]
        ? V
        : never;

/** {@link from}. */
export interface From {
  <T>(source: Source<T> | Pipeline<T>): Pipeline<T>;
  <T extends readonly Tensor[]>(dataset: Dataset<T>): Pipeline<(NdArray | number)[]>;
  <C extends BigInt64Array | BigUint64Array>(numbers: C): Pipeline<bigint>;
  (numbers: Numbers): Pipeline<number>;
  <A extends Numbers>(array: NdArray<A>): Pipeline<NdArray<A>>;
  <T>(records: AnyIterable<T> | ((epoch: number) => AnyIterable<T> | Promise<AnyIterable<T>>)): Pipeline<T>;
  <C extends Readonly<Record<string, Column>>>(columns: C): Pipeline<{ -readonly [K in keyof C]: ValueOf<C[K]> }>;
}

/**
 * A pipeline of what JavaScript has: an array of records; a typed array or an {@link NdArray}, whose records are its
 * numbers or rows; an object of such columns, whose records are its rows; a `Dataset` of tensors, whose examples are
 * lists of numbers and NdArrays outside of the arena. All these have random access. An iterable, now or later, that can
 * be iterated anew for each pass, or a function that gives one for the pass of a number: to go on in the middle of such
 * a pass begins it again, and leaves out what was given.
 * @throws ArgumentError for anything else, and for columns of different lengths
 * @example
 * ```ts
 * data.from([1, 2, 3]).map((x) => x * x);
 * data.from({ x: Float32Array.of(0.5, 1), label: ['no', 'yes'] }); // records { x: 0.5, label: 'no' } …
 * data.from(async function* () {
 *   for (let i = 0; i < 10; i++) yield i;
 * });
 * ```
 */
export const from: From = callable(
  'from(source: any)',
  (source: unknown) => new Pipeline(sourceOf('from', source)) as never,
);
