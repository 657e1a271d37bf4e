// Collectives on tensors.
import { ops, withoutTape } from '../autograd.ts';
import { tracing } from '../execute.ts';
import * as fn from '../functional/functions.ts';
import { ArgumentError, DtypeError, formatShape, ShapeError } from '../memory/errors.ts';
import { type Callable, callable } from '../signature.ts';
import { Tensor } from '../tensor.ts';
import type { Communicator } from './mpi/communicator.ts';
import { together } from './steps.ts';
import { ranks } from './world.ts';

/** How the numbers of all ranks become one. */
export type ReduceOp = 'sum' | 'mean' | 'max';

/** Options of {@link allReduce} and {@link reduceScatter}. */
export interface ReduceOptions {
  /** How the numbers of all ranks become one. @defaultValue 'sum' */
  op?: ReduceOp;
}

/** Options of {@link broadcast} and {@link gather}. */
export interface RootOptions {
  /** The rank that gives, or gets. @defaultValue 0 */
  root?: number;
}

/** @throws DtypeError for a mean of integers */
function expectMean(op: string, x: Tensor, reduction: ReduceOp): void {
  if (reduction === 'mean' && x.dtype !== 'f32')
    throw new DtypeError(
      `${op}: expected dtype f32 of a mean, got ${x.dtype}; take the sum, or convert it with .to('f32')`,
    );
}

/** @throws ArgumentError unless there is such a rank */
function expectRoot(op: string, communicator: Communicator | null, root: number): void {
  const size = communicator?.size ?? 1;
  if (root < 0 || root >= size)
    throw new ArgumentError(`${op}: expected root to be a rank of 0 … ${size - 1}, got ${root}`);
}

/** x *= 1 / size, where the mean is asked for. */
export function divide(x: Tensor, size: number): void {
  withoutTape(() => ops.scaleInto({ y: x, factor: ops.full({}, { shape: [], value: 1 / size }) }));
}

/**
 * Makes x, in place, the sum, mean or maximum of what it is on all ranks, and returns it (PyTorch's `all_reduce`). It
 * has no gradient. In a compiled function it is a step of the program.
 * @param x contiguous, of the same shape and dtype on all ranks
 * @throws DtypeError for a mean of integers; DistributedError where ranks differ
 * @example
 * ```ts
 * await distributed.init();
 * const seen = distributed.allReduce(tensor([64])); // the examples of all ranks
 * console.log(seen.item());
 * ```
 */
export const allReduce = callable<Callable<[x: Tensor], [op: ReduceOp], ReduceOptions, Tensor>>(
  "allReduce(x: Tensor, op: 'sum'|'mean'|'max' = 'sum')",
  (x: Tensor, op: ReduceOp): Tensor => {
    expectMean('allReduce', x, op);
    const communicator = ranks('allReduce');
    if (!communicator) return x;
    together(communicator, x, { what: 'allReduce', call: 'allReduce', operation: op === 'max' ? 'max' : 'sum' });
    if (op === 'mean') divide(x, communicator.size);
    return x;
  },
);

/**
 * Makes x, in place, what it is on the rank `root`, and returns it (PyTorch's `broadcast`).
 * @param x contiguous, of the same shape and dtype on all ranks
 * @throws ArgumentError where there is no such rank; DistributedError where ranks differ
 */
export const broadcast = callable<Callable<[x: Tensor], [root: number], RootOptions, Tensor>>(
  'broadcast(x: Tensor, root: int = 0)',
  (x: Tensor, root: number): Tensor => {
    const communicator = ranks('broadcast');
    expectRoot('broadcast', communicator, root);
    if (communicator) together(communicator, x, { what: 'broadcast', call: 'broadcast', root });
    return x;
  },
);

/** Room for x of all ranks, [size, ...shape], with this rank's own in its place. */
function stacked(x: Tensor, { rank, size }: { readonly rank: number; readonly size: number }): Tensor {
  return withoutTape(() => {
    const all = Tensor.allocate([size, ...x.sizes], x.dtype, 'allGather');
    ops.copy({ y: fn.select(all, 0, rank), x });
    return all;
  });
}

const ALONE = { rank: 0, size: 1 };

/**
 * What x is on each rank, [worldSize, ...shape] (PyTorch's `all_gather_into_tensor`, of a stack). It has no gradient.
 * @param x of the same shape and dtype on all ranks
 * @throws DistributedError where ranks differ
 */
export const allGather: (x: Tensor) => Tensor = callable('allGather(x: Tensor)', (x: Tensor): Tensor => {
  const communicator = ranks('allGather');
  const all = stacked(x, communicator ?? ALONE);
  if (communicator) together(communicator, all, { what: 'allGather', call: 'allGather' });
  return all;
});

/**
 * As {@link allGather}, for the rank `root` alone (PyTorch's `gather`); the others get null.
 * @param x of the same shape and dtype on all ranks
 * @throws ArgumentError where there is no such rank; DistributedError where ranks differ
 */
export const gather = callable<Callable<[x: Tensor], [root: number], RootOptions, Tensor | null>>(
  'gather(x: Tensor, root: int = 0)',
  (x: Tensor, root: number): Tensor | null => {
    const communicator = ranks('gather');
    expectRoot('gather', communicator, root);
    const all = stacked(x, communicator ?? ALONE);
    if (communicator) together(communicator, all, { what: 'gather', call: 'gather', root });
    if (!communicator || communicator.rank === root) return all;
    if (!tracing()) all.dispose();
    return null;
  },
);

/**
 * This rank's part of the sum, mean or maximum of x over all ranks: of [worldSize · n, ...], the n rows from
 * n · rank on (PyTorch's `reduce_scatter_tensor`). x stays. It has no gradient.
 * @param x of the same shape and dtype on all ranks
 * @throws ShapeError unless the first dim is a multiple of the number of ranks; DtypeError for a mean of integers;
 *   DistributedError where ranks differ
 */
export const reduceScatter = callable<Callable<[x: Tensor], [op: ReduceOp], ReduceOptions, Tensor>>(
  "reduceScatter(x: Tensor, op: 'sum'|'mean'|'max' = 'sum')",
  (x: Tensor, op: ReduceOp): Tensor => {
    expectMean('reduceScatter', x, op);
    const communicator = ranks('reduceScatter');
    const size = communicator?.size ?? 1;
    const rows = x.sizes[0] ?? 0;
    if (x.ndim === 0 || rows % size !== 0)
      throw new ShapeError(
        `reduceScatter: expected rows that ${size} ranks can share, got shape ${formatShape(x.sizes)}; pad it`,
      );
    const operation = op === 'max' ? 'max' : 'sum';
    return withoutTape(() => {
      const all = fn.clone(x.detach());
      if (!communicator) return all;
      together(communicator, all, { what: 'reduceScatter', call: 'reduceScatter', operation });
      const own = fn.clone(fn.narrow(all, 0, 0, rows / size));
      if (!tracing()) all.dispose();
      if (op === 'mean') divide(own, size);
      return own;
    });
  },
);

/**
 * Waits until all ranks have come here.
 * @throws RecordingError inside of a compiled function
 */
export const barrier: () => void = callable('barrier()', () => {
  tracing()?.refuse('barrier', 'call it outside of the compiled function');
  ranks('barrier')?.barrier();
});
