// What a trace reads and writes of `.grad`. Nothing of it stays: a run sets what it leaves.
import { type Tensor, watchGradients } from '../tensor.ts';

export class Gradients {
  /** `.grad` as it was before the trace first wrote it. */
  readonly #before = new Map<Tensor, Tensor | null>();
  /** What was read of those that had not been written. */
  readonly read = new Map<Tensor, Tensor | null>();
  /** What was left. */
  readonly after = new Map<Tensor, Tensor | null>();

  /** Calls `fn`, and puts every `.grad` back as it was. */
  watch<T>(fn: () => T): T {
    watchGradients({
      read: (x, grad) => {
        if (!this.#before.has(x) && !this.read.has(x)) this.read.set(x, grad);
        return grad;
      },
      write: (x, grad) => {
        if (!this.#before.has(x)) this.#before.set(x, grad);
      },
    });
    try {
      return fn();
    } finally {
      watchGradients(null);
      for (const [x, grad] of this.#before) {
        this.after.set(x, x.grad);
        x.takeGrad(grad);
      }
    }
  }
}
