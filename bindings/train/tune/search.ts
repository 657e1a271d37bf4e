// The loop of a search.
import { now } from '../../engine/platform.ts';
import { ArgumentError, describe, WorkerError } from '../../memory/errors.ts';
import { Rungs } from './halving.ts';
import { TrialLog } from './log.ts';
import { resultOf } from './result.ts';
import { describeSpace, draw } from './sample.ts';
import { type Runner, threadFor } from './threads.ts';
import type { Space, Trial, TrialRecord, TuneOptions, TuneResult } from './trial.ts';

type Run = ((config: unknown, trial: Trial) => unknown) | string | { readonly href: string };

/** A trial that throws stops the search where nothing else has come of the first. */
const FIRST = 3;

/** Trials, the best first: those that ended, those that came far, those that came less far; failures last. */
export function ranked(trials: readonly TrialRecord[], direction: 'min' | 'max'): TrialRecord[] {
  const sign = direction === 'min' ? 1 : -1;
  const cost = ({ value }: TrialRecord): number =>
    value === null || Number.isNaN(value) ? Number.POSITIVE_INFINITY : sign * value;
  const order = { finished: 0, stopped: 1, failed: 2 };
  const far = ({ state, reports }: TrialRecord): number => (state === 'stopped' ? -(reports.at(-1)?.[0] ?? 0) : 0);
  const difference = (a: number, b: number): number => (a === b ? 0 : a < b ? -1 : 1);
  return [...trials].sort(
    (a, b) =>
      difference(order[a.state], order[b.state]) ||
      difference(far(a), far(b)) ||
      difference(cost(a), cost(b)) ||
      a.trial - b.trial,
  );
}

/** Runs trials in this thread. */
function hereRunner(run: (config: unknown, trial: Trial) => unknown): Runner {
  return {
    run: async (id, config, report) => {
      const value = await run(config, { id, report: async (step, at) => report(step, at) });
      if (value !== undefined && typeof value !== 'number')
        throw new ArgumentError(`tune: expected a number from run, got ${describe(value)}`);
      return value;
    },
    close: () => {},
  };
}

class Search {
  readonly #space: Space;
  readonly #options: Required<TuneOptions>;
  readonly #rungs: Rungs;
  readonly #log: TrialLog | null;
  readonly trials: TrialRecord[];
  readonly #open: number[];

  constructor(space: Space, options: Required<TuneOptions>, log: TrialLog | null, before: readonly TrialRecord[]) {
    this.#space = space;
    this.#options = options;
    this.#rungs = new Rungs(options);
    this.#log = log;
    this.trials = [...before];
    const ended = new Set(before.map(({ trial }) => trial));
    this.#open = Array.from({ length: options.trials }, (_, i) => i).filter((i) => !ended.has(i));
    for (const { trial, reports } of before)
      for (const [i, [step, value]] of reports.entries()) this.#reached(trial, reports[i - 1]?.[0] ?? 0, step, value);
  }

  #reached(trial: number, passed: number, step: number, value: number): boolean {
    return this.#rungs.reached(trial, passed, step, this.#options.direction === 'min' ? value : -value);
  }

  /** Runs trials until there are none left. */
  async work(runner: Runner): Promise<void> {
    for (let id = this.#open.shift(); id !== undefined; id = this.#open.shift()) {
      const { sampler, direction, seed, onTrial } = this.#options;
      const config = draw(this.#space, seed, id, sampler === 'tpe' ? ranked(this.trials, direction) : null);
      const { record, error } = await this.#one(runner, id, config);
      this.trials.push(record);
      await this.#log?.add(record);
      onTrial?.(record);
      if (
        error &&
        this.trials.length >= Math.min(FIRST, this.#options.trials) &&
        this.trials.every(({ state }) => state === 'failed')
      )
        throw error;
    }
  }

  async #one(
    runner: Runner,
    id: number,
    config: Record<string, unknown>,
  ): Promise<{ record: TrialRecord; error?: unknown }> {
    const reports: [number, number][] = [];
    let stopped = false;
    const report = (step: number, value: number): boolean => {
      const passed = reports.at(-1)?.[0] ?? 0;
      if (!(step > passed && typeof value === 'number'))
        throw new ArgumentError(
          `report: expected steps that grow from 1, and a number, got ${describe(step)} after ${passed}, and ${describe(value)}`,
        );
      reports.push([step, value]);
      stopped ||= !this.#reached(id, passed, step, value);
      return !stopped;
    };
    const since = now();
    const seconds = (): number => Number(((now() - since) / 1000).toPrecision(3));
    try {
      const given = await runner.run(id, config, report);
      const value = given ?? reports.at(-1)?.[1];
      if (value === undefined) throw new ArgumentError('tune: expected a number from run, or reports, got neither');
      const state = stopped ? 'stopped' : 'finished';
      return { record: { trial: id, config, reports, value, state, seconds: seconds() } };
    } catch (error) {
      if (error instanceof WorkerError) throw error; // there is nobody left to run the others
      const { name = 'Error', message = String(error) } = Object(error) as Partial<Error>;
      const record = {
        trial: id,
        config,
        reports,
        value: null,
        state: 'failed',
        error: `${name}: ${message}`,
        seconds: seconds(),
      } as const;
      return { record, error };
    }
  }
}

/** {@link tune}, with all options. */
export async function search(space: Space, run: Run, options: Required<TuneOptions>): Promise<TuneResult> {
  const { file, direction, seed, sampler, workers, trials } = options;
  const about = { space: describeSpace(space), direction, seed, sampler };
  const opened = file === null ? null : await TrialLog.open(file, about);
  const state = new Search(space, options, opened?.log ?? null, opened?.trials ?? []);
  const isModule = typeof run !== 'function';
  const runners = await Promise.all(
    Array.from({ length: isModule ? Math.min(workers, trials) : 1 }, () =>
      isModule ? threadFor(run) : hereRunner(run),
    ),
  );
  try {
    await Promise.all(runners.map((runner) => state.work(runner)));
  } finally {
    for (const runner of runners) runner.close();
  }
  return resultOf(state.trials, ranked(state.trials, direction), direction);
}
