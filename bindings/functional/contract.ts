// Sums of products of two tensors whose dims have names: one batched product of matrices.
import { ops } from '../autograd.ts';
import { ArgumentError } from '../memory/errors.ts';
import { reshaped } from '../ops/shape.ts';
import { sameShape } from '../ops/shapes.ts';
import { numelOf, type Shape, type Tensor } from '../tensor.ts';
import { diagonal } from './rearrange.ts';
import { sum } from './reduction.ts';

/** A tensor with a name for each dim. Of dims of one name there is one. */
export interface Named {
  readonly x: Tensor;
  readonly names: readonly string[];
}

/** x in another shape: a view where its strides allow that. */
const shaped = (x: Tensor, shape: Shape): Tensor => (sameShape(x.sizes, shape) ? x : reshaped(ops, x, shape));

/** With the dims in another order, which has all of them. */
export function ordered({ x, names }: Named, order: readonly string[]): Tensor {
  return order.every((name, d) => name === names[d])
    ? x
    : ops.permute({ x }, { dims: order.map((name) => names.indexOf(name)) });
}

/** The diagonals of dims of one name. @throws ArgumentError where those differ in size */
export function withoutRepeats(op: string, { x, names }: Named): Named {
  for (const [d, name] of names.entries()) {
    const first = names.indexOf(name);
    if (first === d) continue;
    if (x.sizes[first] !== x.sizes[d])
      throw new ArgumentError(
        `${op}: expected dims of one name to have one size, got ${x.sizes[first]} and ${x.sizes[d]} for '${name}'`,
      );
    const others = names.filter((_, i) => i !== first && i !== d);
    return withoutRepeats(op, { x: diagonal(x, 0, first, d), names: [...others, name] });
  }
  return { x, names };
}

/** The sum over all dims but those that are kept. */
export function summed({ x, names }: Named, keep: ReadonlySet<string>): Named {
  const gone = names.flatMap((name, d) => (keep.has(name) ? [] : [d]));
  return gone.length === 0 ? { x, names } : { x: sum(x, gone), names: names.filter((name) => keep.has(name)) };
}

/**
 * The product of a and b, summed over all dims but those that are kept. What both have and is kept is a batch; what is
 * summed is the inner dim of products of matrices. Dims of one name have one size.
 */
export function contract(first: Named, second: Named, keep: ReadonlySet<string>): Named {
  const [p, q] = [first.names, second.names];
  const a = summed(first, new Set([...keep, ...q]));
  const b = summed(second, new Set([...keep, ...p]));
  const both = a.names.filter((name) => b.names.includes(name));
  const batch = both.filter((name) => keep.has(name));
  const inner = both.filter((name) => !keep.has(name));
  const rows = a.names.filter((name) => !both.includes(name));
  const columns = b.names.filter((name) => !both.includes(name));
  const sizes = (names: readonly string[], { x, names: all }: Named): number[] =>
    names.map((name) => x.sizes[all.indexOf(name)] as number);
  const [lead, m, n, k] = [sizes(batch, a), sizes(rows, a), sizes(columns, b), sizes(inner, a)];
  const left = ordered(a, [...batch, ...rows, ...inner]);
  const right = ordered(b, [...batch, ...inner, ...columns]);
  const names = [...batch, ...rows, ...columns];
  const shape = [...lead, ...m, ...n];
  // Nothing is summed, and one is a factor of the other: no product of matrices.
  if (inner.length === 0 && (rows.length === 0 || columns.length === 0)) {
    const stretched = (x: Tensor): Tensor =>
      x.ndim === shape.length ? x : shaped(x, [...x.sizes, ...shape.slice(x.ndim).map(() => 1)]);
    return { x: ops.mul({ a: stretched(left), b: stretched(right) }), names };
  }
  const product = ops.matmul({
    a: shaped(left, [...lead, numelOf(m), numelOf(k)]),
    b: shaped(right, [...lead, numelOf(k), numelOf(n)]),
  });
  return { x: shaped(product, shape), names };
}
