// Writes in place: what initialisers, clipping, accumulation and copy_() are made of. PyTorch's names, without the `_`
// that the public functions have, by which errors call them.
import { checkValues } from '../dtypes.ts';
import { formatShape, ShapeError } from '../memory/errors.ts';
import { checkRange } from './activation.ts';
import { any, attrs, f32, family, grad, i32, inout, row, signature, strided, type Tensor } from './core.ts';
import { checkState, checkStd, fill } from './random.ts';
import { copy } from './shape.ts';
import { broadcastShapes, broadcastStrides, expectDtype, expectShape, loopDims, sameShape } from './shapes.ts';

const state = inout(i32);

const s = {
  /** y = x, stretched to its shape; y keeps its strides. */
  copy: signature({ y: inout(strided(any)), x: strided(any) }, { y: grad }),
  /** y += x, stretched to its shape. */
  addInto: signature({ y: inout(strided(f32)), x: strided(f32) }, {}),
  /** y = value everywhere. */
  fillInto: signature({ y: inout(any) }, {}, attrs<{ readonly value: number }>()),
  /** y is limited to min … max. */
  clampInto: signature({ y: inout(f32) }, {}, attrs<{ readonly min: number; readonly max: number }>()),
  /** y *= factor, a single number. */
  scaleInto: signature({ y: inout(f32), factor: f32 }, {}),
  /** y = the sum of x [n, ...] over n, times factor. */
  sumInto: signature({ y: inout(f32), x: f32 }, {}, attrs<{ readonly factor: number }>()),
  /** step += 1: a counter, or several side by side. */
  advanceStep: signature({ step: inout(f32) }, {}),
  uniformInto: signature({ y: inout(f32), state }, {}, attrs<{ readonly low: number; readonly high: number }>()),
  normalInto: signature({ y: inout(f32), state }, {}, attrs<{ readonly mean: number; readonly std: number }>()),
};
type S = typeof s;
declare module './core.ts' {
  interface OpTypes extends S {}
}

const expectStretches = (op: string, x: Tensor, y: Tensor): void => {
  if (!sameShape(broadcastShapes(op, y.sizes, x.sizes), y.sizes))
    throw new ShapeError(
      `${op}: expected a source that stretches to ${formatShape(y.sizes)}, got ${formatShape(x.sizes)}`,
    );
};

export const inplaceRows = family(s, () => ({
  copy: row(s.copy, {
    title: () => 'copy_',
    outputs: (_, { y, x }, __, op) => {
      expectDtype(op, x, y.dtype);
      expectStretches(op, x, y);
      return { y };
    },
    forward: (k, { y }, { x }) => copy(k, y, x.alias(y.sizes, broadcastStrides(x, y.sizes), x.offset)),
    // Nothing of what y was is left.
    backward: (_, { y: g }) => ({ x: g }),
  }),
  addInto: row(s.addInto, {
    outputs: (_, { y, x }, __, op) => {
      expectStretches(op, x, y);
      return {};
    },
    forward: (k, _, { y, x }) =>
      k.add_strided_f32({ y, x, dims: loopDims(y.sizes, y.steps, broadcastStrides(x, y.sizes)) }),
  }),
  fillInto: row(s.fillInto, {
    title: () => 'fill_',
    outputs: (_, { y }, { value }, op) => {
      checkValues(op, [value], y.dtype);
      return {};
    },
    forward: (k, _, { y }, { value }) => fill(k, y, value),
  }),
  clampInto: row(s.clampInto, {
    outputs: (_, __, range, op) => {
      checkRange(op, range);
      return {};
    },
    forward: (k, _, { y }, { min, max }) => k.clamp_forward_f32({ y, x: y, n: y.size, alpha: min, beta: max }),
  }),
  scaleInto: row(s.scaleInto, {
    outputs: (_, { factor }, __, op) => {
      expectShape(op, 'the factor', factor, []);
      return {};
    },
    forward: (k, _, { y, factor }) => k.scale_by_f32({ x: y, n: y.size, factor }),
  }),
  sumInto: row(s.sumInto, {
    outputs: (_, { y, x }, __, op) => {
      expectShape(op, 'the rows', x, [x.sizes[0] ?? 0, ...y.sizes]);
      return {};
    },
    forward: (k, _, { y, x }, { factor }) =>
      k.sum_f32({ y, x, outer: 1, r: x.sizes[0] as number, inner: y.size, stride: y.size, factor }),
  }),
  advanceStep: row(s.advanceStep, {
    outputs: () => ({}),
    forward: (k, _, { step }) => k.scale_f32({ y: step, x: step, n: step.size, alpha: 1, beta: 1 }),
  }),
  uniformInto: row(s.uniformInto, {
    outputs: (_, { state }, __, op) => {
      checkState(op, state);
      return {};
    },
    forward: (k, _, { y, state }, { low, high }) => {
      k.uniform_f32({ y, n: y.size, first: 0, low, high, state });
      k.random_advance({ state, n: y.size });
    },
  }),
  normalInto: row(s.normalInto, {
    outputs: (_, { state }, { std }, op) => {
      checkState(op, state);
      checkStd(op, std);
      return {};
    },
    forward: (k, _, { y, state }, { mean, std }) => {
      k.normal_f32({ y, n: y.size, first: 0, mean, std, state });
      k.random_advance({ state, n: y.size });
    },
  }),
}));
