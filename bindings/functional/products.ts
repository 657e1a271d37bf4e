// Products of matrices and vectors by the names that PyTorch has for each: they check dims that matmul() leaves open.
import { ops } from '../autograd.ts';
import { ArgumentError, formatShape, ShapeError } from '../memory/errors.ts';
import { broadcastShapes, normalizeDim, sameShape } from '../ops/shapes.ts';
import { type Callable, callable } from '../signature.ts';
import type { Tensor } from '../tensor.ts';
import { constantFor } from './arguments.ts';
import { add, mul, sub } from './elementwise.ts';
import { matmul } from './matmul.ts';
import { diagEmbed, diagonal } from './rearrange.ts';
import { sum } from './reduction.ts';
import { select, stack } from './shape.ts';

/** Options of {@link addmm} and its like. */
export interface AddProductOptions {
  /** What x is multiplied by; at 0 it is passed over, NaN and all. @defaultValue 1 */
  beta?: number;
  /** What the product is multiplied by. @defaultValue 1 */
  alpha?: number;
}

/** A product of two tensors. */
export type ProductFunction = (x: Tensor, other: Tensor) => Tensor;
/** A tensor and the product of two others. */
export type AddProductFunction = (x: Tensor, a: Tensor, b: Tensor, options?: AddProductOptions) => Tensor;

/** @throws ShapeError unless there are as many dims */
function expectDims(op: string, x: Tensor, dims: number, what: string): void {
  if (x.ndim !== dims) throw new ShapeError(`${op}: expected ${what}, got ${formatShape(x.sizes)}`);
}

const KINDS = ['', 'a vector', 'a matrix', 'a batch of matrices'] as const;

/** @throws ShapeError */
function product(op: string, a: Tensor, b: Tensor, left: 1 | 2 | 3, right: 1 | 2 | 3): Tensor {
  expectDims(op, a, left, KINDS[left]);
  expectDims(op, b, right, KINDS[right]);
  if (left === 3 && a.sizes[0] !== b.sizes[0])
    throw new ShapeError(
      `${op}: expected batches of one size, got ${formatShape(a.sizes)} and ${formatShape(b.sizes)}`,
    );
  return matmul(a, b);
}

/* @__NO_SIDE_EFFECTS__ */
const productOf = (name: string, other: string, left: 1 | 2 | 3, right: 1 | 2 | 3): ProductFunction =>
  callable(`${name}(x: Tensor, ${other}: Tensor)`, (x: Tensor, y: Tensor): Tensor => product(name, x, y, left, right));

/** The product of two matrices. @throws ShapeError */
export const mm: ProductFunction = productOf('mm', 'mat2', 2, 2);

/** The products of two batches of matrices, [b, m, k] and [b, k, n]. @throws ShapeError */
export const bmm: ProductFunction = productOf('bmm', 'mat2', 3, 3);

/** The product of a matrix and a vector. @throws ShapeError */
export const mv: ProductFunction = productOf('mv', 'vec', 2, 1);

/** The sum of the products of two vectors. @throws ShapeError */
export const dot: ProductFunction = productOf('dot', 'tensor', 1, 1);

/** {@link dot}: there are no complex numbers. @throws ShapeError */
export const vdot: ProductFunction = productOf('vdot', 'other', 1, 1);

function outerOf(op: string, x: Tensor, y: Tensor): Tensor {
  expectDims(op, x, 1, KINDS[1]);
  expectDims(op, y, 1, KINDS[1]);
  return matmul(ops.reshape({ x }, { shape: [x.size, 1] }), ops.reshape({ x: y }, { shape: [1, y.size] }));
}

/** The products of all pairs of the elements of two vectors, [n, m]. @throws ShapeError */
export const outer: ProductFunction = callable(
  'outer(x: Tensor, vec2: Tensor)',
  (x: Tensor, vec2: Tensor): Tensor => outerOf('outer', x, vec2),
);

