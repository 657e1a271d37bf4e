// What a kernel descriptor is: the operands of a kernel by name, each with all that anybody has to know of it. Call
// types, eager calls, recording, the dispatch inside WebAssembly, slices for threads, fusion, the check of revectorised
// builds and the slice tests derive from the descriptors. Nothing refers to an operand by its place, or to a kernel by
// its name's form.
//
// The idea that makes the rest derivable is an operand's extent in named sizes: `x: input('f32', 'rows', 'width')` is
// row-major over the sizes `rows` and `width` of the same call; `['k', 'aCol']` is an axis of `k` elements that lie
// `aCol` apart. What one unit of any size adds to an address follows from it.
import type { Dtype } from '../dtypes.ts';

/** What a kernel takes for an element: a dtype, or 32 bits whatever they mean. */
export type ElementType = Dtype | 'b32';

/** One axis of an operand: its size and, unless the operand is row-major there, the named number of its stride. */
export interface Axis {
  /** A named size, or a number that never changes. */
  readonly size: string | number;
  readonly stride: string | null;
}

/** A range of memory that a kernel reads or writes. */
export interface BufferSpec<O extends boolean = boolean> {
  readonly kind: 'buffer';
  readonly reads: boolean;
  readonly writes: boolean;
  readonly type: ElementType;
  /** Whether a call may leave it out, with null. */
  readonly optional: O;
  readonly axes: readonly Axis[];
  /** Its elements are indices below this size. */
  readonly below: string | null;
}

/** A number: a size or stride counted in elements, an i32 or an f32 of another meaning. */
export interface NumberSpec {
  readonly kind: 'size' | 'i32' | 'f32';
  /** It grows by one with each unit of this size: the first of the numbers that a draw takes, say. */
  readonly moves: string | null;
  /** What the values stand for, for people: the codes of an enum from 0. */
  readonly words: readonly string[] | null;
}

/** A list of i32s, passed by address. Its words have names, and so have numbers that follow from them. */
export interface ListSpec<W extends string = string> {
  readonly kind: 'list';
  /** Names of its first words, in order. */
  readonly words: readonly string[];
  /** Sizes and strides that follow from the list. */
  derive(list: readonly number[]): Readonly<Record<string, number>>;
  /** A list that a trial of the kernel may be run with, or several. */
  readonly trials: readonly (readonly number[])[];
  readonly names?: W;
}

/** The packing buffer of the running thread; calls do not name it. */
export interface WorkspaceSpec {
  readonly kind: 'workspace';
}

/**
 * The algorithm by which the whole call is computed, so that a slice of it is computed likewise. Calls do not name it:
 * an eager call passes 0, and the kernel selects; a command that may be cut asks the export `select` first.
 */
export interface AlgorithmSpec {
  readonly kind: 'algorithm';
  readonly select: string;
  /** What `select` takes: numbers, and names of operands. */
  readonly with: readonly (number | string)[];
  /** Names by number; 0 is 'auto'. */
  readonly words: readonly string[];
}

export type Spec = BufferSpec | NumberSpec | ListSpec | WorkspaceSpec | AlgorithmSpec;
export type Specs = Readonly<Record<string, Spec>>;

/** What a kernel reads or writes: a place in a block. */
export interface Operand {
  readonly block: { ptr: number; version: number };
  /** Bytes from the start of the block to the first element. */
  readonly byteOffset: number;
}

type Implicit = WorkspaceSpec | AlgorithmSpec;
type Argument<S> =
  S extends BufferSpec<infer O>
    ? O extends true
      ? Operand | null
      : Operand
    : S extends ListSpec
      ? readonly number[]
      : number;
/** What a call takes: an object with every operand by its name. */
export type Call<S extends Specs> = { readonly [N in keyof S as S[N] extends Implicit ? never : N]: Argument<S[N]> };

type WordsOf<S> = { [N in keyof S]: S[N] extends ListSpec<infer W> ? W : never }[keyof S];
type NumbersOf<S extends Specs> = { [N in keyof S]: S[N] extends NumberSpec ? N : never }[keyof S] & string;
/** The numbers of a call by name, words of lists and what follows from them included. */
export type Sizes<S extends Specs> = Readonly<Record<NumbersOf<S> | WordsOf<S>, number>>;

/** How a call is cut among threads: slices of units of one size, which begin at multiples of the grain. */
export interface Cut<N extends string = string> {
  readonly along: N;
  readonly grain: number;
  /** Each slice packs so much anew that only large ones pay. @defaultValue false */
  readonly repeats?: boolean;
}

