// Every fault is found in a program that has it, at its place, and not in the same program with the remedy.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { OWN } from '../../bench/doctor/own/index.ts';
import { FINDINGS, type FindingId, type Program } from '../../bench/doctor/program.ts';
import { watch } from '../../bindings/doctor/index.ts';
import { init, manualSeed, type optim, scope, shutdown } from '../../bindings/index.ts';

beforeAll(() => init({ simd: 'strict', threads: 1 }));
afterAll(() => shutdown());

/** The quickest of the programs with a fault, where that is not the first. */
const CHOSEN: Partial<Record<FindingId, string>> = {
  'vanishing-gradients': 'tanh with small weights',
  'learning-rate-too-low': 'SGD at 1e-5',
  'labels-shuffled': 'targets of a regression',
  'forgotten-train-mode': 'dropout at rest',
  'forgotten-eval-mode': 'an MLP with dropout',
  'loss-oscillates': 'rows sorted by class',
};

/** Steps until a fault shows, where that takes longer than others. */
const STEPS: Partial<Record<FindingId, number>> = { 'exploding-gradients': 80, 'clipping-always-active': 80 };

const programOf = (id: string): Program | undefined =>
  OWN.find(({ fault, name }) => fault === id && name === (CHOSEN[id as FindingId] ?? name));

async function findingsIn(program: Program, mended: boolean) {
  manualSeed(1);
  const { model, optimizer, loss, train, validation, steps, step } = await program.make(1, mended);
  const doctor = watch(model, optimizer as optim.Optimizer<object>, {
    loss: loss as never,
    ...(train && { train }),
    ...(validation && { validation }),
  });
  for (let i = 0; i < Math.min(steps, STEPS[program.fault as FindingId] ?? 40); i++)
    scope(() => {
      const { loss: value, ...batch } = step(i);
      doctor.step(value, batch);
    });
  const report = await doctor.report();
  doctor.close();
  return report;
}

describe('the doctor finds', () => {
  it.each(Object.keys(FINDINGS).map((id) => [id]))('%s, and its remedy mends it', async (id) => {
    const program = programOf(id) as Program;
    const { where } = program;
    const { findings } = await findingsIn(program, false);
    const found = findings.filter((finding) => finding.id === id);
    expect(findings.map((finding) => finding.id)).toContain(id);
    expect(found[0]?.kind).toBe(FINDINGS[id as FindingId]);
    if (where !== null) expect([where].flat()).toContain(found[0]?.where);
    const mended = await findingsIn(program, true);
    expect(mended.findings.filter(({ kind }) => kind === 'fault' || id === 'weight-decay-on-norms')).toEqual([]);
    expect(mended.healthy).toBe(true);
  });
});
