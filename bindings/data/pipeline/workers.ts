// Pipelines that run in workers: each gives its share of the records. What hires them, team.ts, comes with the first
// pass.
import type { Kind } from '../../kinds.ts';
import { ArgumentError } from '../../memory/errors.ts';
import { callable } from '../../signature.ts';
import { Later, laterSource } from './later.ts';
import { Pipeline } from './pipeline.ts';
import { Seed } from './random.ts';

/** Options of {@link fromWorkers}. */
export interface WorkersOptions {
  /** Workers; 0: this thread reads. @defaultValue 1 */
  workers?: number;
  /** Records, batches behind `batch()`, that wait in each worker to be taken. @defaultValue 2 */
  depth?: number;
  /** What `setup` gets first: anything that can be cloned. @defaultValue null */
  data?: unknown;
}

/** What a module for workers exports as `setup`. */
export type Setup<T> = (
  data: never,
  worker: { readonly index: number; readonly count: number },
) => Pipeline<T> | Promise<Pipeline<T>>;

const kinds: Readonly<Record<string, Kind>> = {
  module: [
    (x) => (typeof x === 'string' && x !== '') || typeof (x as { href?: unknown } | null)?.href === 'string',
    "the URL of a module, such as new URL('./worker.js', import.meta.url)",
  ],
};

/** {@link fromWorkers}. */
export type FromWorkers = <T>(module: string | { readonly href: string }, options?: WorkersOptions) => Pipeline<T>;

/**
 * A pipeline whose records are made in workers, while this thread computes. `module` exports
 * `setup(data, { index, count })`, which gives, or promises, the share of worker `index` of `count`: a pipeline, most
 * simply the whole behind `shard(count, index)`. A record of each is taken by turns, so that the order is that of the
 * whole without workers. Memory of batches is handed over, not copied. Each pass has workers of its own, which end with
 * it. Where none can start, as in a page that forbids them, this thread does their work, and says so on the console.
 * @throws ArgumentError unless workers ≥ 0 and depth ≥ 1; when it is read WorkerError, which says at which record a
 * worker failed or ended
 * @example
 * ```ts
 * // worker.js: export const setup = (seed, { index, count }) =>
 * //   data.from(files).shuffle({ seed }).map(decode).batch(64).shard(count, index);
 * const batches = data.fromWorkers('worker.js', { workers: 2, data: 17 });
 * console.log(batches.state().epoch); // 0
 * ```
 */
export const fromWorkers = callable<FromWorkers>(
  'fromWorkers(module: module, *, workers: int = 1, depth: int = 2, data?: any)',
  (module: string | { readonly href: string }, workers: number, depth: number, given: unknown = null) => {
    if (workers < 0 || depth < 1)
      throw new ArgumentError(`fromWorkers: expected workers >= 0 and depth >= 1, got ${workers} and ${depth}`);
    const count = Math.max(1, workers);
    const seed = new Seed('fromWorkers', null);
    const team = new Later(
      () => import('../passes/team.ts'),
      ({ teamOf }) => teamOf({ module, workers, depth, data: given, seed }),
    );
    return new Pipeline(laterSource(`fromWorkers[${count}]`, team, { seed })) as never;
  },
  kinds,
);
