import type { Tensor } from '../tensor.ts';

/** What each way to explain a model takes. */
export interface AttributeOptions {
  /**
   * Which output to explain: its index along the last dimension, for all samples or one for each.
   * @defaultValue that of the highest output of each sample
   */
  readonly target?: number | readonly number[] | Tensor;
  /**
   * What stands for "no information": of the shape of the inputs, or one that broadcasts to it.
   * @defaultValue `0`
   */
  readonly baseline?: number | Tensor;
}
