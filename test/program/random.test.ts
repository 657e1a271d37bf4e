// Random programs: what compile() makes of them leaves the bits that eager mode leaves, with any number of threads.
import { afterEach, describe, expect, it } from 'vitest';
import { isGradEnabled, ops } from '../../bindings/autograd.ts';
import * as rg from '../../bindings/index.ts';
import { compile, noGrad, optim, scope, type Tensor } from '../../bindings/index.ts';
import { randomNumbers } from '../support/random.ts';
import { bits } from '../support/tensors.ts';

type Random = (below: number) => number;

/** Tensors of a program: matrices of one size and what stretches to it, so that most ops fit most of them. */
interface State {
  readonly rows: number;
  readonly columns: number;
  /** [rows, columns] */
  readonly values: Tensor[];
  /** [columns], [rows, 1] and [] */
  readonly others: Tensor[];
  /** [columns, columns] */
  readonly weights: readonly Tensor[];
  /** Written in place; not leaves. */
  readonly buffers: readonly Tensor[];
}

const pick = <T>(random: Random, list: readonly T[]): T => list[random(list.length)] as T;

const UNARY: readonly ((x: Tensor) => Tensor)[] = [
  (x) => x.relu(),
  (x) => x.tanh(),
  (x) => x.neg(),
  (x) => x.abs(),
  (x) => x.square(),
  (x) => x.sigmoid(),
  (x) => x.mul(0.5),
  (x) => x.add(1),
  (x) => x.clamp({ min: -1, max: 1 }),
];
const BINARY: readonly ((a: Tensor, b: Tensor) => Tensor)[] = [
  (a, b) => a.add(b),
  (a, b) => b.sub(a),
  (a, b) => a.mul(b),
  (a, b) => a.maximum(b),
  (a, b) => rg.where(a.gt(b), a, b),
];
const REDUCED: readonly ((x: Tensor) => Tensor)[] = [
  (x) => x.sum(0),
  (x) => x.mean(1, { keepdim: true }),
  (x) => x.amax(0),
  (x) => x.sum(),
  (x) => x.softmax(1).sum(0),
];

/** One step of a program. It is the same for the same numbers, whatever the tensors hold. */
function step(random: Random, state: State): void {
  const { values, others, weights, buffers, rows, columns } = state;
  const any = (): Tensor => pick(random, [...values, ...buffers]);
  const keep = (x: Tensor): void => {
    values.push(x);
  };
  switch (random(14)) {
    case 0:
    case 1:
    case 2:
      keep(pick(random, UNARY)(any()));
      break;
    case 3:
    case 4:
      keep(pick(random, BINARY)(any(), any()));
      break;
    case 5:
    case 6:
      keep(pick(random, BINARY)(any(), pick(random, others)));
      break;
    case 7:
      others.push(pick(random, REDUCED)(any()).mul(1 / 16));
      break;
    case 8: {
      const product = any().matmul(pick(random, weights));
      const between = random(3) === 0 ? UNARY[random(9)]?.(any()) : undefined;
      if (between) keep(between);
      if (random(3) === 0) write(random, state);
      const bias = others.find(({ shape }) => shape.length === 1);
      const sum = bias && random(4) > 0 ? product.add(bias) : product;
      keep(random(2) === 0 ? sum.relu() : sum);
      break;
    }
    case 9: {
      // Layouts: transposed, and back after something.
      const x = any().transpose(0, 1);
      keep((random(2) === 0 ? x.add(1) : x.contiguous()).transpose(0, 1));
      break;
    }
    case 10:
      if (rows !== columns) keep(any().transpose(0, 1).reshape([rows, columns]));
      else keep(pick(random, BINARY)(any(), any().transpose(0, 1)));
      break;
    case 11: {
      const from = random(rows);
      const part = any().narrow(0, from, rows - from);
      keep(rg.concat([part, any().narrow(0, 0, from)], 0));
      break;
    }
    default:
      write(random, state);
  }
}

