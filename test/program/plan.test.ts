// The memory that a plan takes, to the byte: results are the same with more of it, so only its bytes tell.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runtime } from '../../bindings/engine/engine.ts';
import { withTracer } from '../../bindings/execute.ts';
import { init, ones, scope, shutdown, type Tensor } from '../../bindings/index.ts';
import type { Block } from '../../bindings/memory/arena.ts';
import { lower } from '../../bindings/program/lower.ts';
import { type LoopPlan, type Plan, planMemory } from '../../bindings/program/plan.ts';
import { stepsOf } from '../../bindings/program/steps.ts';
import { Trace } from '../../bindings/program/trace.ts';

const ROWS = 512;
const WIDTH = 128;
/** Of a block of that size: the arena hands out no other. */
const BYTES = 4 * ROWS * WIDTH;
const CAPACITY = 16384;

interface Given {
  readonly x: Tensor;
  /** 683 a row: three rows are one more than a block has at most. */
  readonly wide: Tensor;
  readonly row: Tensor;
}
interface Case {
  readonly f: (given: Given) => Tensor;
  /** Of the program, without its result. */
  readonly bytes: number;
  readonly capacity?: number;
  /** Of each loop: how many elements or rows a block has, and where the intermediates lie in the scratch, in blocks. */
  readonly loops: readonly { readonly units: number; readonly slots: readonly number[] }[];
}

/** As many as fit, in whole cache lines. */
const elements = (slots: number, capacity = CAPACITY): number =>
  Math.max(64, Math.min(2048, Math.floor(capacity / 4 / slots / 64) * 64));

const CASES: Record<string, Case> = {
  'one op has no intermediates': { f: ({ x }) => x.exp(), bytes: 0, loops: [] },
  'what only a chain touches lies in the scratch, and results take the place of operands': {
    f: ({ x }) => x.exp().sin().mul(x).cos(),
    bytes: 0,
    loops: [{ units: elements(1), slots: [0, 0, 0] }],
  },
  'what is read again has a slot of its own': {
    f: ({ x }) => {
      const y = x.exp();
      return y.sin().mul(y).cos();
    },
    bytes: 0,
    loops: [{ units: elements(2), slots: [0, 1, 1] }],
  },
  'three at once': {
    f: ({ x }) => {
      const [a, b] = [x.exp(), x.sin()];
      return a.cos().mul(b).add(a);
    },
    bytes: 0,
    loops: [{ units: elements(3), slots: [0, 1, 2, 2] }],
  },
  'blocks go by what fits': {
    f: ({ x }) => x.exp().sin(),
    capacity: 4 * 1000,
    bytes: 0,
    loops: [{ units: elements(1, 4 * 1000), slots: [0] }],
  },
  'at least one cache line': {
    f: ({ x }) => x.exp().sin(),
    capacity: 4 * 10,
    bytes: 0,
    loops: [{ units: 64, slots: [0] }],
  },
  'what a later step reads needs memory': {
    f: ({ x }) => {
      const y = x.exp().sin();
      return y.mul(y.sum()).cos();
    },
    bytes: BYTES + 64,
    loops: [
      { units: elements(1), slots: [0] },
      { units: elements(1), slots: [0] },
    ],
  },
  'chains by rows: as many rows as fit': {
    f: ({ x, row }) => x.exp().add(row).sin(),
    bytes: 0,
    loops: [{ units: Math.floor(2048 / WIDTH), slots: [0, 0] }],
  },
  'no more rows than a block has elements': {
    f: ({ wide }) => wide.exp().add(wide.select(0, 0)).sin(),
    bytes: 0,
    loops: [{ units: 2, slots: [0, 0] }],
  },
  'rows that are longer than the scratch stay in memory': {
    f: ({ x, row }) => x.exp().add(row).sin(),
    capacity: 4 * (WIDTH - 1),
    bytes: 2 * BYTES,
    loops: [{ units: 1, slots: [] }],
  },
  'an op alone takes the place of an operand that nobody reads any more': {
    f: ({ x }) => x.cumsum(0).exp().cumsum(1),
    bytes: BYTES,
    loops: [],
  },
  'what a chain writes is kept from there on': {
    f: ({ x }) => {
      const y = x.exp().sin();
      const total = x.cumsum(0).sum(0);
      return y.cumsum(0).add(total);
    },
    bytes: 2 * BYTES + 4 * WIDTH,
    loops: [{ units: elements(1), slots: [0] }],
  },
  'what is alive at once lies apart': {
    f: ({ x }) => x.cumsum(0).cumsum(1).cumsum(0).cumsum(1),
    bytes: 2 * BYTES,
    loops: [],
  },
};

/** The plan of a function, and how much a unit of each loop has. */
function planOf({ f, capacity = CAPACITY }: Case): { plan: Plan; loops: readonly (readonly [LoopPlan, number])[] } {
  const trace = new Trace();
  const given = { x: ones([ROWS, WIDTH]), row: ones([WIDTH]), wide: ones([20, 683]) };
  return withTracer(trace, () => {
    const result = f(given);
    const inside = (block: Block): boolean => block.origin === trace && block !== result.block;
    const steps = stepsOf(lower(trace.nodes, runtime().lists.select), inside, (block) => block === result.block);
    const plan = planMemory(steps, inside, capacity);
    return {
      plan,
      loops: steps
        .filter(({ loop }) => loop)
        .map((step) => [plan.loops.get(step) as LoopPlan, step.tasks[0]?.slices?.row ?? 1] as const),
    };
  });
}

describe('planMemory', () => {
  beforeAll(() => init());
  afterAll(() => shutdown());

  it.each(Object.entries(CASES))('%s', (_, one) => {
    scope(() => {
      const { plan, loops } = planOf(one);
      expect(plan.bytes).toBe(one.bytes);
      expect(
        loops.map(([{ units, offsets }, row]) => ({
          units,
          slots: [...offsets.values()].map((offset) => offset / (4 * units * row)),
        })),
      ).toEqual(one.loops);
    });
  });
});
