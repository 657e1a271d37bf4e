// Matrix products. One GEMM serves them all: it reads A and B through strides, so a transpose is never copied.
import { formatShape, ShapeError } from '../memory/errors.ts';
import type { Shape } from '../tensor.ts';
import { sum } from './algebra.ts';
import { f32, family, grad, maybe, type Ops, row, signature, strided, type Tensor } from './core.ts';
import { broadcastShapes, broadcastTo, expectShape, loopDims } from './shapes.ts';

const s = {
  /** [..., m, k] · [..., k, n] → [..., m, n], batch dims broadcast. */
  matmul: signature({ a: strided(f32), b: strided(f32) }, { c: grad }),
  /** x [n, in] · weightᵀ [in, out] + bias [out] → [n, out]. */
  linear: signature({ x: strided(f32), weight: strided(f32), bias: maybe(f32) }, { y: grad }),
};
type S = typeof s;
declare module './core.ts' {
  interface OpTypes extends S {}
}

/** The code of an epilogue that leaves the sums as they are. */
const NO_ACTIVATION = 0;
/** A batch of rank 0: one product. */
const SINGLE: readonly number[] = [0];

const SWAPPED = [1, 0] as const;
const transposed = (o: Ops, x: Tensor): Tensor => {
  if (x.ndim === 2) return o.permute({ x }, { dims: SWAPPED });
  const dims = x.sizes.map((_, d) => d);
  dims.push(...(dims.splice(-2).reverse() as [number, number]));
  return o.permute({ x }, { dims });
};

/** Strides of the batch dims of `x`, those before the last two, over the broadcast batch `shape`. */
const batchStrides = (x: Tensor, shape: Shape): number[] =>
  broadcastTo(x.sizes.slice(0, -2), x.steps.slice(0, -2), shape);

/** The batch of a product for the kernel. */
function batchDims(c: Tensor, a: Tensor, b: Tensor): number[] {
  const batch = c.sizes.slice(0, -2);
  return loopDims(batch, batchStrides(a, batch), batchStrides(b, batch), c.steps.slice(0, -2));
}

/** Of the last two dims. */
const lastTwo = (numbers: readonly number[]): [number, number] => [
  numbers[numbers.length - 2] as number,
  numbers[numbers.length - 1] as number,
];

export const matmulRows = family(s, () => ({
  matmul: row(s.matmul, {
    outputs: (make, { a, b }, _, op) => {
      if (a.ndim < 2 || b.ndim < 2)
        throw new ShapeError(
          `${op}: expected at least 2 dims each, got ${formatShape(a.sizes)} and ${formatShape(b.sizes)}`,
        );
      const [m, k] = lastTwo(a.sizes);
      const [inner, n] = lastTwo(b.sizes);
      if (k !== inner)
        throw new ShapeError(
          `${op}: expected inner dimensions to match, got ${formatShape(a.sizes)} and ${formatShape(b.sizes)}`,
        );
      if (a.ndim === 2 && b.ndim === 2) return { c: make([m, n], 'f32') };
      return { c: make([...broadcastShapes(op, a.sizes.slice(0, -2), b.sizes.slice(0, -2)), m, n], 'f32') };
    },
    forward: (k, { c }, { a, b }) => {
      const [m, n] = lastTwo(c.sizes);
      const [aRow, aCol] = lastTwo(a.steps);
      const [bRow, bCol] = lastTwo(b.steps);
      const [, inner] = lastTwo(a.sizes);
      const dims = c.ndim === 2 ? SINGLE : batchDims(c, a, b);
      k.gemm_f32({ c, a, b, bias: null, m, n, k: inner, aRow, aCol, bRow, bCol, cRow: n, act: NO_ACTIVATION, dims });
    },
    saves: ['a', 'b'],
    backward: (o, { c: g }, { a, b }, _, { needs }) => ({
      a: needs.a ? o.matmul({ a: g, b: transposed(o, b) }) : null,
      b: needs.b ? o.matmul({ a: transposed(o, a), b: g }) : null,
    }),
  }),
  linear: row(s.linear, {
    outputs: (make, { x, weight, bias }, _, op) => {
      if (x.ndim !== 2 || weight.ndim !== 2 || x.sizes[1] !== weight.sizes[1])
        throw new ShapeError(
          `${op}: expected input [n, in] and weight [out, in], got ${formatShape(x.sizes)} and ${formatShape(weight.sizes)}`,
        );
      const out = weight.sizes[0] as number;
      if (bias) expectShape(op, 'bias', bias, [out]);
      return { y: make([x.sizes[0] as number, out], 'f32') };
    },
    forward: (k, { y }, { x, weight, bias }) => {
      const [m, inner] = x.sizes as [number, number];
      const n = weight.sizes[0] as number;
      const [aRow, aCol] = x.steps as [number, number];
      // B is weightᵀ: its rows are the weight's columns.
      const [bCol, bRow] = weight.steps as [number, number];
      const [act, dims] = [NO_ACTIVATION, SINGLE];
      k.gemm_f32({ c: y, a: x, b: weight, bias, m, n, k: inner, aRow, aCol, bRow, bCol, cRow: n, act, dims });
    },
    saves: ['x', 'weight'],
    backward: (o, { y: g }, { x, weight }, _, { needs }) => ({
      x: needs.x ? o.matmul({ a: g, b: weight }) : null,
      weight: needs.weight ? o.matmul({ a: transposed(o, g), b: x }) : null,
      bias: needs.bias ? sum(o, g, 0, 1) : null,
    }),
  }),
}));
