// Matrix products of vectors, matrices and batches of them.
import { ops } from '../autograd.ts';
import { formatShape, ShapeError } from '../memory/errors.ts';
import { callable } from '../signature.ts';
import { numelOf, type Tensor } from '../tensor.ts';

/**
 * The matrix product over the last two dims; the dims before them are a batch and broadcast. A vector on the left is
 * a row and one on the right a column, and the result lacks that dim.
 * @param x [..., m, k] or [k]
 * @param other [..., k, n] or [k]
 * @returns [..., m, n]
 * @throws ShapeError where the inner dims differ, or an operand is a single number
 */
export const matmul = callable('matmul(x: Tensor, other: Tensor)', (x: Tensor, other: Tensor): Tensor => {
  if (x.ndim === 2 && other.ndim === 2 && x.sizes[1] === other.sizes[0]) return ops.matmul({ a: x, b: other });
  if (x.ndim === 0 || other.ndim === 0)
    throw new ShapeError(
      `matmul: expected at least 1 dim each, got ${formatShape(x.sizes)} and ${formatShape(other.sizes)}; use mul`,
    );
  if (x.sizes.at(-1) !== other.sizes.at(other.ndim === 1 ? 0 : -2))
    throw new ShapeError(
      `matmul: expected inner dimensions to match, got ${formatShape(x.sizes)} and ${formatShape(other.sizes)}`,
    );
  // Vectors become a row or a column, and lose that dim again.
  const rows = x.ndim === 1 ? ops.reshape({ x }, { shape: [1, x.size] }) : x;
  const columns = other.ndim === 1 ? ops.reshape({ x: other }, { shape: [other.size, 1] }) : other;
  const folds = rows.ndim > 2 && columns.ndim === 2 && rows.isContiguous();
  const [k, n] = columns.sizes.slice(-2) as [number, number];
  // One product of many rows instead of a batch of small ones; its weight gradient is one product as well.
  const y = folds
    ? ops.reshape(
        {
          x: ops.matmul({ a: ops.reshape({ x: rows }, { shape: [numelOf(rows.sizes.slice(0, -1)), k] }), b: columns }),
        },
        {
          shape: [...rows.sizes.slice(0, -1), n],
        },
      )
    : ops.matmul({ a: rows, b: columns });
  if (x.ndim > 1 && other.ndim > 1) return y;
  const shape = y.sizes.filter(
    (_, d) => !(x.ndim === 1 && d === y.ndim - 2) && !(other.ndim === 1 && d === y.ndim - 1),
  );
  return ops.reshape({ x: y }, { shape });
});
