// What a case of the op table is. The table of cases has a row for every row of the op table, or it does not compile.

import type { Dtype } from '../../../bindings/dtypes.ts';
import {
  ArgumentError,
  DtypeError,
  FreedError,
  type RetrogradError,
  ShapeError,
} from '../../../bindings/memory/errors.ts';
import type { Input, OpName, OpTypes, Role, Signature } from '../../../bindings/ops/core.ts';
import type { Shape } from '../../../bindings/tensor.ts';
import { numelOf } from '../../../bindings/tensor.ts';
import { at, type Nd, nd } from '../../../reference/nd.ts';
import { random } from '../../../reference/random.ts';

/** What is known of the inputs before one, by name. */
export type Known = Readonly<Record<string, Nd>>;
/** Makes n numbers; `before` are the inputs declared before, for inputs that must fit them. */
export type Fill = (n: number, random: () => number, before: Known) => ArrayLike<number>;

/** How to make an input. */
export interface Spec {
  readonly shape: Shape;
  readonly dtype: Dtype;
  readonly fill: Fill;
}

type InputsOf<K extends OpName> = OpTypes[K]['inputs'];
type OutputsOf<K extends OpName> = OpTypes[K]['outputs'];
export type AttrsOf<K extends OpName> = OpTypes[K] extends Signature<infer _I, infer A, infer _O> ? A : never;
/** For an input a T, a T or null where it may be left out, a list of T where it is a list. */
type Each<I, T> = {
  readonly [N in keyof I]: I[N] extends Input<infer O, infer M>
    ? M extends true
      ? readonly T[]
      : O extends true
        ? T | null
        : T
    : never;
};
/** How to make the inputs of an op, by name. */
export type Specs<K extends OpName> = Each<InputsOf<K>, Spec>;
type Arrays<K extends OpName> = Each<InputsOf<K>, Nd>;
/** Attributes that the call writes to are made anew for each call. */
type Lazy<A> = A | (() => A);
type WithAttrs<A> = [A] extends [undefined] ? { readonly attrs?: undefined } : { readonly attrs: Lazy<A> };

/** Inputs and attributes of one call. */
export type Sample<K extends OpName> = {
  readonly inputs: Specs<K>;
  /** Values at which derivatives do not exist, or finite differences cannot find them. */
  readonly valueOnly?: boolean;
} & WithAttrs<AttrsOf<K>>;

