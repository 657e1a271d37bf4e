// What a trace reads and writes of `.grad` and of requiresGrad. Nothing of it stays: a run sets what it leaves.
import { type GradientWatch, gradients } from '../gradient-watch.ts';
import type { Owner } from '../memory/arena.ts';
import { formatShape, RecordingError } from '../memory/errors.ts';
import type { GradNode, Tensor } from '../tensor.ts';

export class Gradients {
  readonly #trace: Owner;
  /** As it was before the trace first wrote it. */
  readonly #grads = new Map<Tensor, Tensor | null>();
  readonly #flags = new Map<Tensor, { on: boolean; node: GradNode | null; slot: number; edition: number }>();
  readonly #arguments = new Set<Tensor>();
  readonly #given = new Set<Tensor>();
  /** Looks at memory from outside that the trace made: nobody else has them. */
  readonly #own = new WeakSet<Tensor>();
  /** What was read of tensors from outside that had not been written. */
  readonly read = new Map<Tensor, Tensor | null>();
  /** What was left. */
  readonly after = new Map<Tensor, Tensor | null>();
  readonly flagsAfter = new Map<Tensor, boolean>();

  constructor(trace: Owner) {
    this.#trace = trace;
  }

  /** Notes what stands for an argument, and for the gradient that it comes with. */
  give(x: Tensor, grad: Tensor | null): void {
    this.#arguments.add(x);
    if (grad) this.#given.add(grad);
  }

  /** Whether the trace made `x`, over whatever memory. */
  made(x: Tensor): boolean {
    return this.#own.has(x);
  }

  /** Whether `x` required a gradient when the trace began. */
  required(x: Tensor): boolean {
    return this.#flags.get(x)?.on ?? x.requiresGrad;
  }

  /** Calls `fn`, and puts everything back as it was. */
  watch<T>(fn: () => T): T {
    const trace = this.#trace;
    const watch: GradientWatch<Tensor> = {
      read: (x, grad) => {
        if (x.block.origin !== this.#trace && !this.#grads.has(x) && !this.read.has(x)) this.read.set(x, grad);
        return grad;
      },
      write: (x, grad) => {
        if (!this.#grads.has(x)) this.#grads.set(x, grad);
      },
      made: (x) => void this.#own.add(x),
      owns: (grad) => grad.block.origin === this.#trace && !this.#given.has(grad),
      freeze: (x, on, written) => {
        // Results of the trace's own ops come here as well.
        if ((x.block.origin === trace && !this.#arguments.has(x)) || this.#own.has(x) || this.#flags.has(x)) return;
        if (written && x.node)
          throw new RecordingError(
            `compile: expected writes to tensors without history, got one to a result of shape ${formatShape(x.sizes)} from outside; write inside noGrad(() => …)`,
          );
        this.#flags.set(x, { on, node: x.node, slot: x.slot, edition: x.edition });
      },
    };
    gradients.watch = watch;
    try {
      return fn();
    } finally {
      gradients.watch = null;
      for (const [x, grad] of this.#grads) {
        this.after.set(x, x.grad);
        x.takeGrad(grad);
      }
      for (const [x, { on, node, slot, edition }] of this.#flags) {
        // What was written in place with a history goes on without it, as results do.
        if (x.node === node) this.flagsAfter.set(x, x.requiresGrad);
        x.takeRequiresGrad(on);
        x.node = node;
        x.slot = slot;
        x.edition = edition;
        if (node) node.outputs[slot] = x;
      }
    }
  }
}
