// What a case of the op table is. The table of cases has a row for every row of the op table, or it does not compile.

import type { OpName } from '../../../bindings/ops/table.ts';
import type { AttrsOf, InputsOf } from '../../../bindings/ops/types.ts';
import {
  ArgumentError,
  DtypeError,
  FreedError,
  type RetrogradError,
  ShapeError,
} from '../../../bindings/runtime/errors.ts';
import type { Dtype, Shape } from '../../../bindings/tensor.ts';
import { numelOf } from '../../../bindings/tensor.ts';
import { at, type Nd, nd, random } from '../../support/tensors.ts';

/** Makes n numbers; `before` are the inputs to the left, for inputs that must fit them. */
export type Fill = (n: number, random: () => number, before: readonly (Nd | null)[]) => ArrayLike<number>;

/** How to make an input. */
export interface Spec {
  readonly shape: Shape;
  readonly dtype: Dtype;
  readonly fill: Fill;
}

type SpecOf<X> = null extends X ? Spec | null : Spec;
type ArrayOf<X> = null extends X ? Nd | null : Nd;
// Of a type parameter, so that tuples stay tuples.
type EachSpec<T> = { readonly [I in keyof T]: SpecOf<T[I]> };
type EachArray<T> = { readonly [I in keyof T]: ArrayOf<T[I]> };
type Specs<K extends OpName> = EachSpec<InputsOf<K>>;
type Arrays<K extends OpName> = EachArray<InputsOf<K>>;
/** Attributes that hold tensors are made anew for each call. */
type Lazy<A> = A | (() => A);
type WithAttrs<A> = [A] extends [undefined] ? { readonly attrs?: undefined } : { readonly attrs: Lazy<A> };

/** Inputs and attributes of one call. */
export type Sample<K extends OpName> = {
  readonly inputs: Specs<K>;
  /** Values at which derivatives do not exist, or finite differences cannot find them. */
  readonly valueOnly?: boolean;
} & WithAttrs<AttrsOf<K>>;

/** A call that must fail; `inputs` may hold what the types forbid, and tensors that were freed. */
export interface Bad {
  readonly inputs: readonly (Spec | null | { readonly raw: unknown })[];
  /** The input that is freed before the call. */
  readonly freed?: number;
  readonly attrs?: unknown;
  readonly error: new (...args: never[]) => RetrogradError;
  readonly message: RegExp;
}

export interface Tolerance {
  readonly relative: number;
  /** For results whose terms cancel. */
  readonly absolute?: number;
}

/** Whether an input has a gradient; `throws`: asking for one is a GradError. */
export type Differentiable = boolean | 'throws';

export interface Case<K extends OpName> {
  readonly samples: readonly Sample<K>[];
  /** The result in f64, from the definition. */
  reference(inputs: Arrays<K>, attrs: AttrsOf<K>): Nd;
  /** Default: that of the first input, or f32. */
  readonly dtype?: Dtype | ((attrs: AttrsOf<K>) => Dtype);
  readonly tolerance: Tolerance;
  readonly gradients: 'none' | 'all' | readonly Differentiable[];
  /** Of the largest gradient of an input. Default 2e-5. */
  readonly gradientTolerance?: number;
  /** `throws`: a second derivative is a GradError. Default: it is checked wherever there is a first one. */
  readonly second?: 'throws';
  /** Inputs that the op refuses with strides of their own, and functional.ts copies. */
  readonly contiguousOnly?: readonly number[];
  /** Elementwise: NaN, infinities, zeros of both signs and denormals are tried in every f32 input. */
  readonly elementwise?: boolean;
  readonly errors: readonly [Bad, Bad, Bad, ...Bad[]];
}

/** The cases of one family. */
export type Cases<F> = { readonly [K in keyof F & OpName]: Case<K> };

// Fills. The kinks of an op are kept out of reach of the finite differences by a margin.

const MARGIN = 0.06;

/** Uniform numbers, none within the margin of `away`. */
export const uniform =
  (low = -2, high = 2, ...away: number[]): Fill =>
  (n, next) =>
    Array.from({ length: n }, () => {
      for (;;) {
        const value = low + (high - low) * next();
        if (away.every((kink) => Math.abs(value - kink) > MARGIN)) return value;
      }
    });

/** Different numbers, evenly apart, in random order. */
export const distinct =
  (low = -2, high = 2): Fill =>
  (n, next) => {
    const values = Array.from({ length: n }, (_, i) => low + ((high - low) * (i + 0.5)) / n);
    for (let i = n - 1; i > 0; i--) {
      const j = Math.floor(next() * (i + 1));
      [values[i], values[j]] = [values[j] as number, values[i] as number];
    }
    return values;
  };

