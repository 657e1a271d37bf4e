// Trainings that run beside the page, or beside the program.
import { promised } from '../io/declare.ts';
import type { Kind } from '../kinds.ts';
import type { Callback, Run } from './callbacks/callback.ts';
import type { SignalLike } from './signals.ts';
import type { WorkerResult } from './worker/train.ts';

/** Options of {@link trainInWorker}. */
export interface TrainInWorkerOptions {
  /** What `setup` gets: anything that can be cloned. @defaultValue null */
  data?: unknown;
  /** What is called here as the training goes on there; it does not wait for them. @defaultValue `[]` */
  callbacks?: readonly Callback<Run>[];
  /** Ends it after the step under way. @defaultValue null */
  signal?: SignalLike | null;
}

const kinds: Readonly<Record<string, Kind>> = {
  module: [
    (x) => (typeof x === 'string' && x !== '') || typeof (x as { href?: unknown } | null)?.href === 'string',
    "the URL of a module, such as new URL('./training.js', import.meta.url)",
  ],
  any: [() => true, 'a value'],
  object: [(x) => typeof x === 'object' && x !== null && !Array.isArray(x), 'an object', 'objects'],
  null: [(x) => x === null, 'null'],
};

/** {@link trainInWorker}. */
export type TrainInWorker = (
  module: string | { readonly href: string },
  options?: TrainInWorkerOptions,
) => Promise<WorkerResult>;

/**
 * Trains in a Web Worker, or a worker thread of Node, so that a page stays free however long a step takes. `module`
 * exports `setup(data)`, which initialises the library there and gives, or promises, `{ trainer, loader, fit }`: what
 * `trainer.fit(loader, fit)` is called with. Callbacks here see the run, and may stop it; the weights come over in the
 * end. Where no worker can be started, such as in a page whose policy has no `worker-src blob:`, it trains here, which
 * is said once, and the page has a turn after each step.
 * @throws what the training throws, by its class; WorkerError where the worker ends early
 * @example
 * ```ts
 * // training.js: export async function setup(seed) { …; return { trainer, loader, fit: { epochs: 3 } }; }
 * const run = () => train.trainInWorker('training.js', { data: 17, callbacks: [new train.ProgressBar()] });
 * console.log(typeof run); // const { model } = await run(); net.loadStateDict(model);
 * ```
 */
export const trainInWorker: TrainInWorker = promised(
  ['trainInWorker(module: module, *, data?: any, callbacks: object[] = [], signal: object|null = null)'],
  async (
    module: string | { readonly href: string },
    data: unknown = null,
    callbacks: readonly Callback[] = [],
    signal: SignalLike | null = null,
  ) => (await import('./worker/train.ts')).train(module, data, callbacks, signal),
  kinds,
);
