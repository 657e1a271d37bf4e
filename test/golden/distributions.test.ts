// Distributions against PyTorch; samples by statistics with fixed seeds, and what is refused.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  ArgumentError,
  compile,
  distributions as D,
  GradError,
  init,
  manualSeed,
  scope,
  shutdown,
  type Tensor,
  tensor,
} from '../../bindings/index.ts';
import { nd } from '../../reference/nd.ts';
import { ERRORS } from '../support/distributions.ts';
import { expectClose, toTensor } from '../support/tensors.ts';
import { numbers, read } from './golden.ts';

type Stored = readonly [shape: readonly number[], values: readonly number[]];
type Options = Readonly<Record<string, Stored>>;
interface Run {
  /** Of one that is made Independent, with the dims of an event behind it. */
  readonly name: string;
  readonly options: Options;
  readonly others: Options;
  readonly value: Stored;
  readonly batchShape: readonly number[];
  readonly eventShape: readonly number[];
  readonly logProb: Stored;
  readonly logProbGrads: readonly (readonly number[])[];
  readonly entropy: Stored;
  readonly entropyGrads: readonly (readonly number[])[];
  readonly mean: readonly number[];
  readonly variance: readonly number[];
  readonly stddev: readonly number[];
  readonly kl: readonly number[];
}
const { runs } = read('distributions') as { readonly runs: readonly Run[] };
const TOLERANCE = { relative: 4e-6, absolute: 4e-6 };
const N = 20_000;

const tensorOf = ([shape, values]: Stored, dtype: 'f32' | 'i32' = 'f32'): Tensor =>
  toTensor(nd(shape, numbers(values)), dtype);
const made = (of: string, parameters: readonly (Tensor | null)[], by: Options): D.Distribution => {
  const [name, dims] = of.split(' ') as ['Normal', string?];
  const base = baseOf(name, parameters, by);
  return dims ? new D.Independent(base, Number(dims)) : base;
};
type Name = 'Normal' | 'Uniform' | 'Bernoulli' | 'Categorical';
const baseOf = (name: Name, [a, b]: readonly (Tensor | null)[], by: Options): D.Distribution => {
  if (name === 'Normal') return new D.Normal(a as Tensor, b as Tensor);
  if (name === 'Uniform') return new D.Uniform(a as Tensor, b as Tensor);
  return new D[name]({ [Object.keys(by)[0] as string]: a });
};

/** Samples: their mean and, by that, the shares of classes; compiled too. */
function checkSamples(p: D.Distribution, shape: readonly number[]): void {
  manualSeed(11);
  const draws = p.sample([N]);
  expect(draws.shape).toEqual([N, ...shape]);
  expect(draws.requiresGrad).toBe(false);
  const mean = draws.to('f32').mean(0).data;
  const base = p instanceof D.Independent ? p.baseDist : p;
  const classes = base instanceof D.Categorical ? base.probs : null;
  const [means, spreads] = classes
    ? (classes.reshape([-1, 4]).toArray() as number[][])
        .map((row) => [row.reduce((s, w, i) => s + i * w, 0), row.reduce((s, w, i) => s + i * i * w, 0)])
        .reduce<[number[], number[]]>(
          ([m, s], [a = 0, b = 0]) => [
            [...m, a],
            [...s, Math.sqrt(b - a * a)],
          ],
          [[], []],
        )
    : [Array.from(p.mean.data), Array.from(p.stddev.data)];
  mean.forEach((x, i) => {
    expect(Math.abs(x - (means[i] as number))).toBeLessThanOrEqual(
      (ERRORS * (spreads[i] as number)) / Math.sqrt(N) + 1e-6,
    );
  });
  const program = compile(() => p.sample([2]).add(0));
  expect(program().shape).toEqual([2, ...shape]);
  program.dispose();
}

