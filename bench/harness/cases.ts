// Runs cases: first every side answers and the answer is checked, then all sides that were right are timed in turn.
import { binding, type Limit, leastSeconds } from '../limits/limits.ts';
import type { Case, Check, Family, Library, LibraryProblem, Problem, Run, Side, Work } from '../problems.ts';
import { compare, measure, once, quantile, type Samples, type Timing } from './clock.ts';

/** One side of one case. */
export interface Row {
  readonly family: string;
  readonly case: string;
  readonly side: string;
  /**
   * Seconds a repetition: the least of the samples, their median and their quartiles. Rate, ratio and share are those
   * of the least ones: whatever else a machine does only adds to a time. The median and the quartiles show how much it
   * did.
   */
  readonly seconds: { readonly best: number; readonly median: number; readonly low: number; readonly high: number };
  readonly samples: number;
  readonly rate: number;
  readonly unit: Work['unit'];
  /**
   * How far apart the best of the odd and of the even rounds are: what a difference between bests is worth. null with
   * too few samples.
   */
  readonly noise: number | null;
  /** Side that it is another version of, and is compared to in place of the first. */
  readonly versionOf: string | null;
  /** Time over that of the first side, or of the other version; null where that one has none. */
  readonly ratio: number | null;
  /** Whether the samples tell it apart from that side: -1 slower, 1 faster, 0 no. */
  readonly apart: number;
  /** The least time by the limit, at its best in the run, over the time; null without a limit. */
  share: number | null;
  readonly limit: string | null;
}

export interface Remark {
  readonly family: string;
  readonly case: string;
  /** '' for all sides. */
  readonly side: string;
  readonly reason: string;
}

export interface Outcome {
  readonly rows: Row[];
  /** Wrong answers, and ours that failed to answer. Any of them fails the run. */
  readonly wrong: Remark[];
  /** What was not measured, and why. */
  readonly skipped: Remark[];
}

export interface Settings {
  /** The first is ours, to which the others are compared. */
  readonly sides: readonly Side[];
  readonly limits: readonly Limit[];
  readonly timing: Timing;
  /** Only cases whose name contains this. */
  readonly filter?: string | undefined;
  /** Called after each case. */
  readonly progress?: ((family: string, name: string, outcome: Outcome) => void) | undefined;
}

interface Entrant {
  readonly side: Side;
  readonly run: Run;
  /** Seconds of its first repetition. */
  readonly first: number;
}

const message = (error: unknown): string =>
  (error instanceof Error ? error.message : String(error)).split('\n')[0] as string;

/** A run that ends when all is computed. Versions before `synchronize` compute at once. */
function whole({ synchronize }: Partial<Library>, run: Run): Run {
  const { run: call } = run;
  if (!call || !synchronize) return run;
  return {
    ...run,
    run: () => {
      call.call(run);
      synchronize();
    },
  };
}

/** Prepares one side, checks its answer, and runs it once more; pushes to `outcome` why not. */
async function admit(
  side: Side,
  ours: boolean,
  { problem, check }: { problem: Problem | LibraryProblem; check: Check },
  { patience }: Timing,
  outcome: Outcome,
  where: { family: string; case: string },
): Promise<Entrant | null> {
  const remark = (reason: string): Remark => ({ ...where, side: side.name, reason });
  let run: Run | null = null;
  try {
    if (problem.kind !== 'library') run = await side.prepare(problem);
    else if (side.library) run = problem.prepare(side.library);
    if (run && side.library) run = whole(side.library, run);
    if (!run) {
      outcome.skipped.push(remark('has no such operation'));
      return null;
    }
    run.enter?.();
    const started = performance.now();
    const answer = await run.answer();
    const answered = (performance.now() - started) / 1000;
    const fault = check(answer);
    // The first answer also warms up; only one that took very long is its own measure.
    if (!fault) return { side, run, first: answered > 4 * patience ? answered : await once(run) };
    outcome.wrong.push(remark(fault));
  } catch (error) {
    // A peer that cannot is left out; ours has to.
    (ours ? outcome.wrong : outcome.skipped).push(remark(message(error)));
  }
  await run?.dispose?.();
  return null;
}

/**
 * One case. `fastest`: the best rate of each side so far, where the caller keeps it; a peer that would take very long
 * even at that rate is left out.
 */
