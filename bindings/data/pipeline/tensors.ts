// The last stage: batches as tensors, one turn of the loop each.
import { checkDtype, type Dtype } from '../../dtypes.ts';
import { runtime } from '../../engine/engine.ts';
import { rowOf } from '../../lookup.ts';
import type { Scope } from '../../memory/arena.ts';
import { methods, signature } from '../../signature.ts';
import type { Tensor } from '../../tensor.ts';
import type { NdArray, Numbers } from './columns.ts';
import { stages } from './later.ts';
import type { PipelineState } from './source.ts';

/** What a batch B is with tensors in place of arrays of numbers. */
export type Tensors<B> = B extends Numbers | NdArray | readonly number[]
  ? Tensor
  : B extends Tensor | readonly string[]
    ? B
    : B extends readonly unknown[]
      ? { -readonly [K in keyof B]: Tensors<B[K]> }
      : B extends Record<string, unknown>
        ? { -readonly [K in keyof B]: Tensors<B[K]> }
        : B;

/** Options of {@link Pipeline.tensors}. */
export interface TensorsOptions {
  /** The dtype of all tensors; null: that of their arrays. @defaultValue null */
  dtype?: Dtype | null;
  /** Those of some, by the names and places of the batch. @defaultValue null */
  dtypes?: Readonly<Record<string, Dtype>> | null;
}

/** What a pipeline is to its last stage. */
export interface Batches extends AsyncIterable<unknown> {
  /** Batches of a pass, where that is known. */
  readonly length: number | undefined;
  /** Where the pass stands. */
  state(): PipelineState;
  /** Goes on from there. */
  loadState(state: PipelineState): void;
}

const loader = signature('TensorLoader(pipeline: object, *, dtype: dtype|null = null, dtypes: object|null = null)');

/**
 * Batches of a pipeline as tensors, for the loop that trains: what {@link Pipeline.tensors} gives. Each turn frees the
 * batch of the one before, and what was computed from it, but for what was kept with keep(). What else a turn makes is
 * freed when it is garbage; or at once in a `scope()` or a `compile()`d step.
 */
export class TensorLoader<T> implements AsyncIterable<T> {
  readonly #pipeline: Batches;
  readonly #dtypeOf: (name: string) => Dtype | undefined;

  /** @internal */
  constructor(...args: [pipeline: Batches, options?: TensorsOptions]) {
    const [pipeline, dtype, dtypes] = loader.parse(args) as [Batches, Dtype | null, TensorsOptions['dtypes']];
    for (const each of Object.values(dtypes ?? {})) checkDtype('tensors', each);
    this.#pipeline = pipeline;
    this.#dtypeOf = (name) => (dtypes && (rowOf(dtypes, name) as Dtype | undefined)) ?? dtype ?? undefined;
  }

  /** Batches of one pass, where that is known. */
  get length(): number | undefined {
    return this.#pipeline.length;
  }

  /** Where the pass that was begun last stands, as {@link Pipeline.state} has it. */
  state(): PipelineState {
    return this.#pipeline.state();
  }

  /** Goes on from a state, as {@link Pipeline.loadState} does. @throws ArgumentError */
  loadState(state: PipelineState): void {
    this.#pipeline.loadState(state);
  }

  /** A pass, from the first batch, or after loadState() from where that says. */
  [Symbol.asyncIterator](): AsyncGenerator<T, void, undefined> {
    return this.#turns(this.#pipeline);
  }

  async *#turns(batches: AsyncIterable<unknown>): AsyncGenerator<T, void, undefined> {
    const { tensorsOf } = await stages();
    const { arena } = runtime();
    let turn: Scope | null = null;
    const end = (): void => {
      if (turn) arena.close(turn);
      turn = null;
    };
    try {
      for await (const batch of batches) {
        const now = arena.open(true);
        turn = now;
        const tensors = tensorsOf(batch, '', this.#dtypeOf, ({ block }) => {
          block.turn = now;
        });
        yield tensors as T;
        end();
      }
    } finally {
      end();
    }
  }

  static {
    methods(TensorLoader, 'TensorLoader', 'state()', 'loadState(state: object)');
  }
}
