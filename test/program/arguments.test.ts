// Random functions of tensors in every layout, which write some of them in place and return views: compiled, they
// return and leave what eager mode does, or throw a typed error where memory is shared.
import { afterEach, describe, expect, it } from 'vitest';
import * as rg from '../../bindings/index.ts';
import { compile, noGrad, scope, type Tensor } from '../../bindings/index.ts';
import { randomNumbers } from '../support/random.ts';
import { bits } from '../support/tensors.ts';

type Random = (below: number) => number;
const pick = <T>(random: Random, list: readonly T[]): T => list[random(list.length)] as T;

const SIZES = [
  [3, 4],
  [1, 5],
  [4, 4],
  [70, 90],
  [0, 3],
] as const;

/** Tensors of [rows, columns] in several layouts, with the memory that they lie in. */
const LAYOUTS: readonly ((rows: number, columns: number) => { x: Tensor; whole: Tensor })[] = [
  (r, c) => of(rg.randn([r, c]), (x) => x),
  (r, c) => of(rg.randn([c, r]), (x) => x.t()),
  (r, c) => of(rg.randn([r + 2, c + 3]), (x) => x.narrow(0, 1, r).narrow(1, 2, c)),
  (r, c) => of(rg.randn([c + 1, r + 2]), (x) => x.t().narrow(0, 2, r).narrow(1, 1, c)),
  (r, c) => of(rg.randn([r, 2, c]), (x) => x.select(1, 1)),
  (r, c) => of(rg.randn([r, c, 2]), (x) => x.select(2, 0)),
  (r, c) => of(rg.randn([c]), (x) => x.expand([r, c])),
  (r, c) => of(rg.randn([r, 1]), (x) => x.expand([r, c])),
];
const of = (whole: Tensor, look: (x: Tensor) => Tensor) => ({ x: look(whole), whole });

/** Looks at the same elements: [rows, columns] or [columns, rows]. */
const VIEWS: readonly ((x: Tensor) => Tensor)[] = [
  (x) => x.t(),
  (x) => x.narrow(0, 0, Math.ceil((x.shape[0] as number) / 2)),
  (x) => x.narrow(1, Math.floor((x.shape[1] as number) / 2), Math.ceil((x.shape[1] as number) / 2)),
  (x) => x.reshape([x.numel()]),
  (x) => x.unsqueeze(1),
  (x) => x.flatten(),
  (x) => x.detach(),
  (x) => (x.shape[0] ? x.select(0, 0) : x),
];

/** What a function does is decided by its seed alone. */
function program(seed: number, count: number): (xs: Tensor[]) => Tensor[] {
  return (xs) => {
    const random = randomNumbers(seed);
    const values = [...xs];
    const results: Tensor[] = [];
    const any = (): Tensor => pick(random, values);
    const length = 2 + random(8);
    for (let i = 0; i < length; i++) {
      switch (random(7)) {
        case 0:
          values.push(any().add(any()));
          break;
        case 1:
          values.push(any().mul(0.5).relu());
          break;
        case 2: {
          const [rows, columns] = (values[0] as Tensor).shape as [number, number];
          values.push(any().t().reshape([rows, columns]));
          break;
        }
        case 3:
          // Strided and expanded arguments are written where they lie, or not at all.
          pick(random, xs).copy_(any().mul(2));
          break;
        case 4: {
          const y = pick(random, xs);
          if (y.shape[0]) y.select(0, 0).copy_(any().select(0, (y.shape[0] as number) - 1));
          break;
        }
        default:
          results.push(pick(random, VIEWS)(any()));
      }
    }
    return [...results, pick(random, VIEWS)(values.at(-1) as Tensor), pick(random, xs), xs[count - 1] as Tensor];
  };
}

/** What a call returned, and whether that lies in an argument. */
const describeResult = (y: Tensor, args: readonly { x: Tensor }[]): string => {
  const at = args.findIndex(({ x }) => x.block === y.block);
  return `${y.shape} ${bits(y)} ${at < 0 ? 'new' : `of argument ${at}`}`;
};

/** Calls three times with the same arguments: all that is returned and left, or what is thrown. */
function run(seed: number, compiled: boolean): { left: string[]; shared: boolean } {
  return scope(() =>
    noGrad(() => {
      rg.manualSeed(seed);
      const random = randomNumbers(seed);
      const [rows, columns] = pick(random, SIZES);
      const args = Array.from({ length: 1 + random(3) }, () => pick(random, LAYOUTS)(rows, columns));
      // Now and then one argument twice, or two looks at one memory.
      const shared = random(4) === 0 && args.length > 1;
      if (shared) args[1] = { ...(args[0] as (typeof args)[0]) };
      const [, second] = args;
      if (shared && second && random(2) === 0) second.x = second.x.detach();
      const fn = program(seed * 7919, args.length);
      const f = compile(fn);
      const memory = (): string[] => args.map(({ whole }) => bits(whole));
      const left: string[] = [];
      for (let call = 0; call < 3; call++) {
        const before = memory();
        try {
          const results = scope(() => (compiled ? f : fn)(args.map(({ x }) => x)));
          left.push(...results.map((y) => describeResult(y, args)), ...memory());
        } catch (error) {
          left.push((error as Error).name);
          // Eager mode has done what came before; a compiled function has done nothing.
          if (compiled) expect(memory(), `seed ${seed}`).toEqual(before);
          break;
        }
      }
      f.dispose();
      return { left, shared };
    }),
  );
}

describe('arguments of compiled functions', () => {
  afterEach(() => rg.shutdown());

  it.each([1, 2])('are read, written and returned as in eager mode, with %i threads', async (threads) => {
    await rg.init({ threads, simd: 'strict' });
    let [written, refused] = [0, 0];
    for (let seed = 1; seed <= 400; seed++) {
      const [eager, replayed] = [run(seed, false), run(seed, true)];
      if (replayed.left.includes('RecordingError')) {
        expect(replayed.shared, `seed ${seed}`).toBe(true);
        refused++;
        continue;
      }
      const at = eager.left.findIndex((text, i) => text !== replayed.left[i]);
      expect(at, `seed ${seed}: ${eager.left[at]?.slice(0, 60)} | ${replayed.left[at]?.slice(0, 60)}`).toBe(-1);
      if (eager.left.includes('ArgumentError')) written++;
    }
    // Writes to expanded arguments, and to shared ones.
    expect(written).toBeGreaterThan(10);
    expect(refused).toBeGreaterThan(10);
  });
});
