// SyncBatchNorm and shared state of optimizers between two ranks.
import { describe, expect, it } from 'vitest';
import { missing, runRanks } from './ranks.ts';

describe.skipIf(missing)(`what ranks share${missing && `: skipped, ${missing}`}`, () => {
  it('is as on one', async () => {
    const { code, reports, stderr } = await runRanks(2, 'optimizers.js');
    expect([code, stderr]).toEqual([0, '']);
    for (const [norms, states, count, twice] of reports) {
      expect(norms).toEqual([1, 2, 3].map(() => [true, true, true, 'SyncBatchNorm']));
      expect(states).toEqual([6, 6, 6, true, true]);
      expect(count).toBe(2);
      expect(twice).toMatch(/^ArgumentError: shardOptimizer: expected an optimizer that has made no step/);
    }
  });
});
