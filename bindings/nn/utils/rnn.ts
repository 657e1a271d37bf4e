// Sequences of different lengths (PyTorch's torch.nn.utils.rnn): padded to one length, or packed without padding. What
// goes where is a list of rows, computed by ops from the lengths; rows are moved by it, and gradients come back by it.
import { ops } from '../../autograd.ts';
import { arange, full, tensor } from '../../creation.ts';
import { runtime } from '../../engine/engine.ts';
import { cat, contiguous, reshape, slice, transpose, unbind } from '../../functional/shape.ts';
import { ArgumentError, formatShape, ShapeError } from '../../memory/errors.ts';
import { type Callable, callable } from '../../signature.ts';
import { sameShape } from '../../sizes.ts';
import { Tensor } from '../../tensor.ts';
import { type PackedSequence, sequenceKinds } from './packed.ts';

// biome-ignore lint/performance/noBarrelFile: layers need what it is alone, users find it beside what makes it
export { PackedSequence, type PackedSequenceClass } from './packed.ts';

/** Integers beside x, which live as long as what is computed of x. */
function integersBeside(x: Tensor, values: readonly number[], shape: readonly number[]): Tensor {
  const made = tensor(values, { dtype: 'i32', shape });
  runtime().arena.join(made.block, x.block);
  return made;
}

/** 0 … n − 1, in `shape`. */
function countingBeside(x: Tensor, n: number, shape: readonly number[]): Tensor {
  const made = arange(n, { dtype: 'i32' });
  runtime().arena.join(made.block, x.block);
  return reshape(made, shape);
}

/** Rows of x, with all dims behind the first kept. */
const rowsAt = (x: Tensor, index: Tensor): Tensor => ops.indexSelect({ x, index }, { dim: 0 });
/** Columns of a table of integers. */
const columnsAt = (x: Tensor, places: readonly number[]): Tensor =>
  ops.indexSelect({ x, index: integersBeside(x, places, [places.length]) }, { dim: 1 });
const flat = (x: Tensor): Tensor => reshape(x, [x.size]);

/**
 * Lays rows of `data` out by lists: list i has the counts[i] rows behind one another from starts[i] on, and `value`
 * in the places up to `width`. @returns [lists, width, ...]
 */
function spread(
  data: Tensor,
  starts: readonly number[],
  counts: readonly number[],
  width: number,
  value: number,
  left: boolean,
  order: (index: Tensor) => Tensor = (index) => index,
): Tensor {
  const [lists, rest] = [counts.length, data.sizes.slice(1)];
  const column = [lists, 1];
  const place = countingBeside(data, width, [1, width]);
  // Where the rows of each list begin: list i has its row j at place j + gap[i].
  const gaps = counts.map((count) => (left ? width - count : 0));
  const from = integersBeside(data, gaps, column);
  const to = integersBeside(data, left ? counts.map(() => width) : counts, column);
  const inside = ops.logicalAnd({ a: ops.ge({ a: place, b: from }), b: ops.lt({ a: place, b: to }) });
  const shifts = integersBeside(
    data,
    starts.map((start, i) => start - (gaps[i] as number)),
    column,
  );
  const none = integersBeside(data, [data.sizes[0] as number], []);
  const index = ops.where({ condition: inside, a: ops.add({ a: place, b: shifts }), b: none });
  const padding = full([1, ...rest], value, { dtype: data.dtype });
  runtime().arena.join(padding.block, data.block);
  const ordered = order(index);
  return reshape(rowsAt(cat([data, padding]), flat(contiguous(ordered))), [...ordered.sizes, ...rest]);
}

/** Where each of 0 … n − 1 stands in `order`. */
function inverseOf(order: readonly number[]): number[] {
  const places = new Array<number>(order.length);
  for (const [place, i] of order.entries()) places[i] = place;
  return places;
}

