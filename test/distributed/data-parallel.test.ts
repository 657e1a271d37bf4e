// DataParallel: two ranks against one model that sees all batches.
import { describe, expect, it } from 'vitest';
import { missing, runAlone, runRanks } from './ranks.ts';

const trained = (compiled: boolean) => ({ far: true, same: true, programs: compiled ? 1 : null });

describe.skipIf(missing)(`DataParallel${missing && `: skipped, ${missing}`}`, () => {
  it('trains as one model that sees all batches', async () => {
    const { code, reports, stderr } = await runRanks(2, 'data-parallel.js');
    expect(stderr).toBe('');
    expect(code).toBe(0);
    reports.forEach((all, rank) => {
      const [each, weights, buffers, hooked, some, unused, found, sparse, other, asynchronous, twice] = all;
      expect(each).toEqual([1, 2].flatMap(() => [false, false, true, true].map(trained)));
      expect(weights).toBe(1);
      expect(buffers).toEqual([true, true]);
      // 2 · the mean of [1, 0] and [2, 0], by each row.
      expect(hooked).toEqual([[[1 + rank, 0, 1 + rank, 0]], [3, 0, 3, 0], null]);
      expect(some).toEqual([null, [1, 1]]);
      expect(unused).toMatch(
        /^GradError: backward: expected all parameters of DataParallel .*, got none of b.weight; pass/,
      );
      expect(found).toEqual([1.5, 1.5]);
      expect(sparse).toEqual([0.5, 0.5, 0.5, 0.5, 0, 0, 1, 1]);
      expect(other).toMatch(
        /^DistributedError: DataParallel: expected the same on all ranks, got order any, shards 1, 6 numbers .* on rank 0, .* 9 numbers .* on rank 1/,
      );
      expect(twice).toEqual([1, 1, 0.5]);
      expect(asynchronous).toMatch(/^ArgumentError: noSync: expected a synchronous function/);
    });
  });

  it('is the model itself alone', async () => {
    const { code, stderr, reports } = await runAlone('data-parallel.js', { args: ['1', 'alone'] });
    expect([code, stderr]).toEqual([0, '']);
    expect(reports[0]?.[1]).toBe(1);
  });
});
