// A fixed order of shards: the same bits on 1, 2 and 4 ranks, eager and compiled, with dropout and batch norm.
import { describe, expect, it } from 'vitest';
import { type Ended, missing, runAlone, runRanks } from './ranks.ts';

describe.skipIf(missing)(`a fixed order${missing && `: skipped, ${missing}`}`, () => {
  it('gives the same bits on any number of ranks', async () => {
    const jobs = [await runAlone('shards.js'), await runRanks(2, 'shards.js'), await runRanks(4, 'shards.js')];
    expect(jobs.map(({ code, stderr }) => [code, stderr])).toEqual(jobs.map(() => [0, '']));
    const first = jobs.flatMap(({ reports }) => reports.map(([report]) => report as [string, string, number]));
    expect(first.length).toBe(1 + 2 + 4);
    expect(new Set(first.flatMap((report) => report.slice(0, 2))).size).toBe(1);
    expect(first.every(([, , programs]) => programs === 1)).toBe(true);
    const [outside, rows, any, count, seed] = ((jobs[1] as Ended).reports[1] as string[]).slice(1);
    expect(outside).toMatch(/^ArgumentError: forward: expected a call inside of inShards\(\)/);
    expect(rows).toMatch(
      /^ArgumentError: inShards: expected rows that 2 shards of this rank can share, got shape \[5, 6\]/,
    );
    expect(any).toMatch(/^ArgumentError: inShards: expected a DataParallel of order 'fixed', got 'any'/);
    expect(count).toBe('ArgumentError: DataParallel: expected shards to be a multiple of 2, got 3');
    expect(seed).toMatch(
      /^DistributedError: DataParallel: .* on rank 1; call manualSeed with one number on all ranks$/,
    );
  });
});