/** Overwrites a buffer, whole or through a view. */
function write(random: Random, { values, others, buffers, rows, columns }: State): void {
  const buffer = pick(random, buffers);
  // What a gradient needs may not change before backward().
  if (isGradEnabled()) return;
  const source = random(3) === 0 ? pick(random, others) : pick(random, [...values, ...buffers]);
  const [whole, row] = [random(2) === 0, random(2) === 0];
  if (source.ndim < 2 || source.size < buffer.size || whole) ops.copy({ y: buffer, x: source });
  else if (row) {
    const part = buffer.select(0, random(rows));
    ops.copy({ y: part, x: source.select(0, random(rows)) });
  } else {
    const from = random(columns);
    ops.copy({ y: buffer.narrow(1, from, columns - from), x: source.narrow(1, 0, columns - from) });
  }
}

/** What is there before a program runs: the same for the same seed. */
function begin(seed: number): { state: () => State; parameters: Tensor[]; x: Tensor; buffers: Tensor[] } {
  const random = randomNumbers(seed);
  const sizes = [
    [3, 4],
    [5, 5],
    [64, 150],
    [96, 96],
  ] as const;
  const [rows, columns] = pick(random, sizes);
  rg.manualSeed(seed);
  const x = rg.randn([rows, columns]);
  const parameters = [rg.randn([columns, columns]).mul(0.1).detach(), rg.randn([columns])].map((p) =>
    p.requiresGrad_(),
  );
  const [weight, bias] = parameters as [Tensor, Tensor];
  const fixed = [rg.randn([rows, 1]), rg.randn([columns])];
  const buffers = [rg.randn([rows, columns]), rg.randn([rows, columns])];
  const other = rg.randn([columns, columns]).mul(0.1).detach();
  return {
    parameters,
    buffers,
    x,
    state: () => ({
      ...{ rows, columns, buffers },
      values: [],
      others: [bias, ...fixed],
      weights: [weight, other.transpose(0, 1), other],
    }),
  };
}

/** Runs a program three times. @returns all that it leaves, run by run */
function run(seed: number, compiled: boolean): string[] {
  return scope(() => {
    const { state, parameters, x, buffers } = begin(seed);
    const optimizer =
      seed % 2 === 0 ? new optim.SGD(parameters, { lr: 0.01, momentum: 0.9 }) : new optim.Adam(parameters);
    const length = 4 + (seed % 23);
    const body = (input: Tensor): Tensor[] => {
      const random = randomNumbers(1000 + seed);
      const now = state();
      now.values.push(input, input.mul(0.5));
      optimizer.zeroGrad();
      const steps = (): void => {
        for (let i = 0; i < length; i++) step(random, now);
      };
      if (seed % 3 === 0) steps();
      else noGrad(steps);
      const last = now.values.at(-1) as Tensor;
      // A product before the step, and what reads it behind.
      const early = x.matmul(parameters[0] as Tensor);
      const loss = last
        .add(early)
        .square()
        .mean()
        .add((parameters[1] as Tensor).sum());
      loss.backward();
      optimizer.step();
      const late = early.add(parameters[1] as Tensor).relu();
      return [late, loss, last, ...now.values.slice(-3), now.others.at(-1) as Tensor].map((y) => y.detach());
    };
    const call = compiled ? compile(body) : body;
    const left: string[] = [];
    for (let i = 0; i < 3; i++) {
      scope(() => {
        const results = call(x);
        left.push(...[...results, ...buffers, ...parameters].map(bits));
      });
      // Values would grow without bound through the buffers.
      noGrad(() => {
        for (const buffer of buffers) ops.copy({ y: buffer, x: buffer.clamp({ min: -2, max: 2 }) });
      });
    }
    optimizer.dispose();
    return left;
  });
}

describe('random programs', () => {
  afterEach(() => rg.shutdown());

  it.each([
    ['strict', 1, 300],
    ['relaxed', 1, 100],
    ['strict', 2, 150],
    ['strict', 3, 150],
  ] as const)('leave the bits of eager mode: %s build, %i threads', async (simd, threads, count) => {
    await rg.init({ simd, threads });
    for (let seed = 1; seed <= count; seed++) {
      const [eager, replayed] = [run(seed, false), run(seed, true)];
      const at = eager.findIndex((text, i) => text !== replayed[i]);
      expect(at, `seed ${seed}: what differs first`).toBe(-1);
    }
  });
});
