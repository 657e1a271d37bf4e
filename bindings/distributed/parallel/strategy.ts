// How a Trainer trains as several ranks: `strategy: 'ddp'`.
import { withoutTape } from '../../autograd.ts';
import { crc32 } from '../../crc.ts';
import { add, cat, div } from '../../functional/functions.ts';
import { isPlain } from '../../kinds.ts';
import { ArgumentError, describe } from '../../memory/errors.ts';
import type { Module } from '../../nn/module.ts';
import { Tensor } from '../../tensor.ts';
import type { Figures } from '../../train/callbacks/callback.ts';
import type { StepParts } from '../../train/options.ts';
import { registerStrategy, type Sharing } from '../../train/strategy.ts';
import { firstTold } from '../agree.ts';
import { agreeOnBatches, agreeOnTurn } from '../batches.ts';
import { DistributedError } from '../error.ts';
import type { Communicator } from '../mpi/communicator.ts';
import { ranks } from '../world.ts';
import { DataParallel, type DataParallelOptions } from './data-parallel.ts';

/** Numbers that ranks exchange at a time: how many figures there are, a sum of their names, a weight, and figures. */
const RECORD = 64;
const HEAD = 3;
const ROOM = RECORD - HEAD;

/** Figures and weights of all ranks, by rank: in doubles, so that they are the same everywhere. */
class Exchange {
  readonly #communicator: Communicator;
  readonly #numbers: Float64Array;

  constructor(communicator: Communicator) {
    this.#communicator = communicator;
    this.#numbers = new Float64Array(new ArrayBuffer(Math.max(8 * RECORD * communicator.size, 1024)));
  }

  /** @throws DistributedError on all ranks where they have figures of other names */
  run(names: readonly string[], values: readonly number[], weight: number): { values: number[]; weight: number }[] {
    const { rank, size } = this.#communicator;
    const sum = crc32(new TextEncoder().encode(names.join('\n')));
    const all = Array.from({ length: size }, () => ({ values: [] as number[], weight: 0 }));
    for (let from = 0; from === 0 || from < names.length; from += ROOM) {
      const record = [names.length, sum, weight, ...values.slice(from, from + ROOM)];
      this.#numbers.set(record, rank * RECORD);
      this.#communicator.exchange(new Uint8Array(this.#numbers.buffer), 8 * RECORD);
      all.forEach((each, other) => {
        const [count, names_, of, ...rest] = this.#numbers.subarray(other * RECORD, (other + 1) * RECORD);
        if (count !== names.length || names_ !== sum)
          throw new DistributedError(
            `Trainer: expected figures of one kind on all ranks, got others on rank ${other} than ${names.join(', ') || 'none, as without a batch,'} on rank ${rank}; run the same program on all ranks, with batches for each`,
          );
        each.weight = of as number;
        each.values.push(...rest.slice(0, Math.min(ROOM, names.length - from)));
      });
    }
    return all;
  }
}

const figuresOf = (names: readonly string[], value: (i: number) => number): Figures =>
  Object.fromEntries(names.map((name, i) => [name, value(i)]));

/** Takes a batch apart: its tensors, and what makes a batch of others. */
function tensorsOf(batch: unknown): readonly [Tensor[], (parts: readonly Tensor[]) => unknown] {
  const values = batch instanceof Tensor ? [batch] : Object.values(Object(batch));
  if (!values.every((x) => x instanceof Tensor) || !(batch instanceof Tensor || Array.isArray(batch) || isPlain(batch)))
    throw new ArgumentError(
      `Trainer: expected batches that are a tensor, or a list or an object of tensors, with shards, got ${describe(batch)}`,
    );
  const build = (parts: readonly Tensor[]): unknown => {
    if (batch instanceof Tensor) return parts[0];
    if (Array.isArray(batch)) return parts;
    return Object.fromEntries(Object.keys(batch as object).map((key, i) => [key, parts[i]]));
  };
  return [values as Tensor[], build];
}

