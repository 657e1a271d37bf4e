// Distances of all pairs of vectors.
import { ops } from '../autograd.ts';
import { ArgumentError, formatShape, ShapeError } from '../memory/errors.ts';
import { type Callable, callable } from '../signature.ts';
import type { Tensor } from '../tensor.ts';
import { asFloat, constantFor } from './arguments.ts';
import { add, gt, lt, mul, sub, where } from './elementwise.ts';
import { indexSelect } from './indexing.ts';
import { matmul } from './matmul.ts';
import { cumsum, mean, norm, sum } from './reduction.ts';
import { expand, reshape, slice, transpose, unsqueeze } from './shape.ts';

/** Whether distances of order 2 are computed by a product of matrices. */
export type CdistMode = 'useMmForEuclidDistIfNecessary' | 'useMmForEuclidDist' | 'donotUseMmForEuclidDist';

/** Options of {@link cdist}. */
export interface CdistOptions {
  /** The order of the norm, at least 0. @defaultValue 2 */
  p?: number;
  /**
   * Whether distances of order 2 are computed by a product of matrices, which is faster and loses digits of what is
   * near: where there are more than 25 vectors, always, or never. @defaultValue 'useMmForEuclidDistIfNecessary'
   */
  computeMode?: CdistMode;
}

/** Options of {@link pdist}. */
export interface PdistOptions {
  /** The order of the norm, at least 0. @defaultValue 2 */
  p?: number;
}

/** @throws ShapeError unless x has rows; ArgumentError for an order below 0 */
function expectRows(op: string, p: number, ...xs: Tensor[]): void {
  if (!(p >= 0)) throw new ArgumentError(`${op}: expected p >= 0, got ${p}`);
  for (const x of xs)
    if (x.ndim < 2) throw new ShapeError(`${op}: expected vectors [..., n, width], got ${formatShape(x.sizes)}`);
}

/**
 * √(|a|² + |b|² − 2 a · b). Both are moved to where b's middle is the origin, so that what is far from the origin loses
 * no digits; where both are equal there is no gradient.
 */
function byProduct(x1: Tensor, x2: Tensor): Tensor {
  const middle = mean(x2, -2, true).detach();
  const [a, b] = [sub(x1, middle), sub(x2, middle)];
  const squares = (x: Tensor): Tensor => sum(mul(x, x), -1);
  const all = add(unsqueeze(squares(a), -1), unsqueeze(squares(b), -2));
  const squared = sub(all, mul(matmul(a, transpose(b, -2, -1)), 2));
  const apart = gt(squared, 0);
  return where(apart, ops.sqrt({ x: where(apart, squared, 1) }), 0);
}

/**
 * The distances of all vectors of x1 to all of x2: [..., n, m] (PyTorch's `torch.cdist`).
 * @param x1 [..., n, width]
 * @param x2 [..., m, width]; the dims before broadcast
 * @throws ShapeError; ArgumentError for an order below 0
 */
export const cdist = callable<
  Callable<[x1: Tensor, x2: Tensor], [p: number, computeMode: CdistMode], CdistOptions, Tensor, ['x1', 'x2']>
>(
  "cdist(x1: Tensor, x2: Tensor, p: number = 2, computeMode: 'useMmForEuclidDistIfNecessary'|'useMmForEuclidDist'|'donotUseMmForEuclidDist' = 'useMmForEuclidDistIfNecessary')",
  (x1: Tensor, x2: Tensor, p: number, computeMode: CdistMode) => {
    expectRows('cdist', p, x1, x2);
    if (x1.sizes.at(-1) !== x2.sizes.at(-1))
      throw new ShapeError(
        `cdist: expected vectors of one width, got ${formatShape(x1.sizes)} and ${formatShape(x2.sizes)}`,
      );
    const [a, b] = [asFloat(x1), asFloat(x2)];
    const many = (a.sizes.at(-2) as number) > 25 || (b.sizes.at(-2) as number) > 25;
    const product = computeMode === 'useMmForEuclidDist' || (many && computeMode === 'useMmForEuclidDistIfNecessary');
    if (p === 2 && product && b.size > 0) return byProduct(a, b);
    return norm(sub(unsqueeze(a, -2), unsqueeze(b, -3)), p, -1);
  },
);

/**
 * The distances of all pairs of rows of x, each once: of rows 0 and 1, 0 and 2, … 1 and 2, … (PyTorch's `F.pdist`).
 * @param x [n, width]
 * @returns [n (n − 1) / 2]
 * @throws ShapeError; ArgumentError for an order below 0
 */
export const pdist = callable<Callable<[x: Tensor], [p: number], PdistOptions, Tensor>>(
  'pdist(x: Tensor, p: number = 2)',
  (x: Tensor, p: number) => {
    expectRows('pdist', p, x);
    if (x.ndim !== 2) throw new ShapeError(`pdist: expected vectors [n, width], got ${formatShape(x.sizes)}`);
    const n = x.sizes[0] as number;
    const pairs = (n * (n - 1)) / 2;
    const rows = asFloat(x);
    if (pairs === 0) return sum(slice(rows, 0, 0, 0), 1);
    const numbers = sub(cumsum(constantFor(x, 1, 'i32', [n]), 0), 1);
    const [first, second] = [unsqueeze(numbers, 1), unsqueeze(numbers, 0)];
    const places = ops.maskPositions({ mask: lt(first, second) }, { count: pairs });
    const [i, j] = [first, second].map((index) =>
      indexSelect(rows, 0, indexSelect(reshape(expand(index, [n, n]), [n * n]), 0, places)),
    ) as [Tensor, Tensor];
    return norm(sub(i, j), p, -1);
  },
);