/** How a kernel may be cut, and what that is worth. */
export interface Rules<S extends Specs> {
  /** Along which size slices have the bits of the whole; null: in one piece. Absent: never cut. */
  cut?(sizes: Sizes<S>): Cut<NumbersOf<S> | WordsOf<S>> | null;
  /** About how many nanoseconds one thread takes. */
  cost?(call: Call<S>): number;
  /**
   * Whether units are elements, or rows of them, that depend on nothing but each other, all operands alike: such calls
   * run block by block in a fused chain. Absent: not elementwise.
   */
  elementwise?(sizes: Sizes<S>): boolean;
  /** The word of a code `act` that does the same in the epilogue of a product or a convolution. */
  readonly epilogue?: string;
  /** Numbers that a trial of the kernel may be run with. Absent: all sizes alike. */
  readonly trials?: readonly Readonly<Record<string, number>>[];
}

export interface Kernel<S extends Specs = Specs> extends Rules<S> {
  readonly operands: S;
  /** Whether it answers with a number and writes nothing but what a check needs; see probe(). */
  readonly probes: boolean;
}

type AxisName = string | number | readonly [size: string, stride: string];

const buffer =
  (reads: boolean, writes: boolean) =>
  (type: ElementType, ...axes: readonly AxisName[]): BufferSpec<false> => ({
    kind: 'buffer',
    reads,
    writes,
    type,
    optional: false,
    axes: axes.map((axis) =>
      typeof axis === 'object' ? { size: axis[0], stride: axis[1] } : { size: axis, stride: null },
    ),
    below: null,
  });

/** Is read. */
export const input = buffer(true, false);
/** Is written, and never read before. */
export const output = buffer(false, true);
/** Is read and written. */
export const inout = buffer(true, true);
/** May be left out. */
export const maybe = (spec: BufferSpec<false>): BufferSpec<true> => ({ ...spec, optional: true });
/** i32 indices below `size`. */
export const indices = (size: string, ...axes: readonly AxisName[]): BufferSpec<false> => ({
  ...input('i32', ...axes),
  below: size,
});

const number = (kind: 'size' | 'i32' | 'f32') => ({ kind, moves: null, words: null }) as const satisfies NumberSpec;
/** A number of elements, or a stride. */
export const size = number('size');
export const i32 = number('i32');
export const f32 = number('f32');
/** An i32 that grows by one with each unit of `along`. */
export const moving = (along: string): NumberSpec => ({ kind: 'i32', moves: along, words: null });
/** A code: 0 is the first word. */
export const code = (...words: readonly string[]): NumberSpec => ({ kind: 'i32', moves: null, words });
export const workspace: WorkspaceSpec = { kind: 'workspace' };

/** A list. @param words names of its first words @param derive further sizes @param trials see ListSpec */
/* @__NO_SIDE_EFFECTS__ */
export const list = <const W extends readonly string[], D extends string>(
  words: W,
  derive: (list: readonly number[]) => Readonly<Record<D, number>>,
  trials: readonly (readonly number[])[],
): ListSpec<W[number] | D> => ({ kind: 'list', words, derive, trials });

/** @param select the export that answers with the algorithm for `given`: numbers, and names of operands */
export const algorithm = (
  select: string,
  given: readonly (number | string)[],
  words: readonly string[],
): AlgorithmSpec => ({
  kind: 'algorithm',
  select,
  with: given,
  words: ['auto', ...words],
});

/** A kernel of the table. */
export function kernel<const S extends Specs>(operands: S, rules: Rules<S> = {}): Kernel<S> {
  return { operands, probes: false, ...rules };
}

/**
 * An export that looks at values and answers with a number, at once. Its call may stop a program, and cannot be cut.
 */
export function probe<const S extends Specs>(operands: S): Kernel<S> {
  return { operands, probes: true };
}

/** Units of a slice are at least as many elements as this: enough to be worth a call, and whole cache lines. */
export const GRAIN = 1024;

/** As many rows of `width` elements as make a slice worth a call. */
export const rowGrain = (width: number): number => Math.max(1, Math.ceil(GRAIN / Math.max(1, width)));

/** The rules of what is elementwise over `n`. @param cost nanoseconds an element */
export const elements = <N extends string>(n: N, cost = 0.5) => ({
  cut: (): Cut<N> => ({ along: n, grain: GRAIN }),
  cost: (call: Readonly<Record<N, number>>): number => call[n] * cost,
  elementwise: (): boolean => true,
});