/** The sums of the products along the last dims of both; a single number multiplies the other. @throws ShapeError */
export const inner: ProductFunction = callable(
  'inner(x: Tensor, other: Tensor)',
  (x: Tensor, other: Tensor): Tensor => {
    if (x.ndim === 0 || other.ndim === 0) return mul(x, other);
    const n = x.sizes.at(-1) as number;
    if (other.sizes.at(-1) !== n)
      throw new ShapeError(
        `inner: expected last dims of one size, got ${formatShape(x.sizes)} and ${formatShape(other.sizes)}`,
      );
    const rows = (y: Tensor): Tensor =>
      ops.reshape({ x: y }, { shape: [y.sizes.slice(0, -1).reduce((a, b) => a * b, 1), n] });
    const y = ops.matmul({ a: rows(x), b: ops.permute({ x: rows(other) }, { dims: [1, 0] }) });
    return ops.reshape({ x: y }, { shape: [...x.sizes.slice(0, -1), ...other.sizes.slice(0, -1)] });
  },
);

/** beta x + alpha y, of y's shape. @throws ShapeError where x does not stretch to that */
function added(op: string, x: Tensor, y: Tensor, beta: number, alpha: number): Tensor {
  if (!sameShape(broadcastShapes(op, x.sizes, y.sizes), y.sizes))
    throw new ShapeError(`${op}: expected x to stretch to ${formatShape(y.sizes)}, got ${formatShape(x.sizes)}`);
  const scaled = alpha === 1 ? y : mul(y, alpha);
  if (beta === 0) return scaled;
  return add(beta === 1 ? x : mul(x, beta), scaled);
}

/* @__NO_SIDE_EFFECTS__ */
const adding = (name: string, a: string, b: string, of: (a: Tensor, b: Tensor) => Tensor): AddProductFunction =>
  callable<AddProductFunction>(
    `${name}(x: Tensor, ${a}: Tensor, ${b}: Tensor, *, beta: number = 1, alpha: number = 1)`,
    (x: Tensor, first: Tensor, second: Tensor, beta: number, alpha: number) =>
      added(name, x, of(first, second), beta, alpha),
  );

/** beta · x + alpha · the product of two matrices. @throws ShapeError */
export const addmm: AddProductFunction = adding('addmm', 'mat1', 'mat2', (a, b) => product('addmm', a, b, 2, 2));

/** beta · x + alpha · the product of a matrix and a vector. @throws ShapeError */
export const addmv: AddProductFunction = adding('addmv', 'mat', 'vec', (a, b) => product('addmv', a, b, 2, 1));

/** beta · x + alpha · the products of all pairs of two vectors. @throws ShapeError */
export const addr: AddProductFunction = adding('addr', 'vec1', 'vec2', (a, b) => outerOf('addr', a, b));

/** beta · x + alpha · the products of two batches of matrices. @throws ShapeError */
export const baddbmm: AddProductFunction = adding('baddbmm', 'batch1', 'batch2', (a, b) =>
  product('baddbmm', a, b, 3, 3),
);

/** beta · x + alpha · the sum of the products of two batches of matrices. @throws ShapeError */
export const addbmm: AddProductFunction = adding('addbmm', 'batch1', 'batch2', (a, b) =>
  sum(product('addbmm', a, b, 3, 3), 0),
);

/** The sum of the diagonal of a matrix. @throws ShapeError */
export const trace = callable('trace(x: Tensor)', (x: Tensor): Tensor => {
  expectDims('trace', x, 2, KINDS[2]);
  return sum(diagonal(x));
});

/** Options of {@link cross}. */
export interface CrossOptions {
  /** The dim of the vectors; null: the first one of size 3. @defaultValue null */
  dim?: number | null;
}

/** The cross product of vectors of three numbers along `dim`, broadcast. @throws ShapeError */
export const cross = callable<
  Callable<[x: Tensor, other: Tensor], [dim: number | null], CrossOptions, Tensor, ['x', 'other']>
>('cross(x: Tensor, other: Tensor, dim: int|null = null)', (x: Tensor, other: Tensor, dim: number | null) => {
  const shape = broadcastShapes('cross', x.sizes, other.sizes);
  const d = dim === null ? shape.indexOf(3) : normalizeDim('cross', dim, shape.length);
  const [a, b] = [x, other].map((y) => ops.expand({ x: y }, { shape })) as [Tensor, Tensor];
  if (shape[d] !== 3)
    throw new ShapeError(
      `cross: expected a dim of size 3, got ${formatShape(x.sizes)} and ${formatShape(other.sizes)}`,
    );
  const part = (i: number): Tensor => {
    const [j, k] = [(i + 1) % 3, (i + 2) % 3];
    return sub(mul(select(a, d, j), select(b, d, k)), mul(select(a, d, k), select(b, d, j)));
  };
  return stack([part(0), part(1), part(2)], d);
});

