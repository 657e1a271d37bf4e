// Gradients to the same bits on any number of ranks: of shards of the global batch, each by itself, added in their
// order. What a shard computes does not depend on the rank that has it: its random numbers are those of a stream of its
// own, and batch norm takes the statistics of the shard.
import { ops, withoutTape } from '../../autograd.ts';
import { runtime } from '../../engine/engine.ts';
import { aside } from '../../execute.ts';
import * as fn from '../../functional/functions.ts';
import { ArgumentError, formatShape } from '../../memory/errors.ts';
import { defaultGenerator } from '../../random.ts';
import { contiguousStrides, Tensor } from '../../tensor.ts';
import { denseOf } from '../../walk.ts';
import { divide } from '../collectives.ts';
import type { Communicator } from '../mpi/communicator.ts';
import { together } from '../steps.ts';

/** Blocks of random numbers from the stream of one shard to that of the next: 2 ** 48, in the counter's upper word. */
const STREAM = 2 ** 16;

/** The ranks, of which there may be one. */
interface Place {
  readonly rank: number;
  readonly size: number;
}

/** y += value in the upper word of a generator's counter. */
function moveStream(state: Tensor, by: number): void {
  const by4 = ops.concat(
    { xs: [0, 0, 0, by].map((value) => ops.full({}, { shape: [1], value, dtype: 'i32' })) },
    { dim: 0 },
  );
  ops.copy({ y: state, x: ops.add({ a: state, b: by4 }) });
}

/** The shards of one model on this rank. */
export class Shards {
  readonly #communicator: Communicator | null;
  readonly #place: Place;
  /** Shards of all ranks, and of this one. */
  readonly #count: number;
  readonly #own: number;
  readonly #parameters: readonly Tensor[];
  readonly #buffers: readonly Tensor[];
  /** Numbers of all gradients, and what a rank adds up of them. */
  readonly #size: number;
  readonly #part: number;
  /** Of each of its shards, the gradients, and this rank's part of those of the other ranks: [own, 2, size · part]. */
  #rows: Tensor | null = null;
  /** The means: [size · part]. */
  #means: Tensor | null = null;
  /** Buffers as the first of all shards left them. */
  #kept: Tensor[] = [];
  #inside = false;

  constructor(
    communicator: Communicator | null,
    count: number,
    parameters: readonly Tensor[],
    buffers: readonly Tensor[],
  ) {
    this.#communicator = communicator;
    this.#place = communicator ?? { rank: 0, size: 1 };
    this.#count = count;
    this.#own = count / this.#place.size;
    this.#parameters = parameters;
    this.#buffers = buffers;
    this.#size = parameters.reduce((sum, p) => sum + p.size, 0);
    this.#part = Math.ceil(this.#size / this.#place.size);
  }

  /** Whether a shard is computed now. */
  get inside(): boolean {
    return this.#inside;
  }

