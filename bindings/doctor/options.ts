// What the doctor is told.
import type { Tensor } from '../tensor.ts';

/** Batches, as often as they are asked for: an array, or a `DataLoader`. */
export type Batches = Iterable<readonly Tensor[]>;

/** A loss of an output and a target: a function such as `functional.crossEntropy`, or a module such as `nn.MSELoss`. */
export type LossLike =
  | ((output: Tensor, target: Tensor, ...options: never[]) => Tensor)
  | {
      /** What it computes. */
      forward(output: Tensor, target: Tensor): Tensor;
    };

/** Options of {@link watch}. */
export interface WatchOptions {
  /** The loss that the program calls; without it rules that need one say nothing. @defaultValue null */
  loss?: LossLike | null;
  /** What the model learns from; without it: what the steps were handed. @defaultValue null */
  train?: Batches | null;
  /** What it does not learn from. @defaultValue null */
  validation?: Batches | null;
  /**
   * Every how many steps gradients, weights and updates are measured at first; later on less often. The loss is noted
   * at each.
   * @defaultValue 10
   */
  every?: number;
}

/** What a step was about; see {@link Doctor.step}. */
export interface StepOptions {
  /** What the model got. @defaultValue undefined */
  input?: Tensor;
  /** What it should have said. @defaultValue undefined */
  target?: Tensor;
  /** What it said. @defaultValue undefined */
  output?: Tensor;
}