/** The sums of what stands before each. */
const before = (counts: readonly number[]): number[] => {
  let sum = 0;
  return counts.map((count) => {
    sum += count;
    return sum - count;
  });
};

/** Options of functions of sequences. */
export interface BatchFirstOptions {
  /** Whether the padded tensor is [n, time, ...], not [time, n, ...]. @defaultValue false */
  batchFirst?: boolean;
}
/** Options of {@link packSequence}. */
export interface PackOptions {
  /** Whether longer sequences must stand before shorter ones; else they are sorted. @defaultValue true */
  enforceSorted?: boolean;
}
/** Options of {@link packPaddedSequence}. */
export interface PackPaddedOptions extends BatchFirstOptions, PackOptions {}

/** Lengths as numbers. */
const lengthsOf = (lengths: readonly number[] | Tensor): readonly number[] =>
  lengths instanceof Tensor ? Array.from(lengths.data) : lengths;

/** How many of `lengths`, the longest first, reach each place. */
function batchSizesOf(lengths: readonly number[]): number[] {
  const batchSizes: number[] = [];
  let rows = lengths.length;
  for (let t = 0; t < (lengths[0] as number); t++) {
    while ((lengths[rows - 1] as number) <= t) rows--;
    batchSizes.push(rows);
  }
  return batchSizes;
}

/** @throws ArgumentError, ShapeError unless these are the lengths of n sequences of at most `time` elements */
function checkLengths(op: string, lengths: readonly number[], n: number, time: number, enforceSorted: boolean): void {
  if (lengths.length !== n)
    throw new ShapeError(`${op}: expected a length for each of ${n} sequences, got ${lengths.length}`);
  for (const [i, length] of lengths.entries()) {
    if (!(Number.isSafeInteger(length) && length >= 1 && length <= time))
      throw new ArgumentError(`${op}: expected lengths from 1 to ${time}, got ${length}`);
    if (enforceSorted && i > 0 && length > (lengths[i - 1] as number))
      throw new ArgumentError(
        `${op}: expected lengths that do not grow, got ${length} behind ${lengths[i - 1]}; pass { enforceSorted: false }`,
      );
  }
}

/**
 * Sequences that are padded to one length, without their padding (PyTorch's `pack_padded_sequence`).
 * @param x [time, n, ...], or [n, time, ...] with `batchFirst`
 * @param lengths of the n sequences, each at least 1. A tensor of them is read, which cannot be a part of compile()
 * @throws ArgumentError, ShapeError
 */
export const packPaddedSequence = callable<
  Callable<
    [x: Tensor, lengths: readonly number[] | Tensor],
    [batchFirst: boolean, enforceSorted: boolean],
    PackPaddedOptions,
    PackedSequence,
    ['x', 'lengths']
  >
>(
  'packPaddedSequence(x: Tensor, lengths: int[]|Tensor, batchFirst: bool = false, enforceSorted: bool = true)',
  (x: Tensor, given: readonly number[] | Tensor, batchFirst: boolean, enforceSorted: boolean): PackedSequence => {
    const op = 'packPaddedSequence';
    if (x.ndim < 2) throw new ShapeError(`${op}: expected at least 2 dims, got ${formatShape(x.sizes)}`);
    const [n, time] = (batchFirst ? x.sizes.slice(0, 2) : [x.sizes[1], x.sizes[0]]) as [number, number];
    if (n === 0) throw new ShapeError(`${op}: expected at least one sequence, got ${formatShape(x.sizes)}`);
    const lengths = lengthsOf(given);
    checkLengths(op, lengths, n, time, enforceSorted);
    const order = lengths.map((_, i) => i);
    if (!enforceSorted) order.sort((i, j) => (lengths[j] as number) - (lengths[i] as number));
    const batchSizes = batchSizesOf(order.map((i) => lengths[i] as number));
    const steps = batchSizes.length;
    // The rows of x by time and sequence, and of these the ones that are there.
    let rows = countingBeside(x, n * time, batchFirst ? [n, time] : [time, n]);
    if (batchFirst) rows = transpose(rows, 0, 1);
    rows = slice(rows, 0, 0, steps);
    if (!enforceSorted) rows = columnsAt(rows, order);
    const a = countingBeside(x, n, [1, n]);
    const there = ops.lt({ a, b: integersBeside(x, batchSizes, [steps, 1]) });
    const count = batchSizes.reduce((sum, size) => sum + size, 0);
    const index = rowsAt(flat(contiguous(rows)), ops.maskPositions({ mask: flat(there) }, { count }));
    const data = rowsAt(reshape(x, [n * time, ...x.sizes.slice(2)]), index);
    if (enforceSorted) return { data, batchSizes, sortedIndices: null, unsortedIndices: null };
    return { data, batchSizes, sortedIndices: order, unsortedIndices: inverseOf(order) };
  },
);

