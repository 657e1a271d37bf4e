// Adam for tables of which a step takes a few rows.
import { ArgumentError, formatShape } from '../memory/errors.ts';
import type { SparseTensor } from '../ops/sparse-tensor.ts';
import { type Arguments, signature } from '../signature.ts';
import type { Tensor } from '../tensor.ts';
import { Optimizer, type Params, type State } from './optimizer.ts';
import { expectRange, kinds } from './settings.ts';

/** Options of SparseAdam. */
export interface SparseAdamOptions {
  /** The learning rate, above 0. @defaultValue 1e-3 */
  lr: number;
  /** The decay of the averages of the gradient and of its square, from 0 to below 1. @defaultValue [0.9, 0.999] */
  betas: readonly [number, number];
  /** Added to the root of the second average, above 0. @defaultValue 1e-8 */
  eps: number;
  /** Whether to go up the gradient, not down. @defaultValue false */
  maximize: boolean;
}

const sparseAdam = signature(
  'SparseAdam(params: any, lr: number = 1e-3, betas: betas = [0.9, 0.999], eps: number = 1e-8, maximize: bool = false)',
  kinds,
);

/**
 * Adam for sparse gradients, such as those of embeddings with `sparse: true`: a step changes the rows that the gradient
 * has, their averages included, and no others (PyTorch's `optim.SparseAdam`). It takes as long as there are such rows.
 * @example
 * ```ts
 * const words = new nn.Embedding(50_000, 128, { sparse: true });
 * const optimizer = new optim.SparseAdam(words.parameters(), { lr: 1e-3 });
 * words.forward(tensor([3, 7], { dtype: 'i32' })).square().mean().backward();
 * optimizer.step(); // changes rows 3 and 7
 * ```
 */
export class SparseAdam extends Optimizer<SparseAdamOptions> {
  /** @param params parameters, or groups of them with options of their own */
  constructor(
    ...args: Arguments<
      [params: Params<SparseAdamOptions>],
      [lr: number, betas: readonly [number, number], eps: number, maximize: boolean],
      Partial<SparseAdamOptions>
    >
  ) {
    super(sparseAdam, args);
  }
  /** @internal */
  protected check({ lr, betas, eps }: SparseAdamOptions): void {
    for (const [name, value] of Object.entries({ lr, eps })) {
      expectRange('SparseAdam', name, value);
      if (value === 0) throw new ArgumentError(`SparseAdam: expected ${name} > 0, got 0`);
    }
    betas.forEach((beta, i) => {
      expectRange('SparseAdam', `betas[${i}]`, beta, 0, 1);
    });
  }
  /** @internal */
  protected hyper({ lr, betas, eps, maximize }: SparseAdamOptions): readonly number[] {
    return [lr, 0, Number(maximize), 1 - betas[0], 1 - betas[1], eps];
  }
  /** @internal */
  protected stateOf(): Record<string, number> {
    return { exp_avg: 0, exp_avg_sq: 0 };
  }
  /** @internal */
  protected override expectGradient(g: Tensor): void {
    if (!g.isSparse)
      throw new ArgumentError(
        `step: expected sparse gradients, since SparseAdam does not support dense ones, got one of shape ${formatShape(g.sizes)}; please consider Adam instead`,
      );
  }
  /** @internal */
  protected update(p: Tensor, g: Tensor, state: State, hyper: Tensor): void {
    const { step, exp_avg, exp_avg_sq } = state as State & Record<'exp_avg' | 'exp_avg_sq', Tensor>;
    (g as SparseTensor).step(p, 'sparseAdam', { a: exp_avg, b: exp_avg_sq, step, hyper });
  }
}