describe.each(['strict', 'relaxed'] as const)('distributions, %s build', (simd) => {
  beforeAll(() => init({ simd, threads: 1 }));
  afterAll(() => shutdown());

  it.each(runs.map((run): [string, Run] => [`${run.name} of ${Object.keys(run.options)}`, run]))(
    '%s',
    (_, { name, options, others, value, batchShape, eventShape, ...run }) => {
      scope(() => {
        const close = (x: Tensor | null, expected: readonly number[], what: string): void =>
          expectClose(x?.data ?? [], numbers(expected as never), TOLERANCE, what);
        const leaves = Object.values(options).map((stored) => tensorOf(stored).requiresGrad_());
        const p = made(name, leaves, options);
        expect([p.batchShape, p.eventShape]).toEqual([batchShape, eventShape]);
        const at = tensorOf(value, name.startsWith('Categorical') ? 'i32' : 'f32');
        for (const what of ['logProb', 'entropy'] as const) {
          for (const leaf of leaves) leaf.clearGrad();
          const y = what === 'logProb' ? p.logProb(at) : p.entropy();
          expect(y.shape).toEqual(run[what][0]);
          close(y, run[what][1], what);
          y.sum().backward(undefined, { retainGraph: true });
          leaves.forEach((leaf, i) => {
            const expected = run[`${what}Grads`][i] as readonly number[];
            close(leaf.grad ?? leaf.mul(0), expected, `gradient ${i} of ${what}`);
          });
        }
        for (const what of ['mean', 'variance', 'stddev'] as const) close(p[what], run[what], what);
        const q = made(
          name,
          Object.values(others).map((stored) => tensorOf(stored)),
          others,
        );
        close(D.klDivergence(p, q), run.kl, 'divergence');
        checkSamples(p, [...batchShape, ...eventShape]);
      });
    },
  );

  it('flow back through samples where they can', () => {
    scope(() => {
      const [loc, scale] = [tensor([1, 2]).requiresGrad_(), tensor([0.5, 2]).requiresGrad_()];
      const p = new D.Normal(loc, scale);
      const x = p.rsample([3]);
      x.sum().backward();
      expect(loc.grad?.toArray()).toEqual([3, 3]);
      expectClose(scale.grad?.data ?? [], x.sub(loc).div(scale).sum(0).data, TOLERANCE, 'gradient of the scale');
      expect(() => new D.Bernoulli(0.5).rsample()).toThrow(GradError);
      expect(new D.Independent(p, 1).rsample([4]).requiresGrad).toBe(true);
      expect(() => new D.Independent(new D.Bernoulli(tensor([0.5])), 1).rsample()).toThrow(GradError);
    });
  });

  it('are infinitely far from what has no probability where they have some', () => {
    scope(() => {
      const far = (p: number, q: number): number => D.klDivergence(new D.Bernoulli(p), new D.Bernoulli(q)).item();
      expect(far(0, 0.5)).toBeCloseTo(Math.log(2), 6);
      expect([far(0.5, 0), far(0.5, 1)]).toEqual([Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY]);
    });
  });

  it('say what they expect', () => {
    expect(() => new D.Normal(0, -1)).toThrow(/^Normal: expected scales of at least .*, got -1/);
    expect(() => new D.Bernoulli()).toThrow(/^Bernoulli: expected probs or logits, got neither/);
    expect(() => new D.Bernoulli(0.5, 0.5)).toThrow(/^Bernoulli: expected probs or logits, got both/);
    expect(() => new D.Bernoulli(2)).toThrow(ArgumentError);
    expect(() => new D.Categorical(tensor([1, -1]))).toThrow(ArgumentError);
    expect(() => new D.Independent(new D.Normal(0, 1), 1)).toThrow(/^Independent: expected reinterpretedBatchNdims/);
    const of = (dims: number) => new D.Independent(new D.Normal(tensor([0, 1]), 1), dims);
    expect(() => D.klDivergence(of(0), of(1))).toThrow(/^klDivergence: expected events of as many dims, got 0 and 1/);
    expect(() => D.klDivergence(new D.Normal(0, 1), new D.Uniform(0, 1))).toThrow(
      /^klDivergence: expected two distributions of one kind, got Normal and Uniform/,
    );
  });
});