/** Options of {@link padPackedSequence}. */
export interface PadPackedOptions extends BatchFirstOptions {
  /** What stands behind the ends of sequences. @defaultValue 0 */
  paddingValue?: number;
  /** The length to pad to; null: that of the longest. @defaultValue null */
  totalLength?: number | null;
}

/** Of packed sequences, how long each of them is, in the order in which they stand. */
function lengthsPacked(batchSizes: readonly number[]): number[] {
  const lengths = new Array<number>(batchSizes[0] as number).fill(0);
  for (const size of batchSizes) for (let i = 0; i < size; i++) (lengths[i] as number)++;
  return lengths;
}

/**
 * Packed sequences padded to one length, and the length of each (PyTorch's `pad_packed_sequence`).
 * @returns [padded, lengths]: padded is [time, n, ...], or [n, time, ...] with `batchFirst`
 * @throws ArgumentError where `totalLength` is less than that of the longest
 */
export const padPackedSequence = callable<
  Callable<
    [sequence: PackedSequence],
    [batchFirst: boolean, paddingValue: number, totalLength: number | null],
    PadPackedOptions,
    [padded: Tensor, lengths: number[]]
  >
>(
  'padPackedSequence(sequence: packed, batchFirst: bool = false, paddingValue: number = 0, totalLength: int|null = null)',
  (
    { data, batchSizes, unsortedIndices }: PackedSequence,
    batchFirst: boolean,
    paddingValue: number,
    totalLength: number | null,
  ) => {
    const [n, steps] = [batchSizes[0] as number, batchSizes.length];
    const time = totalLength ?? steps;
    if (time < steps)
      throw new ArgumentError(
        `padPackedSequence: expected a totalLength of at least ${steps}, that of the longest sequence, got ${time}`,
      );
    const counts = [...batchSizes, ...new Array<number>(time - steps).fill(0)];
    const order = (index: Tensor): Tensor => {
      const given = unsortedIndices ? columnsAt(index, unsortedIndices) : index;
      return batchFirst ? transpose(given, 0, 1) : given;
    };
    const padded = spread(data, before(counts), counts, n, paddingValue, false, order);
    const lengths = lengthsPacked(batchSizes);
    return [padded, unsortedIndices ? unsortedIndices.map((place) => lengths[place] as number) : lengths];
  },
  sequenceKinds,
);

/** Options of {@link padSequence}. */
export interface PadOptions extends BatchFirstOptions {
  /** What fills up shorter sequences. @defaultValue 0 */
  paddingValue?: number;
  /** On which side. @defaultValue 'right' */
  paddingSide?: 'left' | 'right';
}

/** @throws ShapeError unless all are sequences of elements of one shape */
function checkSequences(op: string, sequences: readonly Tensor[]): void {
  const [first] = sequences;
  if (!first) throw new ArgumentError(`${op}: expected at least one sequence, got none`);
  for (const x of sequences) {
    if (x.ndim === 0) throw new ShapeError(`${op}: expected sequences of at least 1 dim, got a single number`);
    if (!sameShape(x.sizes.slice(1), first.sizes.slice(1)))
      throw new ShapeError(
        `${op}: expected sequences whose elements have one shape, got ${formatShape(first.sizes)} and ${formatShape(x.sizes)}`,
      );
  }
}

