// Matrix products. One GEMM reads both operands through strides, so that a transpose is never copied.
import { formatShape, ShapeError } from '../../memory/errors.ts';
import { broadcastTo, loopDims } from '../../ops/shapes.ts';
import { contiguousStrides, numelOf, type Shape } from '../../sizes.ts';
import type { Backend } from '../backend.ts';
import type { Data } from '../data.ts';
import type { Info } from '../engine.ts';
import { F, type Family, maybe, row } from '../row.ts';
import { applyActivation, type Fused, isFusable } from './fused.ts';
import { stretch } from './layout.ts';

interface Transposes {
  readonly transposeA?: boolean;
  readonly transposeB?: boolean;
}

/** Strides of the batch of an operand over the stretched `batch`. */
const batchStrides = (shape: Shape, batch: Shape): number[] =>
  broadcastTo(shape.slice(0, -2), contiguousStrides(shape).slice(0, -2), batch);

/** c = a · b + bias, its `act` being 1 for relu. @throws ShapeError */
function multiply(
  backend: Backend,
  a: Info,
  b: Info,
  { transposeA = false, transposeB = false }: Transposes,
  bias: Data | null,
  act: 0 | 1,
): Info & { readonly dataId: Data } {
  const [ra, rb] = [a.shape.length, b.shape.length];
  if (ra < 2 || rb < 2)
    throw new ShapeError(
      `matMul: expected at least 2 dims each, got ${formatShape(a.shape)} and ${formatShape(b.shape)}; reshape() first`,
    );
  const [aRows, aCols] = a.shape.slice(-2) as [number, number];
  const [bRows, bCols] = b.shape.slice(-2) as [number, number];
  const [m, k] = transposeA ? [aCols, aRows] : [aRows, aCols];
  const [inner, n] = transposeB ? [bCols, bRows] : [bRows, bCols];
  if (k !== inner)
    throw new ShapeError(
      `matMul: inner shapes (${k}) and (${inner}) of Tensors with shapes ${a.shape} and ${b.shape} and ` +
        `transposeA=${transposeA} and transposeB=${transposeB} must match; transpose one`,
    );
  const batch = stretch('matMul', a.shape.slice(0, -2), b.shape.slice(0, -2));
  const c = backend.make([...batch, m, n], 'float32');
  const dims =
    numelOf(batch) === 1
      ? [0]
      : loopDims(batch, batchStrides(a.shape, batch), batchStrides(b.shape, batch), batchStrides(c.shape, batch));
  if (c.dataId.size === 0) return c;
  backend.kernels.gemm_f32({
    ...{ c: c.dataId, a: backend.at(a), b: backend.at(b), bias, m, n, k },
    ...{ aRow: transposeA ? 1 : k, aCol: transposeA ? m : 1, bRow: transposeB ? 1 : n, bCol: transposeB ? k : 1 },
    ...{ cRow: n, act, dims },
  });
  return c;
}

export const matmul: Family = {
  kernels: [],
  rows: {
    BatchMatMul: row<{ a: number; b: number }, Transposes>({ a: F, b: F }, (backend, { a, b }, attrs) =>
      multiply(backend, a, b, attrs, null, 0),
    ),
    _FusedMatMul: row(
      { a: F, b: F, bias: maybe(F), preluActivationWeights: maybe(F) },
      (backend, { a, b, bias, preluActivationWeights }, attrs: Transposes & Fused) => {
        const n = b.shape[b.shape.length - (attrs.transposeB ? 2 : 1)] as number;
        // A bias for each column goes into the product; others are added to it.
        const inside = bias && numelOf(bias.shape) === n && bias.shape[bias.shape.length - 1] === n;
        const relu = attrs.activation === 'relu' && (inside || !bias);
        const c = multiply(backend, a, b, attrs, inside ? backend.at(bias) : null, relu ? 1 : 0);
        const rest = relu ? { ...attrs, activation: 'linear' } : attrs;
        applyActivation(backend, c, inside ? undefined : bias, rest, preluActivationWeights);
        return c;
      },
      (_, attrs) => isFusable(attrs),
    ),
  },
};
