// The programs that the doctor is scored on, and how it is scored.
import { describe, expect, it } from 'vitest';
import { checkPrograms } from '../../bench/doctor/measure.ts';
import { FINDINGS, type Program } from '../../bench/doctor/program.ts';
import { examineAll, formatScore, type Watch } from '../../bench/doctor/score.ts';
import { SETS } from '../../bench/doctor/sets.ts';
import { init } from '../../bindings/index.ts';

await init({ threads: 1 });
const blind = SETS.find(({ name }) => name === 'blind')?.programs ?? [];
const named = (name: string): Program => blind.find((program) => program.name === name) as Program;

/** A doctor that says the same of every program. */
const saying =
  (id: string, where: string | null, kind: 'fault' | 'hint' = 'fault'): Watch =>
  () => ({ step: () => {}, report: () => ({ findings: [{ id, kind, where, confidence: 1 }] }) });

describe('programs of the doctor', () => {
  it.each(SETS)('of the set $name have names of their own', ({ programs }) => {
    expect(new Set(programs.map(({ name }) => name)).size).toBe(programs.length);
    for (const { fault, acceptable = [] } of programs)
      for (const id of [fault, ...acceptable]) if (id !== null) expect(FINDINGS).toHaveProperty(id);
  });

  it('are several for each fault, and some without one', () => {
    for (const id of Object.keys(FINDINGS))
      expect(blind.filter(({ fault }) => fault === id).length, id).toBeGreaterThan(1);
    expect(blind.filter(({ fault }) => fault === null).length).toBeGreaterThanOrEqual(25);
    for (const { evidence } of blind) expect(evidence).toMatch(/^loss .* → .*score/);
  });

  it('show what they should, or that they do not', async () => {
    const some = [
      'a linear regression that diverges',
      'dropout of four measures before anything sees them',
      'a wide ReLU network, some of whose units are never active',
    ];
    const lines: string[] = [];
    expect(await checkPrograms(some.map(named), [1], (line) => lines.push(line))).toBe(0);
    expect(lines).toHaveLength(5);
    const wrong = {
      ...named('a linear regression that diverges'),
      make: named('a linear regression that diverges').make.bind(null, 1, true),
    } as Program;
    const astray = { ...named('a linear regression that diverges'), where: 'nowhere' };
    expect(await checkPrograms([wrong, astray], [1], () => {})).toBe(2);
  }, 30_000);

  it('count what a doctor says', async () => {
    const some = ['dropout of four measures before anything sees them', 'penguins by logistic regression'].map(named);
    const score = async (watch: Watch) => {
      const [faulty, healthy] = await examineAll(watch, some);
      return [faulty?.found, faulty?.placed, faulty?.first, healthy?.alarms];
    };
    expect(await score(saying('dropout-misplaced', '0'))).toEqual([true, true, true, 1]);
    expect(await score(saying('underfitting', '0.weight'))).toEqual([true, true, true, 1]);
    expect(await score(saying('dropout-misplaced', '1'))).toEqual([true, false, true, 1]);
    expect(await score(saying('dropout-misplaced', null))).toEqual([true, false, true, 1]);
    expect(await score(saying('dead-relu', '2'))).toEqual([false, false, false, 1]);
    expect(await score(saying('dead-relu', '2', 'hint'))).toEqual([false, false, false, 0]);
    const table = formatScore('some', await examineAll(saying('dead-relu', '2'), some));
    expect(table).toMatch(/^all +0\/1 0 % +0\/1 0 %/m);
    expect(table).toMatch(/an alarm +1\/1 100 %\n +penguins by logistic regression: dead-relu/);
  }, 30_000);
});