  #allocate(): void {
    if (this.#rows) return;
    const all = this.#place.size * this.#part;
    aside(() => {
      this.#rows = Tensor.allocate([this.#own, 2, all], 'f32', 'DataParallel').keep();
      this.#means = Tensor.allocate([all], 'f32', 'DataParallel').keep();
      for (const y of [this.#rows, this.#means]) ops.fillInto({ y }, { value: 0 });
      this.#kept = this.#buffers.map(({ sizes, dtype }) => Tensor.allocate(sizes, dtype, 'DataParallel').keep());
    });
  }

  /** @throws ArgumentError unless the shards can share the rows of each tensor of a batch */
  #expectRows(batch: readonly Tensor[]): void {
    for (const { ndim, sizes } of batch)
      if (ndim === 0 || (sizes[0] as number) % this.#own !== 0)
        throw new ArgumentError(
          `inShards: expected rows that ${this.#own} shards of this rank can share, got shape ${formatShape(sizes)}; change the batch size, or leave a last batch out`,
        );
  }

  /** Calls `one` for each shard of this rank. @returns what it gives */
  run<T>(one: (...parts: Tensor[]) => T, batch: readonly Tensor[]): T[] {
    this.#expectRows(batch);
    this.#allocate();
    const before = this.#parameters.map((p) => p.grad);
    const state = defaultGenerator();
    const results: T[] = [];
    this.#inside = true;
    try {
      for (let i = 0; i < this.#own; i++) {
        const shard = this.#place.rank * this.#own + i;
        for (const p of this.#parameters) p.takeGrad(null);
        // All shards draw as many numbers, from the same place of their streams on.
        const start = i < this.#own - 1 ? withoutTape(() => fn.clone(state)) : null;
        withoutTape(() => moveStream(state, STREAM * (shard + 1)));
        const parts = batch.map((x) => {
          const rows = (x.sizes[0] as number) / this.#own;
          return fn.narrow(x, 0, i * rows, rows);
        });
        results.push(one(...parts));
        withoutTape(() => {
          if (start) ops.copy({ y: state, x: start });
          else moveStream(state, -STREAM * (shard + 1));
          this.#collect(i);
          if (shard === 0) this.#buffers.forEach((x, b) => void ops.copy({ y: this.#kept[b] as Tensor, x }));
        });
      }
      withoutTape(() => {
        this.#add();
        this.#share();
      });
    } catch (error) {
      this.#parameters.forEach((p, i) => {
        p.clearGrad();
        p.takeGrad(before[i] ?? null);
      });
      throw error;
    } finally {
      this.#inside = false;
    }
    this.#leave(before);
    return results;
  }

  /** Puts the gradients of shard i of this rank in its row. */
  #collect(i: number): void {
    const row = fn.select(fn.select(this.#rows as Tensor, 0, i), 0, 0);
    let at = row.offset;
    for (const p of this.#parameters) {
      const y = row.alias(p.sizes, contiguousStrides(p.sizes), at);
      if (p.grad) ops.copy({ y, x: denseOf(p.grad) });
      else ops.fillInto({ y }, { value: 0 });
      p.clearGrad();
      at += p.size;
    }
  }

  /** Adds this rank's part of the gradients of all shards, in their order, and makes all parts of all ranks known. */
  #add(): void {
    const [rows, means] = [this.#rows as Tensor, this.#means as Tensor];
    const { rank, size } = this.#place;
    const communicator = this.#communicator;
    for (let i = 0; communicator && i < this.#own; i++)
      together(communicator, fn.select(rows, 0, i), { what: 'allToAll', call: 'inShards' });
    const half = communicator ? 1 : 0;
    const sum = fn.narrow(means, 0, rank * this.#part, this.#part);
    for (let shard = 0; shard < this.#count; shard++) {
      const [of, i] = [Math.floor(shard / this.#own), shard % this.#own];
      const x = fn.narrow(fn.select(fn.select(rows, 0, i), 0, half), 0, of * this.#part, this.#part);
      if (shard === 0) ops.copy({ y: sum, x });
      else ops.addInto({ y: sum, x });
    }
    divide(sum, this.#count);
    if (communicator && size > 1) together(communicator, means, { what: 'allGather', call: 'inShards' });
  }

  /** Makes buffers what the first of all shards made them. */
  #share(): void {
    const communicator = this.#communicator;
    if (this.#place.rank === 0) this.#buffers.forEach((y, b) => void ops.copy({ y, x: this.#kept[b] as Tensor }));
    if (communicator)
      for (const x of this.#buffers) together(communicator, x, { what: 'broadcast', call: 'inShards', root: 0 });
  }

  /** Leaves the means in `.grad`, with what was there before. */
  #leave(before: readonly (Tensor | null)[]): void {
    let at = 0;
    this.#parameters.forEach((p, i) => {
      const mean = (this.#means as Tensor).alias(p.sizes, contiguousStrides(p.sizes), at);
      at += p.size;
      const known = before[i];
      if (known && !known.isSparse) {
        withoutTape(() => ops.addInto({ y: known, x: mean }));
        p.takeGrad(known);
        return;
      }
      // Its own memory, which zeroGrad() frees.
      const g = withoutTape(() => ops.contiguous({ x: mean }));
      p.takeGrad(g);
      runtime().arena.follow(g.block, p.block);
    });
  }

  dispose(): void {
    for (const x of [this.#rows, this.#means, ...this.#kept]) x?.dispose();
  }
}
