import type { Tensor } from '../tensor.ts';

/** A figure of a whole epoch, of which one sees a batch at a time. */
export interface Metric<Value = number> {
  /** Forgets what it has seen. */
  reset(): void;
  /**
   * Adds a batch. A trainer calls it inside of a scope: tensors that it goes on with have to be kept.
   * @param output - of the model
   * @param target - of the data
   */
  update(output: Tensor, target: Tensor): void;
  /** The figure over all batches since the last reset. */
  compute(): Value;
  /** What a checkpoint keeps of it: JSON with tensors and typed arrays. Without it an epoch has to end in one run. */
  state?(): unknown;
  /** Goes on from there; tensors are `{ dtype, shape, data }` then. */
  loadState?(state: never): void;
}
