// Constants and random numbers. The generator's state lies in the arena and kernels read it there: element i always
// comes from counter + (i >> 2), of dropout from counter + (i >> 4), whoever computes it, and the counter moves on by a
// kernel of its own. So the state is an input that is written.
import { checkValues, type Dtype } from '../dtypes.ts';
import { ArgumentError } from '../memory/errors.ts';
import { checkShape, type Shape } from '../tensor.ts';
import {
  attrs,
  aux,
  f32,
  family,
  grad,
  i32,
  inout,
  type Kernels,
  plain,
  row,
  signature,
  type Tensor,
  u8,
} from './core.ts';
import { expectShape } from './shapes.ts';

type Sized = { readonly shape: Shape };
const state = inout(i32);

const s = {
  /** dtype is f32 by default. */
  full: signature({}, { y: plain }, attrs<Sized & { readonly value: number; readonly dtype?: Dtype }>()),
  /** Whole numbers from low up to, not including, high. */
  randint: signature({ state }, { y: plain }, attrs<Sized & { readonly low: number; readonly high: number }>()),
  /** The numbers 0 … n − 1 in random order. */
  randperm: signature({ state }, { y: plain }, attrs<{ readonly n: number }>()),
  uniform: signature({ state }, { y: plain }, attrs<Sized & { readonly low: number; readonly high: number }>()),
  normal: signature({ state }, { y: plain }, attrs<Sized & { readonly mean: number; readonly std: number }>()),
  bernoulli: signature({ state }, { y: plain }, attrs<Sized & { readonly p: number }>()),
  /** Zero with probability p, else x / (1 − p). The mask says which elements were kept. */
  dropout: signature({ x: f32, state }, { y: grad, mask: aux }, attrs<{ readonly p: number }>()),
  dropoutBackward: signature({ g: f32, mask: u8 }, { dx: grad }, attrs<{ readonly p: number }>()),
};
type S = typeof s;
declare module './core.ts' {
  interface OpTypes extends S {}
}

const fills: Readonly<Record<Dtype, (k: Kernels, call: { y: Tensor; n: number; value: number }) => void>> = {
  f32: (k, call) => k.fill_f32(call),
  i32: (k, call) => k.fill_32(call),
  u8: (k, call) => k.fill_u8(call),
};

/** y = value everywhere; y is contiguous. */
export const fill = (k: Kernels, y: Tensor, value: number): void => fills[y.dtype](k, { y, n: y.size, value });

/** Key and counter, two words each: see assembly/random.ts. */
export function checkState(op: string, state: Tensor): void {
  expectShape(op, "the generator's state", state, [4]);
}

export function checkStd(op: string, std: number): void {
  if (!(std >= 0)) throw new ArgumentError(`${op}: expected std >= 0, got ${std}`);
}

/** The bounds of whole numbers of 32 bits. */
const [LEAST, BEYOND] = [-(2 ** 31), 2 ** 31];

function checkBounds(op: string, low: number, high: number): void {
  if (!(Number.isInteger(low) && Number.isInteger(high) && low < high))
    throw new ArgumentError(`${op}: expected whole numbers low < high, got ${low} and ${high}`);
  if (low < LEAST || high > BEYOND)
    throw new ArgumentError(`${op}: expected low >= ${LEAST} and high <= ${BEYOND}, got ${low} and ${high}`);
}

function checkProbability(op: string, p: number): void {
  if (!(p >= 0 && p <= 1)) throw new ArgumentError(`${op}: expected p from 0 to 1, got ${p}`);
}

export const randomRows = family(s, () => ({
  full: row(s.full, {
    outputs: (make, _, { shape, value, dtype = 'f32' }, op) => {
      checkShape(op, shape);
      checkValues(op, [value], dtype);
      return { y: make(shape, dtype) };
    },
    forward: (k, { y }, _, { value }) => fill(k, y, value),
  }),
  randint: row(s.randint, {
    outputs: (make, { state }, { shape, low, high }, op) => {
      checkState(op, state);
      checkShape(op, shape);
      checkBounds(op, low, high);
      return { y: make(shape, 'i32') };
    },
    forward: (k, { y }, { state }, { low, high }) => {
      k.randint_i32({ y, n: y.size, first: 0, low, range: (high - low) | 0, state });
      k.random_advance({ state, n: y.size });
    },
  }),
  randperm: row(s.randperm, {
    outputs: (make, { state }, { n }, op) => {
      checkState(op, state);
      checkShape(op, [n]);
      return { y: make([n], 'i32') };
    },
    forward: (k, { y }, { state }, { n }) => {
      k.randint_i32({ y, n, first: 0, low: 0, range: 0, state });
      k.randperm_i32({ words: y, n });
      k.random_advance({ state, n });
    },
  }),
  uniform: row(s.uniform, {
    outputs: (make, { state }, { shape }, op) => {
      checkState(op, state);
      checkShape(op, shape);
      return { y: make(shape, 'f32') };
    },
    forward: (k, { y }, { state }, { low, high }) => {
      k.uniform_f32({ y, n: y.size, first: 0, low, high, state });
      k.random_advance({ state, n: y.size });
    },
  }),
  normal: row(s.normal, {
    outputs: (make, { state }, { shape, std }, op) => {
      checkState(op, state);
      checkShape(op, shape);
      checkStd(op, std);
      return { y: make(shape, 'f32') };
    },
    forward: (k, { y }, { state }, { mean, std }) => {
      k.normal_f32({ y, n: y.size, first: 0, mean, std, state });
      k.random_advance({ state, n: y.size });
    },
  }),
  bernoulli: row(s.bernoulli, {
    outputs: (make, { state }, { shape, p }, op) => {
      checkState(op, state);
      checkShape(op, shape);
      checkProbability(op, p);
      return { y: make(shape, 'f32') };
    },
    forward: (k, { y }, { state }, { p }) => {
      k.bernoulli_f32({ y, n: y.size, first: 0, p, state });
      k.random_advance({ state, n: y.size });
    },
  }),
  dropout: row(s.dropout, {
    outputs: (make, { x, state }, { p }, op) => {
      checkState(op, state);
      checkProbability(op, p);
      return { y: make(x.sizes, 'f32'), mask: make(x.sizes, 'u8') };
    },
    forward: (k, { y, mask }, { x, state }, { p }) => {
      k.dropout_forward_f32({ y, mask, x, n: x.size, first: 0, p, state });
      k.random_advance({ state, n: x.size });
    },
    saves: ['mask'],
    backward: (o, { y: g }, { mask }, p) => ({ x: o.dropoutBackward({ g, mask }, p) }),
  }),
  dropoutBackward: row(s.dropoutBackward, {
    outputs: (make, { g, mask }, _, op) => {
      expectShape(op, 'the mask', mask, g.sizes);
      return { dx: make(g.sizes, 'f32') };
    },
    forward: (k, { dx }, { g, mask }, { p }) => k.dropout_backward_f32({ dx, g, mask, n: g.size, p }),
    saves: ['mask'],
    // Linear in g, so its derivative is itself.
    backward: (o, { dx: h }, { mask }, p) => ({ g: o.dropoutBackward({ g: h, mask }, p) }),
  }),
}));
