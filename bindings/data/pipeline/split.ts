// Parts of a dataset or a pipeline: exact ones where records can be asked for by number; of a stream each record falls
// into one by its number and a seed.
import { ArgumentError, describe } from '../../memory/errors.ts';
import { unit } from '../../mix.ts';
import { callable, signature } from '../../signature.ts';
import type { Tensor } from '../../tensor.ts';
import type { Dataset } from '../loader.ts';
import { Shuffle } from '../shuffle.ts';
import { stage } from './later.ts';
import { isDataset } from './memory.ts';
import { Pipeline } from './pipeline.ts';
import { drawSeed, Seed } from './random.ts';
import type { Source } from './source.ts';

const subsetTakes = signature('Subset(dataset: object, indices: any)');
const batchTakes = signature('Subset.batch(indices: places)', {
  places: [(x) => x instanceof Int32Array, 'an Int32Array'],
});

/** @throws ArgumentError unless they are numbers of `length` records */
function checked(op: string, indices: unknown, length: number): Int32Array {
  const list = indices as ArrayLike<number>;
  if (!(Array.isArray(indices) || ArrayBuffer.isView(indices)))
    throw new ArgumentError(`${op}: expected a list of numbers as indices, got ${describe(indices)}`);
  for (let i = 0; i < list.length; i++)
    if (!(Number.isInteger(list[i]) && (list[i] as number) >= 0 && (list[i] as number) < length))
      throw new ArgumentError(`${op}: expected indices from 0 to ${length - 1}, got ${describe(list[i])}`);
  return Int32Array.from(list);
}

/** Some examples of a dataset (PyTorch's `Subset`). */
export class Subset<B extends readonly Tensor[] = readonly Tensor[]> implements Dataset<B> {
  /** What it is a part of. */
  readonly dataset: Dataset<B>;
  /** The numbers of its examples in that. */
  readonly indices: Int32Array;

  /** @throws ArgumentError for numbers that the dataset has not */
  constructor(...args: [dataset: Dataset<B>, indices: ArrayLike<number>]) {
    const [dataset, indices] = subsetTakes.parse(args) as typeof args;
    if (!isDataset(dataset))
      throw new ArgumentError(
        `Subset: expected a dataset, which has length and batch(indices), got ${describe(dataset)}`,
      );
    this.dataset = dataset;
    this.indices = checked('Subset', indices, dataset.length);
  }

  /** Number of examples. */
  get length(): number {
    return this.indices.length;
  }

  /** The examples at `indices`, which count its own. */
  batch(...args: [indices: Int32Array]): B {
    const [own] = batchTakes.parse(args) as typeof args;
    const places = checked('batch', own, this.length);
    return this.dataset.batch(places.map((i) => this.indices[i] as number));
  }
}

/** The records of a source at `indices`, in that order. */
function subset<T>(input: Source<T>, indices: Int32Array): Source<T> {
  const seed = new Seed('subset', 0);
  return stage('subset', [input], (stages) => stages.subset(input, indices, seed), {
    ...{ length: indices.length, seed, get: true },
  });
}

/** Something that has parts. */
type Whole = Pipeline<unknown> | Dataset;

/** The part of `whole` whose records are at `indices`. */
const partOf = (whole: Whole, indices: Int32Array): Whole =>
  whole instanceof Pipeline ? new Pipeline(subset(whole.source, indices)) : new Subset(whole, indices);

/** The part of a stream that `has` says of a number. */
const streamOf = (whole: Pipeline<unknown>, has: (index: number) => boolean): Whole =>
  new Pipeline(
    stage('part', [whole.source], (stages) =>
      stages.sieved(whole.source, ({ length }, index) => Array.from({ length }, (_, i) => has(index + i))),
    ),
  );

/** Number of records of what has random access; null of a stream. @throws ArgumentError for what is neither */
function countOf(op: string, whole: unknown): number | null {
  if (whole instanceof Pipeline) return whole.source.get ? (whole.length ?? null) : null;
  if (isDataset(whole as object)) return (whole as Dataset).length;
  throw new ArgumentError(
    `${op}: expected a pipeline, or a dataset that has length and batch(indices), got ${describe(whole)}`,
  );
}

/** Counts of whole records: of fractions what is left goes one by one to the first ones, as in PyTorch. */
function countsOf(lengths: readonly number[], total: number): number[] {
  const whole = lengths.every(Number.isInteger) && !isOne(lengths);
  const counts = whole ? [...lengths] : lengths.map((part) => Math.floor(part * total));
  const sum = counts.reduce((a, b) => a + b, 0);
  if (!whole) for (let i = 0; i < total - sum; i++) (counts[i % counts.length] as number)++;
  if (whole && sum !== total)
    throw new ArgumentError(`randomSplit: expected lengths whose sum is ${total}, got ${sum}; fractions of 1 fit any`);
  return counts;
}

