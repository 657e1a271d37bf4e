// The clock: Benchmark.js finds how often to repeat, runs the loop and times it. What this file adds is the order.
// Benchmark.js runs one benchmark to its end and then the next, so that a slow minute of the machine hits one side
// only; here every side gives one sample in turn, round after round, and a drift hits them all. Samples are short and
// many: on a machine with other work to do, some of them fall between its time slices.
import Benchmark from 'benchmark';
import type { Run } from '../problems.ts';

export interface Timing {
  /** Rounds; each takes one sample of every side, or of slow sides only some do. */
  readonly rounds: number;
  /** Seconds that a sample lasts at least. */
  readonly minTime: number;
  /** A side whose repetition takes longer than this many seconds gives one sample of one repetition. */
  readonly patience: number;
  /** Seconds for all samples of one side, if that leaves it three. */
  readonly budget: number;
}

/**
 * Benchmark.js with the clock of the engine: in Node that is process.hrtime, and in pages performance.now dressed up as
 * that, because Benchmark.js knows only Date there. Without a document it makes functions by `Function` as in Node.
 */
function engine(): typeof Benchmark {
  if (typeof process !== 'undefined' && process.versions?.node) return Benchmark;
  const hrtime = (from: readonly [number, number] = [0, 0]): [number, number] => {
    const now = performance.now() * 1e6 - (from[0] * 1e9 + from[1]);
    return [Math.floor(now / 1e9), now % 1e9];
  };
  return Benchmark.runInContext({ process: { hrtime }, document: null }) as unknown as typeof Benchmark;
}
const Engine = engine();

/** Takes samples, in seconds a repetition. */
interface Sampler {
  sample(): Promise<number>;
}

function benchmark(run: Run, minTime: number): Sampler {
  const { runAsync } = run;
  const options: Benchmark.Options = { minTime, minSamples: 1, maxTime: -1 };
  const bench = runAsync
    ? new Engine('side', {
        ...options,
        defer: true,
        fn: (deferred: Benchmark.Deferred) => {
          runAsync.call(run).then(
            () => deferred.resolve(),
            (error) => {
              bench.error = error;
              bench.abort();
            },
          );
        },
      })
    : new Engine('side', { ...options, fn: () => run.run?.() });
  const settle = (): number => {
    if (bench.error) throw bench.error;
    const [sample] = bench.stats.sample as number[];
    if (!(sample !== undefined && sample > 0)) throw new Error('measure: expected a sample, got none');
    // The next sample need not find the number of repetitions again.
    (bench as unknown as { initCount: number }).initCount = bench.count;
    return sample;
  };
  return {
    sample: () =>
      new Promise((resolve, reject) => {
        const done = (): void => {
          bench.off('complete abort');
          try {
            resolve(settle());
          } catch (error) {
            reject(error);
          }
        };
        bench.on('complete abort', done);
        run.enter?.();
        bench.run();
      }),
  };
}

/** For sides with a clock of their own; finds the number of repetitions as Benchmark.js does. */
function selfTimed(run: Run, minTime: number): Sampler {
  let count = 1;
  return {
    sample: async () => {
      for (;;) {
        const seconds = (await run.time?.(count)) as number;
        if (seconds >= minTime) return seconds / count;
        count += Math.ceil(((minTime - seconds) * count) / Math.max(seconds, 1e-9));
      }
    },
  };
}

/** Seconds of one repetition. */
export async function once(run: Run): Promise<number> {
  if (run.time) return run.time(1);
  run.enter?.();
  const started = performance.now();
  if (run.runAsync) await run.runAsync();
  else run.run?.();
  return (performance.now() - started) / 1000;
}

/** What was measured of one side: seconds a repetition, in the order of the rounds. */
export type Samples = readonly number[];

/** How many samples a side gives whose repetition takes `seconds`: Benchmark.js repeats once before each to warm up. */
function samplesOf(seconds: number, { rounds, patience, budget }: Timing): number {
  if (seconds > patience) return 0;
  return Math.min(rounds, Math.max(3, Math.floor(budget / (2 * Math.max(seconds, 1e-9)))));
}

/**
 * `first[i]`: seconds that the first, unmeasured repetition of side i took; the only sample of those beyond patience.
 */
export async function measure(runs: readonly Run[], first: readonly number[], timing: Timing): Promise<Samples[]> {
  const samples: number[][] = runs.map(() => []);
  const samplers = runs.map((run) => (run.time ? selfTimed : benchmark)(run, timing.minTime));
  const counts = first.map((seconds) => samplesOf(seconds, timing));
  for (let round = 0; round < timing.rounds; round++)
    for (const [i, sampler] of samplers.entries()) {
      // The samples of slow sides are spread over the rounds.
      const due = Math.floor(((round + 1) * (counts[i] as number)) / timing.rounds);
      if (due > (samples[i]?.length as number)) samples[i]?.push(await sampler.sample());
    }
  return samples.map((own, i) => (own.length > 0 ? own : [first[i] as number]));
}

/** The q-quantile of `values`, linear between neighbours (NumPy's default). */
export function quantile(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const at = q * (sorted.length - 1);
  const low = sorted[Math.floor(at)] as number;
  const high = sorted[Math.ceil(at)] as number;
  return low + (high - low) * (at - Math.floor(at));
}

/**
 * Whether Benchmark.js's U test finds the two apart, from 5 samples on: -1 `a` is slower, 1 `a` is faster, 0 neither.
 */
export function compare(a: Samples, b: Samples): number {
  const [x, y] = [a, b].map((sample) => {
    const bench = new Engine('samples', { fn: () => {} });
    bench.stats.sample = [...sample];
    return bench;
  });
  return (x as Benchmark).compare(y as Benchmark);
}
