// What a packed sequence is.
import { isPlain, type Kind } from '../../kinds.ts';
import { formatShape, ShapeError } from '../../memory/errors.ts';
import { signature } from '../../signature.ts';
import { Tensor } from '../../tensor.ts';

/**
 * Sequences without padding (PyTorch's `PackedSequence`): the first elements of all of them, then the second ones, and
 * so on. Longer sequences stand before shorter ones. It is a plain object, which may be an argument or a result of a
 * compiled function; there is one program for each `batchSizes`.
 */
export interface PackedSequence {
  /** [the sum of batchSizes, ...]. */
  readonly data: Tensor;
  /** How many sequences have a first element, a second one, and so on; at least one size. */
  readonly batchSizes: readonly number[];
  /** Which of the given sequences stands where; null where they stand as they were given. */
  readonly sortedIndices: readonly number[] | null;
  /** Where each of the given sequences stands; null where they stand as they were given. */
  readonly unsortedIndices: readonly number[] | null;
}

const isOrder = (x: unknown): x is readonly number[] =>
  Array.isArray(x) && x.every((i) => Number.isSafeInteger(i) && i >= 0 && i < x.length) && new Set(x).size === x.length;
const isSizes = (x: unknown): x is readonly number[] =>
  Array.isArray(x) &&
  x.length > 0 &&
  x.every((n, i) => Number.isSafeInteger(n) && n >= 0 && (i === 0 || n <= (x[i - 1] as number)));

/** Whether x is what {@link packPaddedSequence} gives. */
export const isPacked = (x: unknown): x is PackedSequence =>
  isPlain(x) &&
  x.data instanceof Tensor &&
  isSizes(x.batchSizes) &&
  (x.sortedIndices === null || isOrder(x.sortedIndices)) &&
  (x.unsortedIndices === null || isOrder(x.unsortedIndices));

const packed: Kind = [isPacked, 'a packed sequence', 'packed sequences'];
const sizes: Kind = [isSizes, 'a list of sizes, at least one, that do not grow'];
const permutation: Kind = [isOrder, 'a list of all places in some order'];
/** The kinds of arguments that are sequences. */
export const sequenceKinds: Readonly<Record<string, Kind>> = { packed, sizes, order: permutation };

/** What {@link PackedSequence} is as a class. */
export interface PackedSequenceClass {
  /** Of its parts, as {@link packPaddedSequence} makes them. @throws ArgumentError */
  new (
    data: Tensor,
    batchSizes: readonly number[],
    sortedIndices?: readonly number[] | null,
    unsortedIndices?: readonly number[] | null,
  ): PackedSequence;
  /** Whether x is a packed sequence. */
  [Symbol.hasInstance](x: unknown): x is PackedSequence;
}

const declared = signature(
  'PackedSequence(data: Tensor, batchSizes: sizes, sortedIndices: order|null = null, unsortedIndices: order|null = null)',
  sequenceKinds,
);

/** `x instanceof PackedSequence` tells packed sequences from tensors; functions of this namespace make them. */
export const PackedSequence: PackedSequenceClass = class {
  constructor(...args: unknown[]) {
    const [data, batchSizes, sortedIndices, unsortedIndices] = declared.parse(args) as [
      Tensor,
      number[],
      number[] | null,
      number[] | null,
    ];
    const total = batchSizes.reduce((sum, n) => sum + n, 0);
    if (data.sizes[0] !== total)
      throw new ShapeError(
        `PackedSequence: expected data of ${total} rows, the sum of batchSizes, got ${formatShape(data.sizes)}`,
      );
    // biome-ignore lint/correctness/noConstructorReturn: it is a plain object, which compile() looks into
    return { data, batchSizes: [...batchSizes], sortedIndices, unsortedIndices } as never;
  }
  static [Symbol.hasInstance](x: unknown): x is PackedSequence {
    return isPacked(x);
  }
} as unknown as PackedSequenceClass;