const isOne = (parts: readonly number[]): boolean => Math.abs(parts.reduce((a, b) => a + b, 0) - 1) < 1e-9;

/** Options of {@link randomSplit}. */
export interface SplitOptions {
  /** Seed of the parts; null: one from the default generator. @defaultValue null */
  seed?: number | null;
}

/** {@link randomSplit}. */
export interface RandomSplit {
  <T, const L extends readonly number[]>(
    whole: Pipeline<T>,
    lengths: L,
    options?: SplitOptions,
  ): { -readonly [K in keyof L]: Pipeline<T> };
  <B extends readonly Tensor[], const L extends readonly number[]>(
    whole: Dataset<B>,
    lengths: L,
    options?: SplitOptions,
  ): { -readonly [K in keyof L]: Subset<B> };
}

/**
 * Parts of random records, which are the same in each pass: numbers of records, or fractions whose sum is 1. A stream
 * takes fractions only, and its parts are about as long as they say.
 * @throws ArgumentError for lengths that do not make up the whole
 */
export const randomSplit = callable<RandomSplit>(
  'randomSplit(dataset: object, lengths: number[], -generator: null = null, *, seed: int|null = null)',
  (whole: Whole, lengths: readonly number[], _generator: null, given: number | null) => {
    const total = countOf('randomSplit', whole);
    if (lengths.length === 0 || lengths.some((part) => !(part >= 0)))
      throw new ArgumentError(`randomSplit: expected lengths >= 0, got ${describe(lengths)}`);
    const seed = given ?? drawSeed('randomSplit');
    const ends = (parts: readonly number[]): number[] =>
      parts.map((_, i) => parts.slice(0, i + 1).reduce((a, b) => a + b, 0));
    if (total !== null) {
      const counts = countsOf(lengths, total);
      const order = new Shuffle(seed, 0).order(total);
      return ends(counts).map((end, i) => partOf(whole, order.slice(end - (counts[i] as number), end))) as never;
    }
    if (!isOne(lengths))
      throw new ArgumentError(`randomSplit: expected fractions of a stream whose sum is 1, got ${describe(lengths)}`);
    return ends(lengths).map((end, i) => {
      const start = end - (lengths[i] as number);
      const last = i === lengths.length - 1;
      return streamOf(whole as Pipeline<unknown>, (index) => {
        const at = unit(seed, index);
        return at >= start && (last || at < end);
      });
    }) as never;
  },
);

/** Options of {@link kFold}. */
export interface FoldOptions extends SplitOptions {
  /**
   * Whether folds are of random records; else of records that follow each other, or of every k-th of a stream.
   * @defaultValue false
   */
  shuffle?: boolean;
}

/** {@link kFold}. */
export interface KFold {
  <T>(whole: Pipeline<T>, k?: number, options?: FoldOptions): [train: Pipeline<T>, test: Pipeline<T>][];
  <B extends readonly Tensor[]>(
    whole: Dataset<B>,
    k?: number,
    options?: FoldOptions,
  ): [train: Subset<B>, test: Subset<B>][];
}

/**
 * `k` pairs of what to train on and what to test with: each record is in the test of one pair (scikit-learn's `KFold`).
 * @throws ArgumentError unless 2 ≤ k ≤ number of records
 */
export const kFold = callable<KFold>(
  'kFold(dataset: object, k: int = 5, shuffle: bool = false, *, seed: int|null = null)',
  (whole: Whole, k: number, shuffled: boolean, given: number | null) => {
    const total = countOf('kFold', whole);
    if (k < 2 || k > (total ?? k))
      throw new ArgumentError(`kFold: expected k from 2 to ${total ?? 'any number'}, got ${k}`);
    const seed = given ?? (shuffled ? drawSeed('kFold') : 0);
    const folds = Array.from({ length: k }, (_, fold) => fold);
    if (total === null) {
      const foldOf = shuffled ? (i: number) => Math.floor(unit(seed, i) * k) : (i: number) => i % k;
      const stream = whole as Pipeline<unknown>;
      return folds.map((fold) => [
        streamOf(stream, (i) => foldOf(i) !== fold),
        streamOf(stream, (i) => foldOf(i) === fold),
      ]) as never;
    }
    const order = shuffled ? new Shuffle(seed, 0).order(total) : Int32Array.from({ length: total }, (_, i) => i);
    // The first ones are one longer where k does not divide the whole.
    const start = (fold: number): number => fold * Math.floor(total / k) + Math.min(fold, total % k);
    return folds.map((fold) => {
      const [from, to] = [start(fold), start(fold + 1)];
      const test = order.slice(from, to).sort();
      const train = order.filter((_, place) => place < from || place >= to).sort();
      return [partOf(whole, train), partOf(whole, test)];
    }) as never;
  },
);
