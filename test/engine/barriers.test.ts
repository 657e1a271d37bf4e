// Barriers: the same as by comparing each step with all since the last barrier.
import { describe, expect, it } from 'vitest';
import { Accesses } from '../../bindings/engine/barriers.ts';
import { randomNumbers } from '../support/random.ts';
import { cpuSeconds } from '../support/seconds.ts';

interface Slices {
  readonly units: number;
  readonly grain: number;
  readonly step: number;
  readonly start: number;
}

interface Access {
  readonly memory: string | null;
  readonly from: number;
  readonly to: number;
  readonly writes: boolean;
  readonly slices: Slices | null;
}

interface Step {
  readonly accesses: readonly Access[];
  readonly checks?: boolean;
}

function barriersOf(steps: readonly Step[]): boolean[] {
  const all = new Accesses();
  for (const { accesses, checks = false } of steps) {
    for (const { memory, from, to, writes, slices } of accesses)
      all.add(memory, from, to, writes, slices?.units, slices?.grain, slices?.step, slices?.start);
    all.endStep(checks);
  }
  return all.barriers();
}

/** By comparing all with all. */
function barriersSlowly(steps: readonly Step[]): boolean[] {
  let since: (Access & { readonly checks: boolean })[] = [];
  return steps.map(({ accesses, checks = false }) => {
    const list = accesses.map((access) => ({ ...access, writes: access.writes || checks, checks }));
    const meets = list.some((a) =>
      since.some(
        (b) =>
          b.checks ||
          (a.memory === b.memory &&
            a.from < b.to &&
            b.from < a.to &&
            (a.writes || b.writes) &&
            (checks || JSON.stringify(a.slices) !== JSON.stringify(b.slices))),
      ),
    );
    since = meets ? list : [...since, ...list];
    return meets;
  });
}

function randomSteps(seed: number): Step[] {
  const random = randomNumbers(seed);
  const size = 1 + random(40);
  const alike = random(3) === 0;
  const rare = 1 + random(30);
  return Array.from({ length: 60 }, () => ({
    checks: random(20) === 0,
    accesses: Array.from({ length: 1 + random(3) }, () => {
      const from = random(size);
      const start = random(2) * from;
      return {
        memory: ([null, null, null, 'a', 'b'] as const)[random(5)] as string | null,
        from,
        to: from + 1 + random(random(2) * size + 1),
        writes: random(rare) === 0,
        slices:
          random(4) === 0
            ? null
            : {
                units: 10,
                grain: alike ? 1 : 1 + random(2),
                step: alike ? 4 : 4 * random(2),
                start: alike ? 0 : start,
              },
      };
    }),
  }));
}

const slices = { units: 8, grain: 1, step: 4, start: 0 };
const access = (from: number, to: number, writes: boolean, more: Partial<Access> = {}): Access => {
  return { memory: null, from, to, writes, slices, ...more };
};

describe('barriers', () => {
  it('stand where comparing all with all puts them', () => {
    let waits = 0;
    for (let seed = 1; seed <= 1500; seed++) {
      const steps = randomSteps(seed);
      const expected = barriersSlowly(steps);
      expect(barriersOf(steps), `seed ${seed}`).toEqual(expected);
      waits += expected.filter(Boolean).length;
    }
    // Neither always nor never.
    expect(waits).toBeGreaterThan(0.1 * 1500 * 60);
    expect(waits).toBeLessThan(0.9 * 1500 * 60);
  });

  const cases: [what: string, steps: Access[][], expected: boolean[]][] = [
    [
      'a write after a read in other slices',
      [[access(0, 8, false)], [access(4, 12, true, { slices: null })]],
      [false, true],
    ],
    [
      'a read after a write in other slices',
      [[access(0, 8, true)], [access(7, 8, false, { slices: null })]],
      [false, true],
    ],
    [
      'not in the same slices',
      [[access(0, 8, true)], [access(0, 8, true)], [access(0, 8, false)]],
      [false, false, false],
    ],
    ['not between reads', [[access(0, 8, false)], [access(0, 8, false, { slices: null })]], [false, false]],
    ['not side by side', [[access(0, 8, true)], [access(8, 16, true, { slices: null })]], [false, false]],
    [
      'not in another memory',
      [[access(0, 8, true)], [access(0, 8, true, { slices: null, memory: 'a' })]],
      [false, false],
    ],
    [
      'a write after reads in slices of two kinds',
      [[access(0, 8, false)], [access(0, 8, false, { slices: null })], [access(0, 8, true)]],
      [false, false, true],
    ],
    [
      'once: what stands before a barrier is forgotten',
      [[access(0, 8, true)], [access(0, 8, false, { slices: null })], [access(0, 8, false)]],
      [false, true, false],
    ],
  ];
  it.each(cases)('%s', (_, list, expected) => {
    expect(barriersOf(list.map((accesses) => ({ accesses })))).toEqual(expected);
  });

  it('stand before a check of what was written, and always behind it', () => {
    const check = { accesses: [access(0, 8, false)], checks: true };
    const other = { accesses: [access(100, 108, false)] };
    expect(barriersOf([{ accesses: [access(0, 8, true)] }, check, other, other])).toEqual([false, true, true, false]);
  });

  it('take no time that is quadratic where none is needed', () => {
    const steps = Array.from({ length: 200_000 }, (_, i) => ({ accesses: [access(64 * i, 64 * i + 64, true)] }));
    const seconds = cpuSeconds(() => expect(barriersOf(steps).some(Boolean)).toBe(false));
    // A third of a second; comparing all with all takes more than a minute.
    expect(seconds).toBeLessThan(10);
  });
});
