// Trainer({ strategy: 'ddp' }): the same bits and figures on any number of ranks, and one that stops all.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { functional as F, init, nn, optim } from '../../bindings/index.ts';
import { Trainer } from '../../bindings/train/index.ts';
import { type Ended, missing, runAlone, runRanks } from './ranks.ts';

const folder = mkdtempSync(join(tmpdir(), 'retrograd-trainer-'));
afterAll(() => rmSync(folder, { recursive: true }));

interface Reported {
  readonly steps: number;
  readonly stopped: string | null;
  readonly told: unknown[];
  readonly figures: Record<string, number> | null;
  readonly hash: string;
}

/** What each rank reported first. */
function firstOf({ code, stderr, reports }: Ended): Reported[] {
  expect([code, stderr]).toEqual([0, '']);
  return reports.map(([first]) => first as Reported);
}

it('asks for the import that has the strategy', async () => {
  await init({ threads: 1 });
  const model = new nn.Linear(1, 1);
  const optimizer = new optim.SGD(model.parameters(), { lr: 0.1 });
  expect(() => new Trainer(model, { loss: F.mseLoss, optimizer, strategy: 'ddp' })).toThrow(
    "Trainer: expected a strategy that is known, got 'ddp'; import 'retrograd/distributed' first, which has it",
  );
});

describe.skipIf(missing)(`a Trainer of ranks${missing && `: skipped, ${missing}`}`, () => {
  it('trains, stops and goes on as one process does', async () => {
    const [alone] = firstOf(await runAlone('trainer.js', { args: [folder, 'whole'] })) as [Reported];
    expect(alone).toMatchObject({ steps: 8, stopped: null, told: expect.arrayContaining(['epoch', 8]) });
    const job = await runRanks(2, 'trainer.js', { args: [folder, 'whole'] });
    const [first, second] = firstOf(job) as [Reported, Reported];
    expect([first.hash, second.hash]).toEqual([alone.hash, alone.hash]);
    expect(first.told).toEqual(alone.told);
    expect(second.told).toEqual([]);
    expect(second.figures).toEqual(first.figures);
    for (const [name, value] of Object.entries(alone.figures ?? {}))
      expect(first.figures?.[name], name).toBeCloseTo(value, 5);
    const states = job.reports[0]?.[1] as number[][][];
    expect(states[1]).toEqual(states[0]);
    expect(job.reports[0]?.[2]).toMatch(/^ArgumentError: Trainer: expected a strategy that is known, got 'fsdp'/);
    const [seen, weights, usual] = (job.reports[0] as unknown[])[3] as [number[], [number[], number[]], number[]];
    expect(seen).toEqual([2, 2, 1]);
    expect(weights[1]).toEqual(weights[0]);
    usual.forEach((value, i) => void expect(weights[0][i]).toBeCloseTo(value, 5));

    const cure = 'give all ranks as many batches, by new DistributedSampler(dataset) or dropLast, and read them alike';
    const differ = 'DistributedError: fit: expected the same on all ranks, got';
    for (const all of job.reports)
      expect(all.slice(4)).toEqual([
        `${differ} 2 batches on rank 0, 3 batches on rank 1; ${cure}`,
        `${differ} 4 batches after batch 0 of pass 0 on rank 0, 4 batches after batch 1 of pass 0 on rank 1; ${cure}`,
        'DistributedError: fit: expected examples that ranks share, got a DataLoader without a DistributedSampler, of the same 64 examples on all 2; pass sampler: new DistributedSampler(dataset)',
        expect.stringMatching(/got the end after batch 2 on rank 0, batch 3 on rank 1; give all ranks as many batches/),
      ]);

    const stopped = firstOf(await runRanks(2, 'trainer.js', { args: [folder, 'stop'] }));
    expect(stopped.map(({ steps, stopped: why }) => [steps, why])).toEqual([0, 1].map(() => [3, 'enough']));
    const [resumed] = firstOf(await runAlone('trainer.js', { args: [folder, 'resume'] })) as [Reported];
    expect([resumed.steps, resumed.hash]).toEqual([8, alone.hash]);
  });
});