/** What the steps of shards gave, as that of one: means of figures, and all rows. */
function merged(all: readonly StepParts[]): StepParts {
  const [first = {}] = all;
  return withoutTape(() =>
    Object.fromEntries(
      Object.keys(first).map((name) => {
        const parts = all.flatMap((each) => each[name]?.detach() ?? []);
        if (parts.length < all.length) return [name, undefined];
        if (name === 'output' || name === 'target') return [name, cat(parts)];
        return [
          name,
          div(
            parts.reduce((sum, x) => add(sum, x)),
            parts.length,
          ),
        ];
      }),
    ),
  );
}

class Ddp implements Sharing {
  readonly first: boolean;
  readonly cuts: boolean;
  readonly #communicator: Communicator | null;
  readonly #exchange: Exchange | null;
  readonly #parallel: DataParallel;
  /** Whether nobody knows how many batches the pass has, so that they are counted together. */
  #counts = false;

  constructor(model: Module, options: DataParallelOptions) {
    const communicator = ranks('Trainer');
    this.#communicator = communicator;
    this.#exchange = communicator && new Exchange(communicator);
    this.first = (communicator?.rank ?? 0) === 0;
    if (model instanceof DataParallel) {
      if (Object.keys(options).length > 0)
        throw new ArgumentError(
          'Trainer: expected options of the strategy, or a DataParallel as the model, got both; give that its options',
        );
      this.#parallel = model;
    } else {
      // Its parameters are the model's, whose names in checkpoints stay what they are without it.
      this.#parallel = new DataParallel(model, options);
      model.registerForwardPreHook(() => {
        if (model.training) this.#parallel.shareBuffers();
      });
    }
    this.cuts = this.#parallel.cuts;
  }

  begin(source: unknown, length: number | undefined): void {
    this.#counts = length === undefined;
    if (this.#communicator) agreeOnBatches(this.#communicator, source, length);
  }

  turn(goesOn: boolean, batch: number): void {
    if (this.#counts && this.#communicator) agreeOnTurn(this.#communicator, goesOn, batch);
  }

  pass(one: (batch: unknown) => StepParts, batch: unknown, last: boolean): StepParts {
    if (!this.cuts) return last ? one(batch) : this.#parallel.noSync(() => one(batch));
    const [tensors, build] = tensorsOf(batch);
    return merged(this.#parallel.inShards((...parts) => one(build(parts)), ...tensors));
  }

  gather(): void {
    this.#parallel.reduceLeft();
  }

  means(figures: Figures, weight: number): { figures: Figures; weight: number } {
    if (!this.#exchange) return { figures, weight };
    const names = Object.keys(figures);
    const all = this.#exchange.run(names, Object.values(figures), weight);
    const total = all.reduce((sum, each) => sum + each.weight, 0);
    const mean = (i: number): number =>
      all.reduce((sum, each) => sum + (each.weight > 0 ? (each.values[i] as number) * each.weight : 0), 0) / total;
    return { figures: figuresOf(names, mean), weight: total };
  }

  sums(figures: Figures): Figures {
    if (!this.#exchange) return figures;
    const names = Object.keys(figures);
    const all = this.#exchange.run(names, Object.values(figures), 1);
    return figuresOf(names, (i) => all.reduce((sum, each) => sum + (each.values[i] as number), 0));
  }

  agreeOn(reason: string | null): string | null {
    return this.#communicator ? firstTold(this.#communicator, reason ?? '') || null : reason;
  }

  decide(value: boolean): boolean {
    return this.#exchange ? this.#exchange.run([], [], value ? 1 : 0)[0]?.weight === 1 : value;
  }

  settle(): void {
    this.#parallel.shareBuffers();
  }

  barrier(): void {
    this.#communicator?.barrier();
  }
}

/** Makes `'ddp'` known to trainers. */
export function provideStrategy(): void {
  registerStrategy('ddp', (model, options) => new Ddp(model, options as DataParallelOptions));
}
