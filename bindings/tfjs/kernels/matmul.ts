// Matrix products. One GEMM reads both operands through strides, so that a transpose is never copied.
import { formatShape, ShapeError } from '../../memory/errors.ts';
import { broadcastTo, loopDims } from '../../ops/shapes.ts';
import { contiguousStrides, numelOf, type Shape } from '../../sizes.ts';
import type { Backend } from '../backend.ts';
import type { Data } from '../data.ts';
import type { Info } from '../engine.ts';
import { F, type Family, I, maybe, row } from '../row.ts';
import { applyActivation, type Fused, isFusable } from './fused.ts';
import { part, stretch } from './layout.ts';

interface Transposes {
  readonly transposeA?: boolean;
  readonly transposeB?: boolean;
}

/** A batch of products c [m, n] = a [m, k] · b [k, n]; strides in elements. */
export interface Product {
  readonly a: Data;
  readonly b: Data;
  readonly m: number;
  readonly k: number;
  readonly n: number;
  readonly aRow: number;
  readonly aCol: number;
  readonly bRow: number;
  readonly bCol: number;
  readonly batch: Shape;
  /** Strides of the batch. */
  readonly aBatch: readonly number[];
  readonly bBatch: readonly number[];
}

/** No dims of a batch; and one product, as the kernel has it. */
const NONE: Shape = [];
const SINGLE: readonly number[] = [0];

/** Strides of the batch of an operand over the stretched `batch`. */
const batchStrides = (shape: Shape, batch: Shape): number[] =>
  broadcastTo(shape.slice(0, -2), contiguousStrides(shape).slice(0, -2), batch);

/** Rows and columns of a matrix, or of its transpose. */
function sides(shape: Shape, turned: boolean): readonly [number, number] {
  const rows = shape[shape.length - 2] as number;
  const columns = shape[shape.length - 1] as number;
  return turned ? [columns, rows] : [rows, columns];
}

/** @throws ShapeError unless both are batches of matrices that can be multiplied */
function productOf(
  backend: Backend,
  a: Info,
  b: Info,
  { transposeA = false, transposeB = false }: Transposes,
): Product {
  if (a.shape.length < 2 || b.shape.length < 2)
    throw new ShapeError(
      `matMul: expected at least 2 dims each, got ${formatShape(a.shape)} and ${formatShape(b.shape)}; reshape() first`,
    );
  const [m, k] = sides(a.shape, transposeA);
  const [inner, n] = sides(b.shape, transposeB);
  if (k !== inner)
    throw new ShapeError(
      `matMul: inner shapes (${k}) and (${inner}) of Tensors with shapes ${a.shape} and ${b.shape} and ` +
        `transposeA=${transposeA} and transposeB=${transposeB} must match; transpose one`,
    );
  const single = a.shape.length === 2 && b.shape.length === 2;
  const batch = single ? NONE : stretch('matMul', a.shape.slice(0, -2), b.shape.slice(0, -2));
  // In one literal, which engines make at once.
  return {
    a: backend.at(a),
    b: backend.at(b),
    m,
    k,
    n,
    aRow: transposeA ? 1 : k,
    aCol: transposeA ? m : 1,
    bRow: transposeB ? 1 : n,
    bCol: transposeB ? k : 1,
    batch,
    aBatch: single ? NONE : batchStrides(a.shape, batch),
    bBatch: single ? NONE : batchStrides(b.shape, batch),
  };
}

/** c = a · b + bias, `act` being 1 for relu. */
export function multiply(backend: Backend, product: Product, c: Data, bias: Data | null, act: 0 | 1): void {
  if (c.size === 0) return;
  const { a, b, m, k, n, aRow, aCol, bRow, bCol, batch, aBatch, bBatch } = product;
  let dims = SINGLE;
  if (numelOf(batch) !== 1) {
    const cBatch = contiguousStrides(batch).map((step) => step * m * n);
    dims = loopDims(batch, aBatch, bBatch, cBatch);
  }
  backend.kernels.gemm_f32({ c, a, b, bias, m, n, k, aRow, aCol, bRow, bCol, cRow: n, act, dims });
}

/** c = a · b of integers, exact modulo 2^32: row by row, all products and then their sums. */
function multiplyIntegers({ kernels }: Backend, product: Product, c: Data, products: Data): void {
  const { a, b, m, k, n, aRow, aCol, bRow, bCol, batch, aBatch, bBatch } = product;
  const at = contiguousStrides(batch);
  for (let i = 0; i < numelOf(batch); i++) {
    const index = batch.map((size, d) => Math.floor(i / (at[d] as number)) % size);
    const from = (steps: readonly number[]): number => index.reduce((sum, x, d) => sum + x * (steps[d] as number), 0);
    for (let j = 0; j < m; j++) {
      const row = part(a, from(aBatch) + j * aRow);
      const dims = [2, k, n, aCol, 0, bRow, bCol];
      kernels.mul_forward_i32({ y: products, a: row, b: part(b, from(bBatch)), dims });
      const y = part(c, (i * m + j) * n);
      kernels.sum_i32({ y, x: products, outer: 1, r: k, inner: n, stride: n });
    }
  }
}

export const matmul: Family = {
  kernels: [],
  rows: {
    BatchMatMul: row<{ a: number; b: number }, Transposes>(
      { a: F | I, b: F | I },
      (backend, { a, b }, attrs) => {
        const product = productOf(backend, a, b, attrs);
        const { batch, m, k, n } = product;
        const c = backend.make([...batch, m, n], a.dtype as 'float32' | 'int32');
        if (a.dtype === 'float32') multiply(backend, product, c.dataId, null, 0);
        else multiplyIntegers(backend, product, c.dataId, backend.temporary(k * n, 'int32'));
        return c;
      },
      ({ a, b }) => a.dtype === b.dtype,
    ),
    _FusedMatMul: row(
      { a: F, b: F, bias: maybe(F), preluActivationWeights: maybe(F) },
      (backend, { a, b, bias, preluActivationWeights }, attrs: Transposes & Fused) => {
        const product = productOf(backend, a, b, attrs);
        const { batch, m, n } = product;
        const c = backend.make([...batch, m, n], 'float32');
        // A bias for each column goes into the product; others are added to it.
        const inside = bias && numelOf(bias.shape) === n && bias.shape[bias.shape.length - 1] === n;
        const relu = attrs.activation === 'relu' && (inside || !bias);
        multiply(backend, product, c.dataId, inside ? backend.at(bias) : null, relu ? 1 : 0);
        const after = relu ? { ...attrs, activation: 'linear' } : attrs;
        applyActivation(backend, c, inside ? undefined : bias, after, preluActivationWeights);
        return c;
      },
      (_, attrs) => isFusable(attrs),
    ),
  },
};
