// How the gradients of a model are reduced: large ones each alone, where they lie; small ones together, in one flat
// tensor, since each call of MPI takes its time.
import { ops } from '../../autograd.ts';
import { contiguousStrides, Tensor } from '../../tensor.ts';
import { divide } from '../collectives.ts';
import type { Communicator } from '../mpi/communicator.ts';
import { newSlot } from '../progress.ts';
import { type Step, together } from '../steps.ts';

/** Parameters whose gradients are reduced by one call. */
export class Bucket {
  readonly parameters: readonly Tensor[];
  /** Where small gradients come together; null: there is one large one, which is reduced where it lies. */
  readonly #flat: Tensor | null;
  readonly #slot = newSlot();
  /** What is reduced in this pass. */
  #whole: Tensor | null = null;
  /** The gradients of this pass that have come. */
  #come = 0;

  constructor(parameters: readonly Tensor[]) {
    this.parameters = parameters;
    const size = parameters.reduce((sum, p) => sum + p.size, 0);
    this.#flat = parameters.length === 1 ? null : Tensor.allocate([size], 'f32', 'DataParallel').keep();
  }

  /** Whether all gradients have come. */
  get full(): boolean {
    return this.#come === this.parameters.length;
  }

  begin(): void {
    this.#come = 0;
    this.#whole = null;
  }

  /**
   * Takes a gradient.
   * @param g its own memory, where this is a bucket of one, which is written; null: it is zeros
   */
  take(p: Tensor, g: Tensor | null): void {
    this.#come++;
    if (!this.#flat) this.#whole = g ?? ops.full({}, { shape: p.sizes, value: 0 });
    else if (g) ops.copy({ y: this.#part(p), x: g });
    else ops.fillInto({ y: this.#part(p) }, { value: 0 });
  }

  /** The place of a gradient in the flat tensor. */
  #part(p: Tensor): Tensor {
    let offset = 0;
    for (const other of this.parameters) {
      if (other === p) break;
      offset += other.size;
    }
    const flat = this.#flat as Tensor;
    return flat.alias(p.sizes, contiguousStrides(p.sizes), offset);
  }

  /** Whether gradients are copied here. */
  get copies(): boolean {
    return this.#flat !== null;
  }

  #step(what: 'start' | 'wait'): Step {
    return { what, call: 'backward', operation: 'sum', slot: this.#slot };
  }

  /** Begins to reduce what has come. */
  start(communicator: Communicator): void {
    this.#whole ??= this.#flat;
    together(communicator, this.#whole as Tensor, this.#step('start'));
  }

  /** Ends it: the mean of all ranks. */
  finish(communicator: Communicator): void {
    const whole = this.#whole as Tensor;
    together(communicator, whole, this.#step('wait'));
    divide(whole, communicator.size);
  }

  /** The mean of a gradient. */
  result(p: Tensor): Tensor {
    return this.#flat ? this.#part(p) : (this.#whole as Tensor);
  }

  dispose(): void {
    this.#flat?.dispose();
  }
}

/**
 * Buckets of parameters, in the order in which backward is expected to reach them: those that the model has last come
 * first. What is a quarter of `bytes` or more stands alone.
 */
export function bucketsOf(parameters: readonly Tensor[], bytes: number): Bucket[] {
  const groups: Tensor[][] = [];
  let small: Tensor[] = [];
  let room = bytes;
  const close = (): void => {
    if (small.length > 0) groups.push(small);
    small = [];
    room = bytes;
  };
  for (const p of [...parameters].reverse()) {
    const own = 4 * p.size;
    if (own >= bytes / 4) {
      groups.push([p]);
      continue;
    }
    if (own > room) close();
    small.push(p);
    room -= own;
  }
  close();
  return groups.map((group) => new Bucket(group));
}