/**
 * Sequences of different lengths in one tensor, those that are shorter filled up (PyTorch's `pad_sequence`).
 * @param sequences each [its length, ...]
 * @returns [time, n, ...], or [n, time, ...] with `batchFirst`
 * @throws ArgumentError, ShapeError
 */
export const padSequence = callable<
  Callable<
    [sequences: readonly Tensor[]],
    [batchFirst: boolean, paddingValue: number, paddingSide: 'left' | 'right'],
    PadOptions,
    Tensor
  >
>(
  "padSequence(sequences: Tensor[], batchFirst: bool = false, paddingValue: number = 0, paddingSide: 'right'|'left' = 'right')",
  (sequences: readonly Tensor[], batchFirst: boolean, paddingValue: number, paddingSide: 'left' | 'right') => {
    checkSequences('padSequence', sequences);
    const lengths = sequences.map(({ sizes: [length] }) => length as number);
    const time = Math.max(...lengths);
    return spread(cat(sequences), before(lengths), lengths, time, paddingValue, paddingSide === 'left', (index) =>
      batchFirst ? index : transpose(index, 0, 1),
    );
  },
);

/**
 * Packs sequences of different lengths (PyTorch's `pack_sequence`).
 * @param sequences each [its length, ...]
 * @throws ArgumentError, ShapeError
 */
export const packSequence = callable<
  Callable<[sequences: readonly Tensor[]], [enforceSorted: boolean], PackOptions, PackedSequence>
>(
  'packSequence(sequences: Tensor[], enforceSorted: bool = true)',
  (sequences: readonly Tensor[], enforceSorted: boolean) => {
    const lengths = sequences.map(({ sizes: [length] }) => length ?? 0);
    return packPaddedSequence(padSequence(sequences), lengths, { enforceSorted });
  },
);

/**
 * The sequences of a padded tensor, each without its padding: views of it (PyTorch's `unpad_sequence`).
 * @param paddedSequences [time, n, ...], or [n, time, ...] with `batchFirst`
 * @param lengths of the n sequences
 * @throws ArgumentError, ShapeError
 */
export const unpadSequence = callable<
  Callable<
    [paddedSequences: Tensor, lengths: readonly number[] | Tensor],
    [batchFirst: boolean],
    BatchFirstOptions,
    Tensor[],
    ['paddedSequences', 'lengths']
  >
>(
  'unpadSequence(paddedSequences: Tensor, lengths: int[]|Tensor, batchFirst: bool = false)',
  (x: Tensor, given: readonly number[] | Tensor, batchFirst: boolean) => {
    if (x.ndim < 2) throw new ShapeError(`unpadSequence: expected at least 2 dims, got ${formatShape(x.sizes)}`);
    const rows = unbind(x, batchFirst ? 0 : 1);
    const lengths = lengthsOf(given);
    if (rows.length !== lengths.length)
      throw new ShapeError(
        `unpadSequence: expected a length for each of ${rows.length} sequences, got ${lengths.length}`,
      );
    return rows.map((row, i) => slice(row, 0, 0, lengths[i] as number));
  },
);

/**
 * The sequences that were packed, each [its length, ...], in the order in which they were given (PyTorch's
 * `unpack_sequence`).
 */
export const unpackSequence = callable<(packedSequences: PackedSequence) => Tensor[]>(
  'unpackSequence(packedSequences: packed)',
  (sequence: PackedSequence) => {
    const [padded, lengths] = padPackedSequence(sequence, { batchFirst: true });
    return unpadSequence(padded, lengths, { batchFirst: true });
  },
  sequenceKinds,
);
