// Jobs that do not fit together, by each MPI: what their errors say, and that they end within seconds.
import { describe, expect, it } from 'vitest';
import { launchers, missing, runRanks } from '../distributed/ranks.ts';

const SOON = 20_000;

describe.skipIf(missing)(`faults of ranks${missing && `: skipped, ${missing}`}`, () => {
  it.each(launchers)('of which one makes other calls, by $title', async (by) => {
    const { code, stderr, duration } = await runRanks(2, 'uneven.js', { by, args: ['meets'] });
    expect(code).not.toBe(0);
    expect(stderr).toMatch(
      /rank \d of 2: .* got MPI_\w+ as the \d+th call of rank \d, where this one waits; give all ranks as many/,
    );
    expect(duration).toBeLessThan(SOON);
  });
});
