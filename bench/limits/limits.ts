// What the machine can do: multiply-adds in registers, copies at several sizes, exponentials in the first cache.
// Measured in the run they are compared in, in the same build (strict or relaxed), on one thread.

import { measure, once, quantile, type Timing } from '../harness/clock.ts';
import type { Run, Work } from '../problems.ts';
import type { RawKernels } from '../sides/raw-kernels.ts';
import { copyInstruction, maddLoop, streamLoop } from './loops.ts';

/** Something whose rate bounds others. One repetition of `run` does `amount` of it. */
export interface Limit {
  readonly kind: 'flops' | 'bytes' | 'exps';
  readonly name: string;
  readonly run: Run;
  readonly amount: number;
  /** Best rate seen so far in the run, a second; it is measured again beside every case. */
  rate: number;
  /** For copies: bytes read and written by one repetition. */
  readonly footprint?: number;
}

/** Numbers of accumulators to try; more than 14 spill on machines with 16 registers. */
const UNROLLS = [4, 6, 8, 10, 12, 13, 14, 16, 24];
const ITERATIONS = 4096;
/** Bytes read and written by the copies: in each level of cache, and beyond any. */
const FOOTPRINTS = [32 << 10, 256 << 10, 2 << 20, 8 << 20, 256 << 20];
const EXPS = 1024;

async function best(candidates: readonly Omit<Limit, 'rate'>[], timing: Timing): Promise<Limit> {
  const runs = candidates.map(({ run }) => run);
  const first: number[] = [];
  for (const run of runs) first.push(await once(run));
  const samples = await measure(runs, first, timing);
  const rated = candidates.map((candidate, i) => ({
    ...candidate,
    rate: candidate.amount / quantile(samples[i] as number[], 0),
  }));
  return rated.reduce((a, b) => (b.rate > a.rate ? b : a));
}

function madds(raw: RawKernels): Omit<Limit, 'rate'>[] {
  const at = raw.f32(new Float32Array(4 * 32).fill(0.5));
  return UNROLLS.map((unroll) => {
    const loop = maddLoop(raw.memory, unroll, raw.build === 'relaxed');
    const run = (): void => loop(ITERATIONS, at);
    return { kind: 'flops', name: `multiply-add ×${unroll}`, run: { answer, run }, amount: 8 * unroll * ITERATIONS };
  });
}

/** Limits have nothing to be checked. */
const answer = (): Float32Array => new Float32Array();

function copies(raw: RawKernels, footprint: number): Omit<Limit, 'rate'>[] {
  const bytes = footprint / 2;
  const from = raw.allocate(bytes);
  const to = raw.allocate(bytes);
  raw.view(from, bytes / 4).fill(1);
  const ways = {
    'vector loop': streamLoop(raw.memory, 1, ([x]) => x as readonly number[]),
    'memory.copy': copyInstruction(raw.memory),
  };
  return Object.entries(ways).map(([way, copy]) => ({
    kind: 'bytes',
    name: `copy of ${formatBytes(bytes)}, ${way}`,
    run: { answer, run: () => copy(to, from, bytes) },
    amount: footprint,
    footprint,
  }));
}

/** The vector exp of the library over 4 KiB, where memory costs nothing; null where the build lacks it. */
function exponentials(raw: RawKernels): Omit<Limit, 'rate'> | null {
  const { exp_forward_f32: kernel } = raw.exports;
  if (!kernel) return null;
  const x = raw.f32(EXPS);
  const y = raw.f32(EXPS);
  return {
    kind: 'exps',
    name: 'exp in the first cache',
    run: { answer, run: () => void kernel(y, x, EXPS) },
    amount: EXPS,
  };
}

export function formatBytes(bytes: number): string {
  if (bytes >= 2 ** 20) return `${bytes / 2 ** 20} MiB`;
  return `${bytes / 2 ** 10} KiB`;
}

/** All limits: one of flops, one of bytes a footprint, and one of exps. */
export async function measureLimits(raw: RawKernels, timing: Timing): Promise<Limit[]> {
  const limits: Limit[] = [await best(madds(raw), timing)];
  for (const footprint of FOOTPRINTS) limits.push(await best(copies(raw, footprint), timing));
  const exps = exponentials(raw);
  if (exps) limits.push(await best([exps], timing));
  return limits;
}

/** Seconds that `work` takes at least by `limit`; 0 where they have nothing in common. */
export function leastSeconds(work: Work, limit: Limit): number {
  return (work[limit.kind] ?? 0) / limit.rate;
}

/**
 * The limit that binds `work`, or null for work that none bounds. Bytes are held against the copy of the next larger
 * footprint: a problem that fits a cache has that cache's rate as its limit.
 */
export function binding(work: Work, limits: readonly Limit[]): Limit | null {
  const { bytes = 0 } = work;
  const copy = limits.find(({ footprint }) => footprint !== undefined && footprint >= bytes);
  const largest = limits.findLast(({ footprint }) => footprint !== undefined);
  const candidates = limits.filter((limit) => limit.footprint === undefined || limit === (copy ?? largest));
  const found = candidates.reduce<Limit | null>(
    (a, b) => (leastSeconds(work, b) > (a ? leastSeconds(work, a) : 0) ? b : a),
    null,
  );
  return found;
}
