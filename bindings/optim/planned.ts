// Optimizers whose step takes several ops: what they need is computed for all parameters before the first is written.
import { scope } from '../scope.ts';
import type { Tensor } from '../tensor.ts';
import { Optimizer, type State, type Update } from './optimizer.ts';

/** Base class of optimizers that plan first, and then write without a chance to fail. */
export abstract class Planned<O extends object> extends Optimizer<O> {
  /** Computes the step of a parameter and has all memory that it takes; what it gives writes. @internal */
  protected abstract plan(p: Tensor, g: Tensor, state: State, hyper: Tensor, group: O): () => void;
  /** @internal */
  protected override updateAll(forAll: (update: Update) => void, count: () => void, undo: () => void): void {
    scope(() => {
      const writes: (() => void)[] = [];
      try {
        forAll((p, g, state, hyper, group) => writes.push(this.plan(p, g, state, hyper, group as O)));
      } catch (error) {
        undo();
        throw error;
      }
      count();
      for (const write of writes) write();
    });
  }
  /** @internal */
  protected update(p: Tensor, g: Tensor, state: State, hyper: Tensor, group: O): void {
    this.plan(p, g, state, hyper, group)();
  }
}
