// Collectives on tensors and objects between two ranks, eager and compiled.
import { describe, expect, it } from 'vitest';
import { type Launcher, launchers, missing, runRanks } from './ranks.ts';

const f32 = (shape: readonly number[], values: readonly number[]) => ({ dtype: 'f32', shape, values });

/** What each rank gets. */
const expected = (rank: number) => ({
  sum: f32([1, 3], [3, 6, 9]),
  mean: f32([2], [0.5, 1]),
  max: f32([3], [1, 0, 5]),
  integers: { dtype: 'i32', shape: [2], values: [3, 14] },
  bytes: { dtype: 'u8', shape: [5], values: [1, 3, 4, 5, 6] },
  empty: f32([0, 3], []),
  broadcast: f32([2], [10, 2]),
  allGather: f32([2, 1, 2], [0, 0.5, 1, 1.5]),
  gather: rank === 1 ? { dtype: 'i32', shape: [2, 2], values: [0, 9, 1, 9] } : null,
  view: f32([2, 2, 2], [0, 2, 1, 3, 1, 2, 1, 3]),
  reduceScatter: f32([2], rank === 0 ? [12, 14] : [16, 18]),
  reduceScatterMean: f32([1, 2], rank === 0 ? [1, 2] : [3, 0.5]),
});

const DIFFERS = 'run the same program on all ranks, on batches of one shape';
const differs = (op: string, a: string, b: string): string =>
  `DistributedError: ${op}: expected the same on all ranks, got ${a} on rank 0, ${b} on rank 1; ${DIFFERS}`;
const errors = (rank: number) => [
  differs('allReduce', 'allReduce sum of f32 [2]', 'allReduce sum of f32 [3]'),
  differs(rank === 0 ? 'allReduce' : 'broadcast', 'allReduce sum of f32 [2]', 'broadcast root 0 of f32 [2]'),
  differs('allReduce', 'allReduce sum of f32 [3, 1]', 'allReduce sum of f32 [3, 2]'),
  "DtypeError: allReduce: expected dtype f32 of a mean, got i32; take the sum, or convert it with .to('f32')",
  'ArgumentError: broadcast: expected root to be a rank of 0 … 1, got 2',
  'ShapeError: reduceScatter: expected rows that 2 ranks can share, got shape [3]; pad it',
  expect.stringMatching(/^ArgumentError: allReduce: expected a contiguous tensor to write as x, got shape \[3, 2\]/),
  expect.stringMatching(/^RecordingError: barrier: .*; call it outside of the compiled function$/),
  expect.stringMatching(/^RecordingError: broadcastObject: .*; call it outside of the compiled function$/),
  'ArgumentError: allGatherObject: expected a value that JSON has, got function; give null for nothing',
  'ArgumentError: allGatherObject: expected a value that JSON has, got one of which it says: Do not know how to serialize a BigInt; give plain numbers and texts',
  ['given', { a: 0 }],
];

const jobs = launchers.map((by, i): [string, number, Launcher] => [by.title, i === 0 ? 2 : 1, by]);

describe.skipIf(missing)(`collectives${missing && `: skipped, ${missing}`}`, () => {
  it.each(jobs)('give all ranks the same, by %s on threads: %i', async (_title, threads, by) => {
    const { code, reports, stderr } = await runRanks(2, 'collectives.js', { by, args: [String(threads)] });
    expect(stderr).toBe('');
    expect(code).toBe(0);
    reports.forEach((all, rank) => {
      expect(all[0]).toEqual(expected(rank));
      for (const [compiled, eager] of all.slice(1, 6) as [unknown, unknown][]) expect(compiled).toEqual(eager);
      expect((all[1] as unknown[][])[0]?.[0]).toEqual(f32([2, 2], [60, 40, 20, 60]));
      const objects = [
        [
          { rank: 0, text: '' },
          { rank: 1, text: 'é' },
        ],
        [1, null],
      ];
      expect(all.slice(6)).toEqual([1, [true, true], objects, ...errors(rank), 1]);
    });
  });
});
