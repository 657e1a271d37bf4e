// A gradient of a few rows: what embeddings leave for their tables, where they are asked to.
import { gradients } from '../gradient-watch.ts';
import type { StepRule } from '../kernels/embedding.ts';
import { optional } from '../lookup.ts';
import type { Block } from '../memory/arena.ts';
import { ArgumentError, formatShape, RecordingError } from '../memory/errors.ts';
import { signature } from '../signature.ts';
import { host, Tensor } from '../tensor.ts';
import type { Ops } from './core.ts';

const takes = optional(() => ({
  isCoalesced: signature('SparseTensor.isCoalesced()'),
  coalesce: signature('SparseTensor.coalesce()'),
  indices: signature('SparseTensor.indices()'),
  values: signature('SparseTensor.values()'),
  toDense: signature('SparseTensor.toDense()'),
  clone: signature('SparseTensor.clone()'),
}));

/** The state that a step of rows changes, and the settings that it reads. */
interface RowStep {
  readonly a: Tensor | null;
  readonly b: Tensor | null;
  readonly step: Tensor;
  readonly hyper: Tensor;
}

/**
 * A tensor [rows, width] of which all but a few rows are zeros, and not there: what `backward()` leaves in `.grad` of
 * the table of an embedding with `sparse: true` (PyTorch's sparse COO tensor of one sparse dim). Each row is there once
 * and they ascend. {@link optim.SparseAdam}, `SGD` and `Adagrad` step these rows alone, hooks and clipping take it as
 * it is, and gradients add up; everything else wants a dense tensor: {@link toDense} makes one.
 * @example
 * ```ts
 * const words = new nn.Embedding(1000, 2, { sparse: true });
 * words.forward(tensor([7, 3, 7], { dtype: 'i32' })).sum().backward();
 * const grad = words.weight.grad;
 * if (grad instanceof SparseTensor) console.log(grad.indices().toArray(), grad.values().toArray());
 * // [[3, 7]] [[1, 1], [2, 2]]
 * ```
 */
export class SparseTensor extends Tensor {
  readonly #ops: Ops;
  /** For how many rows there is room; the last of it is empty. */
  readonly #room: number;

  /** @param packed what the op packRows gives @internal */
  constructor(packed: { readonly block: Block; readonly size: number }, shape: readonly number[], ops: Ops) {
    super(packed?.block, 'f32', shape);
    this.#ops = ops;
    this.#room = packed.size / ((shape[1] as number) + 1);
  }

  /** Another tensor over its block. */
  #look<T extends Tensor>(x: T): T {
    gradients.watch?.made(x);
    return x;
  }

  /** All of the block. */
  get #packed(): Tensor {
    return this.#look(new Tensor(this.block, 'i32', [this.#room * (this.#width + 1)]));
  }

  get #width(): number {
    return this.sizes[1] as number;
  }

  /** The numbers of all rows for which there is room. @internal */
  get stored(): Tensor {
    return this.#look(new Tensor(this.block, 'f32', [this.#room, this.#width]));
  }

  /** The rows for which there is room, and -1. */
  get #index(): Tensor {
    return this.#look(new Tensor(this.block, 'i32', [this.#room], undefined, this.#room * this.#width));
  }

  override get isSparse(): boolean {
    return true;
  }

  /** Whether each row is there once; it always is. */
  isCoalesced(...args: []): boolean {
    takes.isCoalesced.parse(args);
    return true;
  }

  /** Itself: each row is there once already (PyTorch's `coalesce`). */
  coalesce(...args: []): this {
    takes.coalesce.parse(args);
    return this;
  }

  /** How many rows there are. @throws RecordingError while compile() records: it depends on values */
  #count(reader: string): number {
    const ops = this.#ops;
    const there = ops.ge({ a: this.#index, b: ops.full({}, { shape: [], value: 0, dtype: 'i32' }) });
    return host.download(ops.sum({ x: there }, { dim: 0, end: 1, keepdim: false }), reader)[0] as number;
  }

  /**
   * Which rows there are, i32 [1, rows], ascending: a look at its memory.
   * @throws RecordingError inside of compile(): how many there are depends on values
   */
  indices(...args: []): Tensor {
    takes.indices.parse(args);
    const length = this.#count('indices');
    const x = this.#ops.slice({ x: this.#index }, { dim: 0, start: 0, length, step: 1 });
    return this.#ops.reshape({ x }, { shape: [1, length] });
  }

  /**
   * The rows that there are, f32 [rows, width]: a look at its memory.
   * @throws RecordingError inside of compile(): how many there are depends on values
   */
  values(...args: []): Tensor {
    takes.values.parse(args);
    const length = this.#count('values');
    return this.#ops.slice({ x: this.stored }, { dim: 0, start: 0, length, step: 1 });
  }

  /** All its numbers, the zeros as well. */
  toDense(...args: []): Tensor {
    takes.toDense.parse(args);
    const inputs = { x: this.stored, from: null, to: this.#index, factor: null };
    return this.#ops.sumRows(inputs, { n: this.sizes[0] as number, skipFrom: -1, skipTo: -1 });
  }

  /** A copy in memory of its own. */
  override clone(...args: []): SparseTensor {
    takes.clone.parse(args);
    return this.#look(new SparseTensor(this.#ops.contiguous({ x: this.#packed }), this.sizes, this.#ops));
  }

  /** Its rows, as `tensor(…)` prints them, and the shape of the whole. */
  override toString(): string {
    return `SparseTensor(${this.indices()}, ${this.values()}, { shape: ${formatShape(this.sizes)} })`;
  }

  /** @internal */
  override expectDense(op: string, optimizer = ''): never {
    const [why, cure] = optimizer
      ? [
          `gradient, since ${optimizer} does not support sparse ones`,
          'please consider SparseAdam instead, or embed dense',
        ]
      : ['tensor', 'use toDense()'];
    throw new ArgumentError(
      `${op}: expected a dense ${why}, got a sparse gradient of shape ${formatShape(this.sizes)}; ${cure}`,
    );
  }

  /** @internal */
  override alias(_shape: unknown, _strides: unknown, _offset: unknown, block = this.block): Tensor {
    return this.#look(new SparseTensor({ block, size: this.#room * (this.#width + 1) }, this.sizes, this.#ops));
  }

  /** The sum with a gradient, in memory of its own: sparse, if both are. @internal */
  plus(other: Tensor): Tensor {
    if (!(other instanceof SparseTensor)) return this.#ops.add({ a: this.toDense(), b: other });
    // Its room grows: each run of a program would want another program.
    if (gradients.watch && !(gradients.watch.owns(this) && gradients.watch.owns(other)))
      throw new RecordingError(
        'backward: expected to add up sparse gradients that compile() records, got one from before in .grad; call zeroGrad() inside, or add up outside of the compiled function',
      );
    const [x, to] = [
      [this.stored, other.stored],
      [this.#index, other.#index],
    ].map((xs) => this.#ops.concat({ xs }, { dim: 0 })) as [Tensor, Tensor];
    const attrs = { n: this.sizes[0] as number, skip: -1 };
    return new SparseTensor(this.#ops.packRows({ x, from: null, to, factor: null }, attrs), this.sizes, this.#ops);
  }

  /** Lets go of all rows. @internal */
  clear(): void {
    this.#ops.fillInto({ y: this.stored }, { value: 0 });
    this.#ops.fillInto({ y: this.#index }, { value: -1 });
  }

  /** Steps the rows of `p` that there are. @internal */
  step(p: Tensor, rule: StepRule, state: RowStep): void {
    this.#ops.stepRows({ p, g: this.#packed, ...state }, { rule });
  }
}
