// Where elements are not 0. How many there are depends on their values, which are read.
import { ops } from '../autograd.ts';
import { callable } from '../signature.ts';
import type { Tensor } from '../tensor.ts';
import { constantFor } from './arguments.ts';
import { coordinatesOf, positionsIn } from './places.ts';

/** Options of {@link nonzero}. */
export interface NonzeroOptions {
  /** Whether the indices of each dim come as a list of their own. @defaultValue false */
  asTuple?: boolean;
}

const MASKS = 'work with the mask itself, as by where() or a product; or call it outside of the compiled function';

/** The indices of the elements that are not 0, in row-major order: a list for each dim. */
const lists = (op: string, x: Tensor): Tensor[] =>
  coordinatesOf(positionsIn(op, x, MASKS), x.ndim === 0 ? [1] : x.sizes);

/** The same as rows. */
function rows(op: string, x: Tensor): Tensor {
  if (x.ndim === 0) return constantFor(x, 0, 'i32', [positionsIn(op, x, MASKS).size, 0]);
  return ops.concat({ xs: lists(op, x).map((each) => ops.unsqueeze({ x: each }, { dim: 1 })) }, { dim: 1 });
}

/**
 * The indices of the elements of x that are not 0, in row-major order: i32 [count, ndim], or, with `asTuple`, a list
 * i32 [count] for each dim, by which `at` and `indexPut` find them.
 * @throws RecordingError inside of compile()
 */
export const nonzero = callable<{
  (x: Tensor, options?: NonzeroOptions & { readonly asTuple?: false }): Tensor;
  (x: Tensor, options: NonzeroOptions): Tensor | Tensor[];
  (x: Tensor, options: { readonly asTuple: true }): Tensor[];
}>('nonzero(x: Tensor, *, asTuple: bool = false)', (x: Tensor, asTuple: boolean) =>
  asTuple ? lists('nonzero', x) : (rows('nonzero', x) as never),
);

/**
 * The indices of the elements of x that are not 0, a row each: i32 [count, ndim]. @throws RecordingError in compile()
 */
export const argwhere = callable('argwhere(x: Tensor)', (x: Tensor): Tensor => rows('argwhere', x));

/**
 * Where the condition holds: a list of indices i32 [count] for each dim (PyTorch's `torch.where(condition)`).
 * @throws RecordingError inside of compile()
 */
export const whereIndices = callable('whereIndices(condition: Tensor)', (condition: Tensor): Tensor[] =>
  lists('whereIndices', condition),
);