export async function runCase(
  family: string,
  { make, name, work, sides: own = [] }: Case,
  settings: Settings,
  fastest = new Map<string, number>(),
): Promise<Outcome> {
  const { sides, limits, timing } = settings;
  const outcome: Outcome = { rows: [], wrong: [], skipped: [] };
  const where = { family, case: name };
  const made = make();
  const entrants: Entrant[] = [];
  try {
    const [ours, ...peers] = sides;
    for (const side of [...(ours ? [ours] : []), ...own, ...peers]) {
      const isOurs = side === ours || (own.includes(side) && side.versionOf === undefined);
      const seconds = amountOf(work) / 1e9 / (fastest.get(side.name) ?? Number.POSITIVE_INFINITY);
      if (seconds > 4 * timing.patience && !isOurs) {
        outcome.skipped.push({ ...where, side: side.name, reason: 'would take too long' });
        continue;
      }
      const entrant = await admit(side, isOurs, made, timing, outcome, where);
      if (entrant) entrants.push(entrant);
    }
    const limit = binding(work, limits);
    const runs = [...entrants.map(({ run }) => run), ...(limit ? [limit.run] : [])];
    const first = [...entrants.map((entrant) => entrant.first), ...(limit ? [await once(limit.run)] : [])];
    const samples = await measure(runs, first, timing);
    const samplesOf = (name: string | undefined): Samples | undefined =>
      samples[entrants.findIndex(({ side }) => side.name === name)];
    if (limit) limit.rate = Math.max(limit.rate, limit.amount / quantile(samples[entrants.length] as Samples, 0));
    for (const [i, { side }] of entrants.entries()) {
      const reference = samplesOf(side.versionOf ?? ours?.name);
      const item = row(where, side, samples[i] as Samples, reference, work, limit);
      outcome.rows.push(item);
      // The rate of what takes less is mostly that of the calls.
      if (item.seconds.best > 0.02) fastest.set(side.name, Math.max(item.rate, fastest.get(side.name) ?? 0));
    }
  } finally {
    for (const { run } of entrants) await run.dispose?.();
  }
  return outcome;
}

/** What the rate of `work` counts. */
function amountOf({ unit, flops = 0, bytes = 0, items = 0 }: Work): number {
  if (unit === 'M/s') return 1000 * items;
  return unit === 'GFLOP/s' ? flops : bytes;
}

function noiseOf(samples: Samples): number | null {
  if (samples.length < 6) return null;
  const [odd, even] = [1, 0].map((rest) => Math.min(...samples.filter((_, i) => i % 2 === rest))) as [number, number];
  return Math.max(odd, even) / Math.min(odd, even) - 1;
}

function row(
  where: { family: string; case: string },
  { name, versionOf = '' }: Side,
  samples: Samples,
  reference: Samples | undefined,
  work: Work,
  limit: Limit | null,
): Row {
  const best = quantile(samples, 0);
  const comparable = reference && reference !== samples && Math.min(samples.length, reference.length) >= 5;
  return {
    ...where,
    side: name,
    versionOf: versionOf || null,
    noise: noiseOf(samples),
    seconds: { best, median: quantile(samples, 0.5), low: quantile(samples, 0.25), high: quantile(samples, 0.75) },
    samples: samples.length,
    rate: amountOf(work) / best / 1e9,
    unit: work.unit,
    ratio: reference ? best / quantile(reference, 0) : null,
    apart: comparable ? compare(samples, reference) : 0,
    share: limit && leastSeconds(work, limit) / best,
    limit: limit?.name ?? null,
  };
}

/** All cases of `families`, one after the other. */
export async function runFamilies(families: readonly Family[], settings: Settings): Promise<Outcome> {
  const all: Outcome = { rows: [], wrong: [], skipped: [] };
  const works = new Map<string, Work>();
  for (const family of families) {
    const fastest = new Map<string, number>();
    for (const { name, reason } of family.skipped)
      all.skipped.push({ family: family.name, case: name, side: '', reason });
    for (const item of family.cases) {
      if (settings.filter && !item.name.includes(settings.filter)) continue;
      const outcome = await runCase(family.name, item, settings, fastest);
      works.set(`${family.name} ${item.name}`, item.work);
      for (const key of ['rows', 'wrong', 'skipped'] as const) (all[key] as unknown[]).push(...outcome[key]);
      settings.progress?.(family.name, item.name, outcome);
    }
  }
  // By the limits' best of the whole run, which later cases may have raised.
  for (const item of all.rows) {
    const limit = settings.limits.find(({ name }) => name === item.limit);
    if (limit) item.share = leastSeconds(works.get(`${item.family} ${item.case}`) as Work, limit) / item.seconds.best;
  }
  return all;
}