/** Inputs of a call that must fail; may hold what the types forbid. */
export type BadInputs = Readonly<Record<string, Spec | null | readonly Spec[] | { readonly raw: unknown }>>;
/** A call that must fail. */
export interface Bad {
  readonly inputs: BadInputs;
  /** The input that is freed before the call. */
  readonly freed?: string;
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

type PublicOf<O> = {
  [N in keyof O]: O[N] extends { readonly role: infer R extends Role } ? (R extends 'aux' ? never : N) : never;
}[keyof O];
/**
 * What a call leaves: the array, where one result is all; else an object with every public result, every input that is
 * written (null where it is absent), and what a host row fills in JavaScript, as `into`.
 */
export type Outcome<K extends OpName> =
  | Nd
  | { readonly [N in PublicOf<OutputsOf<K>> | keyof InputsOf<K> | 'into']?: Nd | null };

export interface Case<K extends OpName> {
  readonly samples: readonly Sample<K>[];
  /** What a call leaves, in f64, from the definition. */
  reference(inputs: Arrays<K>, attrs: AttrsOf<K>): Outcome<K>;
  /** Of the results. Default: that of the first input, or f32. */
  readonly dtype?:
    | Dtype
    | ((attrs: AttrsOf<K>, inputs: Readonly<Record<string, Dtype>>) => Dtype)
    | { readonly [N in PublicOf<OutputsOf<K>>]?: Dtype };
  readonly tolerance: Tolerance;
  /** Inputs that are not named have none. */
  readonly gradients: 'none' | 'all' | { readonly [N in keyof InputsOf<K>]?: Differentiable };
  /** Of the largest gradient of an input. Default 2e-5. */
  readonly gradientTolerance?: number;
  /** `throws`: a second derivative is a GradError. Default: it is checked wherever there is a first one. */
  readonly second?: 'throws';
  /** Elementwise: NaN, infinities, zeros of both signs and denormals are tried in every f32 input. */
  readonly elementwise?: boolean;
  readonly errors: readonly [Bad, Bad, Bad, ...Bad[]];
}

/** A case for each op. */
export type AllCases = { readonly [K in OpName]: Case<K> };
/** The cases of a family. */
export type Cases = Partial<AllCases>;

/** A case whose op is not known to the type system, for what loops over all. */
export type AnyCase = Omit<Case<OpName>, 'samples' | 'reference' | 'dtype' | 'gradients'> & {
  readonly samples: readonly {
    readonly inputs: Readonly<Record<string, Spec | null | readonly Spec[]>>;
    readonly attrs?: unknown;
    readonly valueOnly?: boolean;
  }[];
  reference(inputs: unknown, attrs: unknown): Nd | Readonly<Record<string, Nd | null>>;
  readonly dtype?:
    | Dtype
    | ((attrs: unknown, inputs: Readonly<Record<string, Dtype>>) => Dtype)
    | Readonly<Record<string, Dtype>>;
  readonly gradients: 'none' | 'all' | Readonly<Record<string, Differentiable>>;
};
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

/** Computed from the inputs declared before. */
export const from =
  (f: (before: Known) => Nd): Fill =>
  (_, __, before) =>
    f(before).data;

export const f32 = (shape: Shape, fill: Fill = uniform()): Spec => ({ shape, dtype: 'f32', fill });
export const i32 = (shape: Shape, fill: Fill = whole(-5, 6)): Spec => ({ shape, dtype: 'i32', fill });
export const u8 = (shape: Shape, fill: Fill = whole(0, 2)): Spec => ({ shape, dtype: 'u8', fill });

/** One tensor of a call: the input that it is, and its place where that is a list. */
export interface Place {
  readonly name: string;
  /** -1: the input is no list. */
  readonly index: number;
  readonly spec: Spec | null;
}

/** The tensors of a call in a flat list. */
export function placesOf(inputs: Readonly<Record<string, unknown>>): Place[] {
  return Object.entries(inputs).flatMap(([name, slot]): Place[] => {
    if (Array.isArray(slot)) return slot.map((spec, index) => ({ name, index, spec }));
    return [{ name, index: -1, spec: slot && typeof slot === 'object' && 'shape' in slot ? (slot as Spec) : null }];
  });
}

/** What the flat list `items` is by name. */
export function byName<T>(inputs: Readonly<Record<string, unknown>>, items: readonly T[]): Record<string, T | T[]> {
  const bag: Record<string, T | T[]> = {};
  for (const [name, slot] of Object.entries(inputs)) if (Array.isArray(slot)) bag[name] = [];
  placesOf(inputs).forEach(({ name, index }, i) => {
    if (index < 0) bag[name] = items[i] as T;
    else (bag[name] as T[])[index] = items[i] as T;
  });
  return bag;
}

/** The values of the tensors of a call in a flat list, rounded to what the dtype holds. */
export function fillInputs(seed: string, inputs: Readonly<Record<string, unknown>>): (Nd | null)[] {
  const next = random(seed);
  const before: Record<string, Nd> = {};
  return placesOf(inputs).map(({ name, spec }) => {
    if (!spec) return null;
    const values = Array.from(spec.fill(numelOf(spec.shape), next, before));
    const made = nd(spec.shape, spec.dtype === 'f32' ? values.map(Math.fround) : values);
    before[name] = made;
    return made;
  });
}

// Errors that many ops share.

export const shapeError = (inputs: BadInputs, attrs: unknown, message: RegExp): Bad => ({
  inputs,
  attrs,
  error: ShapeError,
  message,
});
export const dtypeError = (inputs: BadInputs, attrs: unknown, message: RegExp): Bad => ({
  inputs,
  attrs,
  error: DtypeError,
  message,
});
export const argumentError = (inputs: BadInputs, attrs: unknown, message: RegExp): Bad => ({
  inputs,
  attrs,
  error: ArgumentError,
  message,
});

/** The call after the input at `freed` was given back. */
export const freedError = (inputs: BadInputs, attrs: unknown, freed = 'x'): Bad => ({
  inputs,
  attrs,
  freed,
  error: FreedError,
  message: /^test: expected a living tensor/,
});

/** An f32 op of one tensor: neither integers nor bytes nor what is gone. */
export const unaryErrors = (op: string, attrs?: unknown): [Bad, Bad, Bad] => [
  dtypeError({ x: i32([3]) }, attrs, new RegExp(`^${op}: expected dtype f32, got i32; convert`)),
  dtypeError({ x: u8([3]) }, attrs, new RegExp(`^${op}: expected dtype f32, got u8; convert`)),
  freedError({ x: f32([3]) }, attrs),
];

/** An op of a gradient and something of the same shape, the input `like`. */
export const gradientErrors = (op: string, attrs?: unknown, like = 'saved'): [Bad, Bad, Bad, Bad] => [
  shapeError(
    { g: f32([3]), [like]: f32([2]) },
    attrs,
    new RegExp(`^${op}: expected the gradient of shape \\[2\\], got \\[3\\]`),
  ),
  shapeError(
    { g: f32([2, 3]), [like]: f32([3]) },
    attrs,
    new RegExp(`^${op}: expected the gradient of shape \\[3\\], got \\[2, 3\\]`),
  ),
  dtypeError({ g: i32([3]), [like]: f32([3]) }, attrs, new RegExp(`^${op}: expected dtype f32, got i32`)),
  dtypeError({ g: f32([3]), [like]: u8([3]) }, attrs, new RegExp(`^${op}: expected dtype f32, got u8`)),
];

/** `dim` broken in both directions, and the wrong dtype. */
export const axisErrors = (op: string, name = 'x'): [Bad, Bad, Bad, Bad] => [
  dtypeError({ [name]: i32([2, 3]) }, { dim: 0 }, new RegExp(`^${op}: expected dtype f32, got i32`)),
  shapeError({ [name]: f32([2, 3]) }, { dim: 2 }, new RegExp(`^${op}: expected dim from -2 to 1, got 2`)),
  shapeError({ [name]: f32([2, 3]) }, { dim: -3 }, new RegExp(`^${op}: expected dim from -2 to 1, got -3`)),
  shapeError({ [name]: f32([2, 3]) }, { dim: 0.5 }, new RegExp(`^${op}: expected dim from -2 to 1, got 0.5`)),
];

export { at };
