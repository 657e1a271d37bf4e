// Matrix products. One GEMM serves them all: it reads A and B through strides, so a transpose is never copied.
import { formatShape, ShapeError } from '../runtime/errors.ts';
import type { Shape, Tensor } from '../tensor.ts';
import { broadcastShapes, expectDtype, expectShape, loopDims } from './shapes.ts';
import type { Kernels, Ops, Rows } from './types.ts';

export interface MatmulOps {
  /** [..., m, k] · [..., k, n] → [..., m, n], batch dims broadcast. */
  matmul(a: Tensor, b: Tensor): Tensor;
  /** x [n, in] · weightᵀ [in, out] + bias [out] → [n, out]. */
  linear(x: Tensor, weight: Tensor, bias: Tensor | null): Tensor;
}

/** Codes of the GEMM epilogue. */
const NO_ACTIVATION = 0;
/** A batch of rank 0: one product. */
const SINGLE: readonly number[] = [0];

const transposed = (o: Ops, x: Tensor): Tensor => {
  const dims = x.shape.map((_, d) => d);
  dims.push(...(dims.splice(-2).reverse() as [number, number]));
  return o.permute(x, { dims });
};

/** Batch dims in front of the last two, as strides over the broadcast batch `shape`. */
function batchStrides(x: Tensor, shape: Shape): number[] {
  const lead = shape.length - (x.ndim - 2);
  return shape.map((size, d) =>
    d < lead || (x.shape[d - lead] === 1 && size !== 1) ? 0 : (x.strides[d - lead] as number),
  );
}

/** out = a · b + bias over all batches; `out` is contiguous, `a` and `b` have any strides. */
function gemm(k: Kernels, out: Tensor, a: Tensor, b: Tensor, bias: Tensor | null): void {
  const [m, n] = out.shape.slice(-2) as [number, number];
  const inner = a.shape.at(-1) as number;
  const batch = out.shape.slice(0, -2);
  const [aRow, aColumn] = a.strides.slice(-2) as [number, number];
  const [bRow, bColumn] = b.strides.slice(-2) as [number, number];
  const dims = loopDims(batch, batchStrides(a, batch), batchStrides(b, batch), out.strides.slice(0, -2));
  k.gemm_f32(out, a, b, bias, m, n, inner, aRow, aColumn, bRow, bColumn, n, 0, NO_ACTIVATION, dims);
}

export const matmulRows: Rows<MatmulOps> = {
  matmul: {
    strided: true,
    infer: ([a, b]) => {
      expectDtype('matmul', a, 'f32');
      expectDtype('matmul', b, 'f32');
      if (a.ndim < 2 || b.ndim < 2)
        throw new ShapeError(
          `matmul: expected at least 2 dims each, got ${formatShape(a.shape)} and ${formatShape(b.shape)}`,
        );
      if (a.shape.at(-1) !== b.shape.at(-2))
        throw new ShapeError(
          `matmul: expected inner dimensions to match, got ${formatShape(a.shape)} and ${formatShape(b.shape)}`,
        );
      const batch = broadcastShapes('matmul', a.shape.slice(0, -2), b.shape.slice(0, -2));
      return [{ shape: [...batch, a.shape.at(-2) as number, b.shape.at(-1) as number], dtype: 'f32' }];
    },
    forward: (k, [out], [a, b]) => gemm(k, out as Tensor, a, b, null),
    saves: 'inputs',
    backward: (o, g, { inputs: [a, b], needs }) => [
      needs[0] ? o.matmul(g, transposed(o, b)) : null,
      needs[1] ? o.matmul(transposed(o, a), g) : null,
    ],
  },
  linear: {
    strided: true,
    infer: ([x, weight, bias]) => {
      for (const input of [x, weight, bias]) if (input) expectDtype('linear', input, 'f32');
      if (x.ndim !== 2 || weight.ndim !== 2 || x.shape[1] !== weight.shape[1])
        throw new ShapeError(
          `linear: expected input [n, in] and weight [out, in], got ${formatShape(x.shape)} and ${formatShape(weight.shape)}`,
        );
      const out = weight.shape[0] as number;
      if (bias) expectShape('linear', 'bias', bias, [out]);
      if (bias && !bias.isContiguous())
        throw new ShapeError('linear: expected a contiguous bias, got a strided one; use contiguous()');
      return [{ shape: [x.shape[0] as number, out], dtype: 'f32' }];
    },
    forward: (k, [out], [x, weight, bias]) => {
      const [n, inner] = x.shape as [number, number];
      const features = weight.shape[0] as number;
      const [xRow, xColumn] = x.strides as [number, number];
      const [wRow, wColumn] = weight.strides as [number, number];
      // B is weightᵀ: its rows are the weight's columns.
      const strides = [xRow, xColumn, wColumn, wRow, features] as const;
      k.gemm_f32(out as Tensor, x, weight, bias, n, features, inner, ...strides, 0, NO_ACTIVATION, SINGLE);
    },
    saves: 'inputs',
    backward: (o, g, { inputs: [x, weight], needs }) => [
      needs[0] ? o.matmul(g, weight) : null,
      needs[1] ? o.matmul(transposed(o, g), x) : null,
      needs[2] ? o.sum(g, { dim: 0, end: 1, keepdim: false }) : null,
    ],
  },
};
