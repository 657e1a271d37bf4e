// Searches for hyperparameters; what searches is loaded with the first one.
import type { Kind } from '../../kinds.ts';
import { ArgumentError, named } from '../../memory/errors.ts';
import { signature } from '../../signature.ts';
import type { ConfigOf, Space, Trial, TuneOptions, TuneResult } from './trial.ts';

export * from './distributions.ts';
export type * from './trial.ts';

const kinds: Readonly<Record<string, Kind>> = {
  module: [
    (x) => (typeof x === 'string' && x !== '') || typeof (x as { href?: unknown } | null)?.href === 'string',
    "the URL of a module that exports run, such as new URL('./trial.js', import.meta.url)",
  ],
};
const declared = signature(
  "tune(space: object, run: function|module, *, trials: int = 20, sampler: 'tpe'|'random' = 'tpe', scheduler: 'asha'|'hyperband'|null = null, direction: 'min'|'max' = 'min', seed: int = 0, minResource: int = 1, maxResource: int = 27, reductionFactor: int = 3, file: string|null = null, workers: int = 1, onTrial: function|null = null)",
  kinds,
);

/** What a trial does: trains with hyperparameters, reports now and then, and gives what came of it. */
export type TrialRun<C> = (config: C, trial: Trial) => number | undefined | Promise<number | undefined>;

/**
 * Searches for hyperparameters: runs trials, each with a draw from the space, and stops those that fall behind where a
 * scheduler says so. The same seed gives the same trials; in worker threads draws by `'tpe'` depend on who is first.
 * A trial that throws is noted as failed; where the first three do, so does the search.
 * @param args the space; a function of hyperparameters and the trial, or the URL of a module that exports it as `run`,
 *   for worker threads; options
 * @throws ArgumentError; what the first trials throw; WorkerError where a worker ends
 * @example
 * ```ts
 * const space = {
 *   lr: train.logUniform(1e-4, 1),
 *   layers: train.int(1, 3),
 *   act: train.choice(['relu', 'tanh']),
 * };
 * const found = await train.tune(space, ({ lr, layers }) => (Math.log10(lr) + 2) ** 2 + layers, { trials: 30 });
 * console.log(String(found), found.best?.config.lr);
 * ```
 */
export async function tune<const S extends Space>(
  ...args: [
    space: S,
    run: TrialRun<ConfigOf<S>> | string | { readonly href: string },
    options?: TuneOptions<ConfigOf<S>>,
  ]
): Promise<TuneResult<ConfigOf<S>>> {
  const [space, run, trials, sampler, scheduler, direction, seed, minResource, maxResource, reductionFactor, ...rest] =
    declared.parse(args) as never as [S, never, number, 'tpe', null, 'min', number, number, number, number, ...never[]];
  const [file, workers, onTrial] = rest as never as [string | null, number, null];
  const counts = { trials, minResource, maxResource, workers, reductionFactor };
  for (const [name, count] of Object.entries(counts))
    if (count < (name === 'reductionFactor' ? 2 : 1))
      throw new ArgumentError(`tune: expected ${name} >= ${name === 'reductionFactor' ? 2 : 1}, got ${count}`);
  try {
    const { search } = await import('./search.ts');
    const options = { ...counts, sampler, scheduler, direction, seed, file, onTrial };
    return (await search(space, run, options)) as unknown as TuneResult<ConfigOf<S>>;
  } catch (error) {
    throw named(error, 'tune');
  }
}
