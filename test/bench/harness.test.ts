// The harness: that it sees a wrong answer, and times sides in turn.
import { describe, expect, it } from 'vitest';
import { type Outcome, type Row, runCase, type Settings } from '../../bench/harness/cases.ts';
import { measure } from '../../bench/harness/clock.ts';
import { binding, type Limit, leastSeconds } from '../../bench/limits/limits.ts';
import type { Case, LinearProblem, Run, Side } from '../../bench/problems.ts';

const TIMING = { rounds: 3, minTime: 1e-5, patience: 1, budget: 1 };
/** Sides below do not look at it. */
const PROBLEM = { kind: 'linear' } as LinearProblem;
const CASE: Case = {
  name: 'one plus one',
  work: { flops: 1, unit: 'GFLOP/s' },
  make: () => ({
    problem: PROBLEM,
    check: (answer) => (answer[0] === 2 ? null : `got ${answer[0]}, expected 2`),
  }),
};

/** A side that answers `value` and notes in `log` when it runs. */
function side(name: string, value: number, log: string[] = []): Side {
  const run = (): void => {
    if (log.at(-1) !== name) log.push(name);
  };
  return { name, version: '', prepare: () => ({ answer: () => Float32Array.of(value), run }) };
}

describe('the harness', () => {
  const settings = (...sides: Side[]): Settings => ({ sides, limits: [], timing: TIMING });

  it('leaves out of the timing what is wrong, and says so', async () => {
    const { rows, wrong, skipped } = await runCase('family', CASE, settings(side('ours', 2), side('peer', 3)));
    expect(rows.map((row) => row.side)).toEqual(['ours']);
    expect(wrong).toEqual([{ family: 'family', case: 'one plus one', side: 'peer', reason: 'got 3, expected 2' }]);
    expect(skipped).toEqual([]);
  });

  it('skips a peer that cannot, and fails where we cannot', async () => {
    const broken = (name: string): Side => ({
      name,
      version: '',
      prepare: () => {
        throw new Error('no such kernel');
      },
    });
    const without = { name: 'without', version: '', prepare: () => null };
    const peers = await runCase('family', CASE, settings(side('ours', 2), broken('peer'), without));
    expect(peers.rows).toHaveLength(1);
    expect(peers.wrong).toEqual([]);
    expect(peers.skipped.map(({ side: name, reason }) => `${name}: ${reason}`)).toEqual([
      'peer: no such kernel',
      'without: has no such operation',
    ]);
    const own = await runCase('family', CASE, settings(broken('ours'), side('peer', 2)));
    expect(own.wrong).toMatchObject([{ side: 'ours', reason: 'no such kernel' }]);
    expect(own.rows).toMatchObject([{ side: 'peer', ratio: null }]);
  });

  it('times the sides in turn, whatever kind they are', async () => {
    const log: string[] = [];
    const later = {
      name: 'later',
      version: '',
      prepare: () => ({
        answer: async () => Float32Array.of(2),
        runAsync: async () => {
          if (log.at(-1) !== 'later') log.push('later');
        },
      }),
    };
    const elsewhere = {
      name: 'elsewhere',
      version: '',
      prepare: () => ({
        answer: () => Float32Array.of(2),
        time: async (count: number) => {
          if (log.at(-1) !== 'elsewhere') log.push('elsewhere');
          return count * 1e-6;
        },
      }),
    };
    const { rows } = await runCase('family', CASE, settings(side('ours', 2, log), later, elsewhere));
    expect(log).toEqual(Array(4).fill(['ours', 'later', 'elsewhere']).flat());
    expect(rows.map((row) => row.samples)).toEqual([3, 3, 3]);
    const last = rows[2] as Row;
    expect(last.seconds.median).toBeCloseTo(1e-6, 12);
    expect(last.rate).toBeCloseTo(1e-3, 9);
    expect(last.ratio).toBeCloseTo(1e-6 / (rows[0] as Row).seconds.best, 6);
  });

  it('compares a version to the side it is another of, and lets it lack what ours must have', async () => {
    const timed = (name: string, seconds: number, versionOf?: string): Side => ({
      name,
      version: '',
      ...(versionOf !== undefined && { versionOf }),
      prepare: () => ({ answer: () => Float32Array.of(2), time: async (count) => count * seconds }),
    });
    const own = [timed('eager', 4e-6), timed('before, eager', 5e-6, 'eager')];
    const lacking: Side = { name: 'before', version: '', versionOf: 'ours', prepare: () => null };
    const { rows, wrong, skipped } = await runCase(
      'family',
      { ...CASE, sides: own },
      settings(timed('ours', 1e-6), lacking),
    );
    expect(rows.map(({ side: name, ratio }) => [name, ratio])).toEqual([
      ['ours', 1],
      ['eager', expect.closeTo(4, 9)],
      ['before, eager', expect.closeTo(1.25, 9)],
    ]);
    expect(wrong).toEqual([]);
    expect(skipped).toMatchObject([{ side: 'before', reason: 'has no such operation' }]);
  });

  it('gives library problems to the library alone', async () => {
    const seen: unknown[] = [];
    const library = {} as NonNullable<Side['library']>;
    const problem = {
      kind: 'library' as const,
      prepare: (given: unknown): Run => {
        seen.push(given);
        return { answer: () => Float32Array.of(2), run: () => {} };
      },
    };
    const item: Case = { ...CASE, make: () => ({ ...CASE.make(), problem }) };
    const { rows }: Outcome = await runCase('family', item, settings({ ...side('ours', 2), library }, side('peer', 2)));
    expect(rows.map((row) => row.side)).toEqual(['ours']);
    expect(seen).toEqual([library]);
  });

  it('takes a slow side once', async () => {
    const timed: string[] = [];
    const run = (name: string): Run => ({
      answer: () => new Float32Array(),
      time: async (count) => timed.push(name) && count,
    });
    const samples = await measure([run('fast'), run('slow')], [0.3, 60], { ...TIMING, rounds: 10 });
    expect(timed).toEqual(['fast', 'fast', 'fast']);
    expect(samples).toEqual([[1, 1, 1], [60]]);
  });

  const UNIT = { unit: 'GB/s' } as const;
  it('holds a row against the limit that binds it', async () => {
    const limit = (kind: Limit['kind'], rate: number, footprint?: number): Limit => ({
      kind,
      rate,
      name: `${kind} ${footprint ?? ''}`,
      run: { answer: () => new Float32Array() },
      amount: 1,
      ...(footprint !== undefined && { footprint }),
    });
    const limits = [limit('flops', 1e9), limit('bytes', 1e8, 1000), limit('bytes', 1e7, 9000), limit('exps', 1e6)];
    expect(binding({ ...UNIT, flops: 1000, bytes: 99 }, limits)?.kind).toBe('flops');
    expect(binding({ ...UNIT, flops: 1000, bytes: 500 }, limits)?.footprint).toBe(1000);
    expect(binding({ ...UNIT, bytes: 1001 }, limits)?.footprint).toBe(9000);
    expect(binding({ ...UNIT, bytes: 1e6 }, limits)?.footprint).toBe(9000);
    expect(binding({ ...UNIT, bytes: 8, exps: 100 }, limits)?.kind).toBe('exps');
    expect(binding(UNIT, limits)).toBeNull();
    expect(leastSeconds({ ...UNIT, bytes: 500 }, limits[1] as Limit)).toBe(5e-6);
  });
});
