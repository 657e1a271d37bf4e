// Lifetimes, results that take the place of operands, and slots of loops: checked by running what they allow.
import { describe, expect, it } from 'vitest';
import {
  assignSlots,
  lifetimesOf,
  type StepOperand,
  type StepOperands,
  shareBuffers,
} from '../../bindings/program/lifetimes.ts';
import { randomNumbers } from '../support/random.ts';

interface Block {
  readonly name: string;
  readonly bytes: number;
}

const blocks = new Map<string, Block>();
/** A block by its name; capitals are larger. */
function blockOf(name: string): Block {
  const block = blocks.get(name) ?? { name, bytes: name === name.toLowerCase() ? 64 : 128 };
  blocks.set(name, block);
  return block;
}

/** A step that reads and writes blocks; `ab>c` reads a and b and writes c. */
function step(what: string, elementwise = true): StepOperands<Block> {
  const [read = '', written = ''] = what.split('>');
  const operand = (name: string, writes: boolean): StepOperand<Block> => {
    return { block: blockOf(name), offset: 0, step: 4, reads: !writes, writes };
  };
  const operands = [
    ...[...written].map((name) => operand(name, true)),
    ...[...read].map((name) => operand(name, false)),
  ];
  return { operands, elementwise };
}

/** Which blocks share a buffer, as `ac b`. */
function shared(steps: readonly StepOperands<Block>[], outside = ''): string {
  const { bufferOf } = shareBuffers(
    steps,
    lifetimesOf(steps, ({ name }) => !outside.includes(name)),
  );
  const groups: string[] = [];
  for (const [{ name }, buffer] of bufferOf) groups[buffer] = (groups[buffer] ?? '') + name;
  return groups.join(' ');
}

describe('lifetimesOf', () => {
  it('gives the first and the last step that touches a block, by first use', () => {
    const lifetimes = lifetimesOf([step('x>b'), step('b>a'), step('b>c')], ({ name }) => name !== 'x');
    expect([...lifetimes].map(([{ name }, life]) => ({ name, ...life }))).toEqual([
      { name: 'b', first: 0, last: 2 },
      { name: 'a', first: 1, last: 1 },
      { name: 'c', first: 2, last: 2 },
    ]);
  });
});

describe('shareBuffers', () => {
  const cases: [what: string, steps: StepOperands<Block>[], expected: string][] = [
    [
      'a result takes the place of an operand that is read for the last time',
      [step('x>a'), step('a>b'), step('b>c')],
      'abc',
    ],
    ['not of one that is read again', [step('x>a'), step('a>b'), step('ab>c')], 'ac b'],
    ['not of one from outside', [step('x>a')], 'a'],
    ['not of one of another size', [step('x>a'), step('a>B')], 'a B'],
    ['not where a step reads other elements than it writes', [step('x>a'), step('a>b', false)], 'a b'],
    ['two results do not take the same place', [step('x>a'), step('a>bc')], 'ab c'],
  ];
  it.each(cases)('%s', (_, steps, expected) => {
    expect(shared(steps, 'x')).toBe(expected);
  });

  it('an operand that is also read as one number for all stays', () => {
    const twice = step('a>b');
    const broadcast = { ...(twice.operands[1] as StepOperand<Block>), step: 0 };
    expect(shared([step('x>a'), { ...twice, operands: [...twice.operands, broadcast] }], 'x')).toBe('a b');
  });

  it('a buffer lives as long as all its blocks', () => {
    const steps = [step('x>a'), step('a>b'), step('x>c'), step('bc>d')];
    const { ranges, bufferOf } = shareBuffers(
      steps,
      lifetimesOf(steps, ({ name }) => name !== 'x'),
    );
    expect(ranges[bufferOf.get(blockOf('a')) as number]).toMatchObject({ bytes: 64, first: 0, last: 3 });
  });
});

describe('assignSlots', () => {
  it('never gives a slot away that is in use, and uses as few as are alive at once', () => {
    for (let seed = 1; seed <= 200; seed++) {
      const random = randomNumbers(seed);
      const links = 2 + random(30);
      const lifetimes = new Map(
        Array.from({ length: random(40) }, (_, i) => {
          const first = random(links - 1);
          return [i, { first, last: first + 1 + random(Math.min(6, links - first - 1)) }] as const;
        }),
      );
      const { slots, count } = assignSlots(links, lifetimes);
      let most = 0;
      for (let at = 0; at < links; at++) {
        // What is read for the last time may give its slot to a result.
        const alive = [...lifetimes]
          .filter(([, { first, last }]) => first <= at && at < last)
          .map(([i]) => slots.get(i));
        expect(new Set(alive).size).toBe(alive.length);
        most = Math.max(most, alive.length);
      }
      expect(count).toBe(most);
      expect(slots.size).toBe(lifetimes.size);
    }
  });
});