/** Multiples of `step`, moved by `offset`: two such fills with other offsets never meet. */
export const grid =
  (step: number, offset = 0, low = -2, high = 2): Fill =>
  (n, next) =>
    Array.from({ length: n }, () => Math.round((low + (high - low) * next()) / step) * step + offset);

/** Whole numbers from `low` up to, not including, `high`. */
export const whole =
  (low: number, high: number): Fill =>
  (n, next) =>
    Array.from({ length: n }, () => low + Math.floor(next() * (high - low)));

/** These numbers, over and over. */
export const list =
  (...values: number[]): Fill =>
  (n) =>
    Array.from({ length: n }, (_, i) => values[i % values.length] as number);

/** Computed from the inputs to the left. */
export const from =
  (f: (...before: Nd[]) => Nd): Fill =>
  (_, __, before) =>
    f(...(before as Nd[])).data;

export const f32 = (shape: Shape, fill: Fill = uniform()): Spec => ({ shape, dtype: 'f32', fill });
export const i32 = (shape: Shape, fill: Fill = whole(-5, 6)): Spec => ({ shape, dtype: 'i32', fill });
export const u8 = (shape: Shape, fill: Fill = whole(0, 2)): Spec => ({ shape, dtype: 'u8', fill });

/** The values of a sample's inputs, rounded to what the dtype holds. */
export function fillInputs(seed: string, specs: readonly (Spec | null)[]): (Nd | null)[] {
  const next = random(seed);
  const made: (Nd | null)[] = [];
  for (const spec of specs) {
    if (!spec) {
      made.push(null);
      continue;
    }
    const values = Array.from(spec.fill(numelOf(spec.shape), next, made));
    made.push(nd(spec.shape, spec.dtype === 'f32' ? values.map(Math.fround) : values));
  }
  return made;
}

// Errors that many ops share.

export const shapeError = (inputs: Bad['inputs'], attrs: unknown, message: RegExp): Bad => ({
  inputs,
  attrs,
  error: ShapeError,
  message,
});
export const dtypeError = (inputs: Bad['inputs'], attrs: unknown, message: RegExp): Bad => ({
  inputs,
  attrs,
  error: DtypeError,
  message,
});
export const argumentError = (inputs: Bad['inputs'], attrs: unknown, message: RegExp): Bad => ({
  inputs,
  attrs,
  error: ArgumentError,
  message,
});

/** The call after the input at `freed` was given back. */
export const freedError = (inputs: Bad['inputs'], attrs: unknown, freed = 0): Bad => ({
  inputs,
  attrs,
  freed,
  error: FreedError,
  message: /^test: expected a living tensor/,
});

/** An f32 op of one tensor: neither integers nor bytes nor what is gone. */
export const unaryErrors = (op: string, attrs?: unknown): [Bad, Bad, Bad] => [
  dtypeError([i32([3])], attrs, new RegExp(`^${op}: expected dtype f32, got i32; convert`)),
  dtypeError([u8([3])], attrs, new RegExp(`^${op}: expected dtype f32, got u8; convert`)),
  freedError([f32([3])], attrs),
];

/** An op of a gradient and something of the same shape. */
export const gradientErrors = (op: string, attrs?: unknown): [Bad, Bad, Bad, Bad] => [
  shapeError([f32([3]), f32([2])], attrs, new RegExp(`^${op}: expected the gradient of shape \\[2\\], got \\[3\\]`)),
  shapeError(
    [f32([2, 3]), f32([3])],
    attrs,
    new RegExp(`^${op}: expected the gradient of shape \\[3\\], got \\[2, 3\\]`),
  ),
  dtypeError([i32([3]), f32([3])], attrs, new RegExp(`^${op}: expected dtype f32, got i32`)),
  dtypeError([f32([3]), u8([3])], attrs, new RegExp(`^${op}: expected dtype f32, got u8`)),
];

/** `axis` broken in both directions, and the wrong dtype. */
export const axisErrors = (op: string): [Bad, Bad, Bad, Bad] => [
  dtypeError([i32([2, 3])], { dim: 0 }, new RegExp(`^${op}: expected dtype f32, got i32`)),
  shapeError([f32([2, 3])], { dim: 2 }, new RegExp(`^${op}: expected dim from -2 to 1, got 2`)),
  shapeError([f32([2, 3])], { dim: -3 }, new RegExp(`^${op}: expected dim from -2 to 1, got -3`)),
  shapeError([f32([2, 3])], { dim: 0.5 }, new RegExp(`^${op}: expected dim from -2 to 1, got 0.5`)),
];

export { at };
