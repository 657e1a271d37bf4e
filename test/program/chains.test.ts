// Chains: the same loops as by looking at the whole run for each command.
import { describe, expect, it } from 'vitest';
import { type ChainOperand, chains, type Link } from '../../bindings/program/chains.ts';
import { randomNumbers } from '../support/random.ts';

const LEAST = 10;

interface Command extends Link {
  readonly name: string;
}

/** Whether the elements of all blocks that are written, and touched twice, lie alike. */
function aligned(commands: readonly Link[]): boolean {
  const all = commands.flatMap(({ operands }) => operands);
  return all.every((a) =>
    all.every(
      (b) =>
        a.block !== b.block ||
        (a.offset === b.offset && a.step === b.step) ||
        !all.some((c) => c.block === a.block && c.writes),
    ),
  );
}

/** By comparing each command with all of the run. */
function chainsSlowly(commands: readonly Command[]): Command[][] {
  const groups: Command[][] = [];
  let run: Command[] = [];
  const close = (): void => {
    if (run.length > 0) groups.push(run);
    run = [];
  };
  for (const command of commands) {
    const meets = (conflict: (a: ChainOperand, b: ChainOperand) => boolean): boolean =>
      run.some(({ operands }) =>
        operands.some((a) => command.operands.some((b) => a.block === b.block && conflict(a, b))),
      );
    if (command.elements < LEAST) {
      if (command.checks || meets((a, b) => a.writes || b.writes)) close();
      groups.push([command]);
      continue;
    }
    const rows = new Set([...run, command].flatMap(({ row }) => (row > 1 ? [row] : [])));
    if (rows.size > 1 || run[0]?.elements !== command.elements || !meets(() => true) || !aligned([...run, command]))
      close();
    run.push(command);
  }
  close();
  return groups;
}

function randomCommands(seed: number): Command[] {
  const random = randomNumbers(seed);
  const blocks = 2 + random(12);
  const odd = 2 + random(40);
  return Array.from({ length: 60 }, (_, i) => ({
    name: `${i}`,
    row: random(4) > 0 ? 1 : random(odd) > 0 ? 5 : 2,
    elements: random(5) === 0 ? random(LEAST) : LEAST + (random(odd) === 0 ? 1 : 0),
    checks: random(10) === 0,
    operands: Array.from({ length: 1 + random(3) }, (_, arg) => ({
      block: random(blocks),
      offset: random(odd) === 0 ? 4 : 0,
      step: random(odd) === 0 ? 0 : 4,
      writes: arg === 0,
    })),
  }));
}

const names = (groups: readonly (readonly Command[])[]): string =>
  groups.map((group) => group.map(({ name }) => name).join('')).join(' ');
const of = (commands: readonly Command[]): string => names(chains(commands, (command) => command, LEAST));

/** A command that reads and writes blocks; `a>b` reads a and writes b. */
function command(name: string, what: string, more: Partial<Link> = {}): Command {
  const [read = '', written = ''] = what.split('>');
  const operand = (block: string, writes: boolean): ChainOperand => ({ block, offset: 0, step: 4, writes });
  const operands = [
    ...[...written].map((block) => operand(block, true)),
    ...[...read].map((block) => operand(block, false)),
  ];
  return { name, elements: LEAST, row: 1, checks: false, operands, ...more };
}

describe('chains', () => {
  it('are those that comparing each with all of the run finds', () => {
    let loops = 0;
    for (let seed = 1; seed <= 1500; seed++) {
      const commands = randomCommands(seed);
      const expected = chainsSlowly(commands);
      expect(of(commands), `seed ${seed}`).toBe(names(expected));
      loops += expected.filter(({ length }) => length > 1).length;
    }
    expect(loops).toBeGreaterThan(1500);
  });

  const other = { elements: 0 };
  const rows = (row: number): Partial<Link> => ({ row });
  const shifted = [{ block: 'b', offset: 4, step: 4, writes: false }];
  const cases: [what: string, commands: Command[], expected: string][] = [
    ['join what follows and shares an operand', [command('A', 'a>b'), command('B', 'b>c'), command('C', 'a>d')], 'ABC'],
    ['do not join strangers', [command('A', 'a>b'), command('B', 'c>d')], 'A B'],
    ['do not join other sizes', [command('A', 'a>b'), command('B', 'b>c', { elements: LEAST + 1 })], 'A B'],
    ['join rows of one length', [command('A', 'a>b'), command('B', 'b>c', rows(5)), command('C', 'c>d')], 'ABC'],
    ['do not join rows of others', [command('A', 'a>b', rows(5)), command('B', 'b>c', rows(2))], 'A B'],
    [
      'let pass what touches nothing of theirs',
      [command('A', 'a>b'), command('F', '>f', other), command('B', 'bf>c')],
      'F AB',
    ],
    [
      'let pass what reads what they read',
      [command('A', 'a>b'), command('F', 'a>f', other), command('B', 'b>c')],
      'F AB',
    ],
    [
      'end where another reads what they write',
      [command('A', 'a>b'), command('F', 'b>f', other), command('B', 'b>c')],
      'A F B',
    ],
    [
      'end where another writes what they read',
      [command('A', 'a>b'), command('F', '>a', other), command('B', 'b>c')],
      'A F B',
    ],
    [
      'end at a check',
      [command('A', 'a>b'), command('F', 'z>', { elements: 0, checks: true }), command('B', 'b>c')],
      'A F B',
    ],
    [
      'end where what they write is read elsewhere',
      [command('A', 'a>b'), command('B', '>c', { operands: [...command('', '>c').operands, ...shifted] })],
      'A B',
    ],
    [
      'do not begin with a command that does so by itself',
      [command('A', '>b', { operands: [...command('', '>b').operands, ...shifted] }), command('B', 'b>c')],
      'A B',
    ],
  ];
  it.each(cases)('%s', (_, commands, expected) => {
    expect(of(commands)).toBe(expected);
  });
});
