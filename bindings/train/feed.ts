// Batches of whatever gives them: loaders, pipelines, arrays, generators, now or later.

import { isPlain } from '../kinds.ts';
import { ArgumentError, describe } from '../memory/errors.ts';
import { getRngState, setRngState } from '../random.ts';
import { Tensor } from '../tensor.ts';

/** What gives batches of type B, one pass each time that it is iterated over. */
export type Batches<B = unknown> = Iterable<B> | AsyncIterable<B>;

/** What a loader may have beside its batches. */
interface Resumable {
  state(): unknown;
  loadState(state: unknown): void;
}

/** Where a pass stands, to be gone on with: a state of the loader's own, or null, and batches that were given. */
export interface Place {
  /** Of loaders that have one. */
  readonly loader: unknown;
  /** Batches that were given. */
  readonly batch: number;
}

const has = (x: object, name: string): boolean => typeof (x as Record<string, unknown>)[name] === 'function';

export const isPromise = <T>(x: T | PromiseLike<T>): x is PromiseLike<T> =>
  typeof (x as PromiseLike<T> | null)?.then === 'function';

/** `x`, awaited only where there is something to wait for: a turn of a loader that does not await frees more. */
export const settled = <T, U>(x: T | PromiseLike<T>, then: (value: T) => U | PromiseLike<U>): U | PromiseLike<U> =>
  isPromise(x) ? x.then(then) : then(x);

/** What a loader, or what stands for one, is to a trainer. */
export class Feed {
  readonly #source: Batches;
  /** What was given. */
  readonly loader: unknown;
  readonly #own: Resumable | null;

  /** @throws ArgumentError for what gives no batches */
  constructor(op: string, loader: unknown) {
    // A pipeline as it is gives typed arrays.
    const source =
      typeof loader === 'object' && loader !== null && has(loader, 'tensors')
        ? (loader as { tensors(): unknown }).tensors()
        : loader;
    if (
      typeof source !== 'object' ||
      source === null ||
      !(Symbol.iterator in source || Symbol.asyncIterator in source) ||
      source instanceof Tensor
    )
      throw new ArgumentError(
        `${op}: expected a loader, pipeline or another iterable of batches, got ${describe(loader)}`,
      );
    this.#source = source as Batches;
    this.loader = loader;
    this.#own = has(source, 'state') && has(source, 'loadState') ? (source as unknown as Resumable) : null;
  }

  /** Batches of a pass, where that is known. */
  get length(): number | undefined {
    const { length } = this.#source as { length?: unknown };
    return typeof length === 'number' ? length : undefined;
  }

  /** Where the loader stands; null where it does not say. */
  state(): unknown {
    return this.#own?.state() ?? null;
  }

  /** Has the next pass begin there. @returns how many batches that pass has to leave out */
  goTo({ loader, batch }: Place): number {
    if (loader === null || !this.#own) return batch;
    this.#own.loadState(loader);
    return 0;
  }

  /**
   * Calls `visit` with each batch of a pass but the first `skip`, until it gives false.
   * @returns whether the pass came to its end
   */
  async visit(visit: (batch: unknown) => boolean | PromiseLike<boolean>, skip = 0): Promise<boolean> {
    const source = this.#source as Partial<AsyncIterable<unknown>>;
    const iterator: Iterator<unknown> | AsyncIterator<unknown> =
      source[Symbol.asyncIterator]?.() ?? (source as Iterable<unknown>)[Symbol.iterator]();
    let ended = false;
    let left = skip;
    // What a loader without a state draws for batches that it gives again was drawn before.
    const random = skip > 0 ? getRngState() : null;
    try {
      for (;;) {
        const given = iterator.next();
        const { done, value } = isPromise(given) ? await given : given;
        if (done) {
          ended = true;
          return true;
        }
        if (left > 0) {
          if (--left === 0 && random) setRngState(random);
          continue;
        }
        const goesOn = visit(value);
        if (!(isPromise(goesOn) ? await goesOn : goesOn)) return false;
      }
    } finally {
      if (!ended) await iterator.return?.();
    }
  }
}

/** How deep tensors may be in a batch. */
const DEEP = 4;

/** Examples of a batch: the size of the first dim of the first tensor in it; 1 where there is none. */
export const sizeOf = (batch: unknown): number => sizeIn(batch, DEEP) ?? 1;

function sizeIn(value: unknown, depth: number): number | undefined {
  if (value instanceof Tensor) return value.sizes[0] ?? 1;
  if (depth === 0 || !(Array.isArray(value) || isPlain(value))) return undefined;
  for (const part of Object.values(value)) {
    const size = sizeIn(part, depth - 1);
    if (size !== undefined) return size;
  }
  return undefined;
}