/** Kronecker's product: a copy of `other`, multiplied by it, in the place of each element of x. */
export const kron: ProductFunction = callable('kron(x: Tensor, other: Tensor)', (x: Tensor, other: Tensor): Tensor => {
  const dims = Math.max(x.ndim, other.ndim);
  const padded = (y: Tensor): number[] => [...new Array<number>(dims - y.ndim).fill(1), ...y.sizes];
  const [p, q] = [padded(x), padded(other)];
  const a = ops.reshape({ x }, { shape: p.flatMap((size) => [size, 1]) });
  const b = ops.reshape({ x: other }, { shape: q.flatMap((size) => [1, size]) });
  return ops.reshape({ x: mul(a, b) }, { shape: p.map((size, d) => size * (q[d] as number)) });
});

/**
 * The n-th power of square matrices, by squaring.
 * @throws ShapeError; ArgumentError for n < 0
 */
export const matrixPower = callable('matrixPower(x: Tensor, n: int)', (x: Tensor, n: number): Tensor => {
  const size = x.sizes.at(-1) as number;
  if (x.ndim < 2 || x.sizes.at(-2) !== size)
    throw new ShapeError(`matrixPower: expected square matrices, got ${formatShape(x.sizes)}`);
  if (n < 0) throw new ArgumentError(`matrixPower: expected n >= 0, got ${n}; inverses are not there`);
  if (n === 0) {
    const one = diagEmbed(constantFor(x, 1, 'f32', x.sizes.slice(0, -1)));
    return ops.where({ condition: constantFor(x, 0, 'u8'), a: x, b: one }); // its gradient is 0
  }
  if (n === 1) return ops.contiguous({ x });
  let y: Tensor | undefined;
  for (let square = x, left = n; left > 0; left = Math.floor(left / 2)) {
    if (left % 2 === 1) y = y ? matmul(y, square) : square;
    if (left > 1) square = matmul(square, square);
  }
  return y as Tensor;
});

/** The cheapest order of a chain of products: after which factor each part of it is cut. */
function cuts(sizes: readonly number[]): number[][] {
  const n = sizes.length - 1;
  const cost = Array.from({ length: n }, () => new Array<number>(n).fill(0));
  const cut = Array.from({ length: n }, () => new Array<number>(n).fill(0));
  const at = (i: number, j: number): number => (cost[i] as number[])[j] as number;
  for (let length = 1; length < n; length++)
    for (let i = 0; i + length < n; i++) {
      const j = i + length;
      (cost[i] as number[])[j] = Number.POSITIVE_INFINITY;
      for (let k = i; k < j; k++) {
        const own = (sizes[i] as number) * (sizes[k + 1] as number) * (sizes[j + 1] as number);
        const whole = at(i, k) + at(k + 1, j) + own;
        if (whole >= at(i, j)) continue;
        (cost[i] as number[])[j] = whole;
        (cut[i] as number[])[j] = k;
      }
    }
  return cut;
}

/** The product of matrices in the order that takes the fewest multiplications. @throws ShapeError */
export const chainMatmul = callable<(...matrices: Tensor[] | [matrices: readonly Tensor[]]) => Tensor>(
  'chainMatmul(...matrices: Tensor)',
  (matrices: readonly Tensor[]): Tensor => {
    if (matrices.length === 0) throw new ArgumentError('chainMatmul: expected at least one matrix, got none');
    for (const x of matrices) expectDims('chainMatmul', x, 2, KINDS[2]);
    const sizes = [(matrices[0] as Tensor).sizes[0] as number, ...matrices.map((x) => x.sizes[1] as number)];
    const cut = cuts(sizes);
    const part = (i: number, j: number): Tensor => {
      if (i === j) return matrices[i] as Tensor;
      const k = (cut[i] as number[])[j] as number;
      return product('chainMatmul', part(i, k), part(k + 1, j), 2, 2);
    };
    return matrices.length === 1 ? ops.contiguous({ x: matrices[0] as Tensor }) : part(0, matrices.length - 1);
  },
);
