// npm run bench -- compile: what compile() saves, each figure beside eager mode in the same run.
import * as retrograd from 'retrograd';
import { backend, compile, randn, scope, type Tensor } from 'retrograd';
import { chain } from '../families/compile.ts';
import { trainCases } from '../families/train.ts';
import { formatSeconds } from '../harness/report.ts';
import type { TrainProblem } from '../problems.ts';
import { network } from '../sides/retrograd.ts';

/** The least seconds a call of each of `runs`, in turn. */
export function leastSeconds(runs: readonly (() => void)[], rounds: number): number[] {
  // Until the engine has compiled it well, and longer than that where a call is long; then calls of 2 ms together.
  const counts = runs.map((run) => {
    let calls = 0;
    let last = 0;
    for (
      const started = performance.now(), end = started + 10 * rounds;
      performance.now() < end || calls < 2;
      calls++
    ) {
      const begun = performance.now();
      run();
      last = performance.now() - begun;
    }
    return Math.max(1, Math.floor(2 / Math.max(last, 1e-3)));
  });
  const best = runs.map(() => Number.POSITIVE_INFINITY);
  for (let round = 0; round < rounds; round++)
    runs.forEach((run, i) => {
      const count = counts[i] as number;
      const started = performance.now();
      for (let j = 0; j < count; j++) run();
      best[i] = Math.min(best[i] as number, (performance.now() - started) / 1000 / count);
    });
  return best;
}

/** The networks of the train family, by name. */
export function networks(quick: boolean): { name: string; problem: TrainProblem }[] {
  return trainCases(quick).map(({ name, make }) => ({ name, problem: make().problem as TrainProblem }));
}

const bytes = (n: number): string => (n < 1e6 ? `${(n / 1e3).toFixed(1)} kB` : `${(n / 1e6).toFixed(2)} MB`);
const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;

/** Bytes that `run` needs at most above what is in use before it. */
function peakOf(run: () => void): number {
  const { used, peak } = backend().memory;
  // The peak of the arena never falls: what is in use is filled up to it first.
  const filling = randn([Math.max(0, peak - used) >> 2]);
  const before = backend().memory.used;
  scope(run);
  const added = backend().memory.peak - before;
  filling.dispose();
  return added;
}

/**
 * Seconds of a call that runs so many kernels with next to nothing to do: what a step spends outside of kernels at
 * most.
 */
function overhead(steps: number, rounds: number): number {
  const x = randn([1]);
  const idle = compile((a: Tensor) => {
    let y = a;
    for (let i = 0; i < steps; i++) y = y.neg();
    return y;
  });
  scope(() => void idle(x));
  const [seconds = 0] = leastSeconds([() => scope(() => void idle(x))], rounds);
  idle.dispose();
  x.dispose();
  return seconds;
}

function stepRow({ name, problem }: { name: string; problem: TrainProblem }, rounds: number): string {
  const eager = network(retrograd, problem);
  const replayed = network(retrograd, problem);
  scope(() => void eager.step()); // makes gradients and optimizer state, which stay
  const eagerPeak = peakOf(() => void eager.step());
  scope(() => void replayed.step());
  const start = backend().memory.used;
  const step = compile(replayed.step);
  scope(() => void step());
  const held = backend().memory.used - start;
  const losses = [eager.step, step].map((run) => scope(() => run().item()));
  if (losses[0] !== losses[1]) throw new Error(`${name}: expected the loss ${losses[0]}, got ${losses[1]}`);
  const runs = [(): void => scope(() => void eager.step()), (): void => scope(() => void step())];
  const [slow = 0, fast = 0] = leastSeconds(runs, rounds);
  const outside = overhead(Number(/^program of (\d+) steps/.exec(step.dump())?.[1]), rounds);
  const recordings = Array.from({ length: 5 }, () => {
    step.dispose();
    const started = performance.now();
    scope(() => void step());
    return (performance.now() - started) / 1000;
  });
  const recording = Math.min(...recordings) - fast;
  step.dispose();
  eager.dispose();
  replayed.dispose();
  const times = `${formatSeconds(slow)} | ${formatSeconds(fast)} | ${(slow / fast).toFixed(2)} ×`;
  const memory = `${bytes(eagerPeak)} | ${bytes(held)} | ${(held / eagerPeak).toFixed(2)} ×`;
  return `| ${name} | ${times} | ${percent(outside / fast)} | ${formatSeconds(recording)} | ${memory} |`;
}

function chainRow(elements: number, rounds: number): string {
  const x = randn([elements]);
  const fused = compile(chain);
  const [a, b] = [chain, fused].map((run) => scope(() => run(x).data));
  if ((a as Float32Array).some((value, i) => !Object.is(value, b?.[i])))
    throw new Error('chain: expected the same bits, got others');
  const runs = [(): void => scope(() => void chain(x)), (): void => scope(() => void fused(x))];
  const [slow = 0, fast = 0] = leastSeconds(runs, rounds);
  fused.dispose();
  x.dispose();
  return `| ${elements} floats | ${formatSeconds(slow)} | ${formatSeconds(fast)} | ${(slow / fast).toFixed(2)} × |`;
}

export async function table(simd: 'auto' | 'strict' | 'relaxed', quick: boolean): Promise<string> {
  await retrograd.init({ simd, threads: 1 });
  const rounds = quick ? 2 : 60;
  return [
    `${backend().build} SIMD, one thread, ${backend().engine}`,
    '',
    '| step | eager | compiled | gain | outside kernels | recording | peak, eager | peak, compiled | |',
    '| --- | --- | --- | --- | --- | --- | --- | --- | --- |',
    ...networks(quick).map((item) => stepRow(item, rounds)),
    '',
    '| 8 elementwise ops | one by one | fused | gain |',
    '| --- | --- | --- | --- |',
    ...[1 << 16, 4_000_000].map((elements) => chainRow(elements, quick ? 2 : 15)),
  ].join('\n');
}
