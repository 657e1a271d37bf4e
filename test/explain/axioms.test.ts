// What explanations have to satisfy, over random networks: completeness, a number of 0 for what has no effect, the same
// for what is alike, and linearity in the model.
import { afterAll, describe, expect, it } from 'vitest';
import * as explain from '../../bindings/explain/index.ts';
import {
  functional as F,
  init,
  manualSeed,
  nn,
  rand,
  randn,
  shutdown,
  softmax,
  type Tensor,
  tensor,
} from '../../bindings/index.ts';

await init({ simd: 'strict', threads: 1 });
afterAll(() => shutdown());

type Network = (x: Tensor) => Tensor;
const WIDTH = 4;
const activations: readonly (() => nn.Module & { forward(x: Tensor): Tensor })[] = [
  () => new nn.ReLU(),
  () => new nn.Tanh(),
  () => new nn.GELU(),
  () => new nn.LeakyReLU(0.2),
  () => new nn.Sigmoid(),
  () => new nn.Softplus(),
];

/** A random network of 4 inputs and one output, whose shape and activations depend on the seed. */
function networkOf(seed: number): Network {
  manualSeed(seed);
  const [first, second] = [activations[seed % 6], activations[(seed >> 1) % 6]] as [() => nn.ReLU, () => nn.ReLU];
  const width = 3 + (seed % 4);
  const model = new nn.Sequential(
    ...[new nn.Linear(WIDTH, width), first(), new nn.Linear(width, 5), second(), new nn.Linear(5, 1)],
  );
  return (x) => model.forward(x.mul(2));
}

interface Way {
  readonly run: (model: Network, x: Tensor, baseline: Tensor) => Tensor;
  /** How near it has to come. */
  readonly near: number;
  /** Whether it is linear in the model. */
  readonly linear?: boolean;
  /** Whether it treats what is alike alike only on average over many draws. */
  readonly draws?: boolean;
}
const ways: Readonly<Record<string, Way>> = {
  integratedGradients: {
    run: (model, x, baseline) => explain.integratedGradients(model, x, { baseline, nSteps: 300 }),
    near: 1e-3,
    linear: true,
  },
  shapleyValues: {
    run: (model, x, baseline) => explain.shapleyValues(model, x, { baseline }),
    near: 1e-5,
    linear: true,
  },
  kernelShap: { run: (model, x, baseline) => explain.kernelShap(model, x, { baseline }), near: 1e-4, linear: true },
  shapleyValueSampling: {
    run: (model, x, baseline) => {
      manualSeed(5);
      return explain.shapleyValueSampling(model, x, { baseline, nSamples: 3 });
    },
    near: 1e-5,
    linear: true,
    draws: true,
  },
  deepLift: { run: (model, x, baseline) => explain.deepLift(model, x, { baseline }), near: 1e-4 },
};
const SEEDS = Array.from({ length: 8 }, (_, i) => i);

const far = (a: Tensor, b: Tensor): number => a.sub(b).abs().amax().item();

describe.each(Object.entries(ways))('%s', (_, { run, near, linear, draws }) => {
  it.each(SEEDS)('adds up to the difference from the baseline, network %i', (seed) => {
    const model = networkOf(seed);
    const [x, baseline] = [randn([3, WIDTH]), randn([1, WIDTH])];
    const should = model(x).sub(model(baseline)).squeeze(1);
    expect(far(run(model, x, baseline).sum(1), should)).toBeLessThan(near);
  });

  it('gives 0 to what has no effect', () => {
    const model = networkOf(1);
    const blind: Network = (x) => model(x.mul(tensor([1, 0, 1, 0])));
    const found = run(blind, randn([3, WIDTH]), randn([3, WIDTH]));
    expect(far(found.mul(tensor([0, 1, 0, 1])), found.mul(0))).toBeLessThan(2e-6);
  });

  it.skipIf(draws)('gives what is alike the same', () => {
    const model = networkOf(2);
    const alike: Network = (x) => model(x.add(x.slice(1, 0, null, 1).matmul(SWAP())));
    const x = randn([3, 1])
      .mul(tensor([[1, 1, 0, 0]]))
      .add(tensor([[0, 0, 0.3, -0.2]]));
    const found = run(alike, x, tensor([[0.1, 0.1, 0, 0]]));
    expect(far(found.select(1, 0), found.select(1, 1))).toBeLessThan(1e-5);
  });

  it.skipIf(!linear)('is linear in the model', () => {
    const [f, g] = [networkOf(3), networkOf(4)];
    const [x, baseline] = [randn([3, WIDTH]), randn([3, WIDTH])];
    const both = run((y) => f(y).mul(2).sub(g(y)), x, baseline);
    expect(
      far(
        both,
        run(f, x, baseline)
          .mul(2)
          .sub(run(g, x, baseline)),
      ),
    ).toBeLessThan(1e-4);
  });
});

/** Exchanges the first two of four columns. */
const SWAP = (): Tensor =>
  tensor([
    [0, 1, 0, 0],
    [1, 0, 0, 0],
    [0, 0, 1, 0],
    [0, 0, 0, 1],
  ]);

it('expected gradients come to the difference from the mean of the baselines', () => {
  manualSeed(7);
  const model = networkOf(5);
  const [x, baseline] = [randn([2, WIDTH]), randn([5, WIDTH])];
  const [found, delta] = explain.gradientShap(model, x, { baseline, nSamples: 4000, returnConvergenceDelta: true });
  const should = model(x).squeeze(1).sub(model(baseline).mean());
  expect(far(found.sum(1), should)).toBeLessThan(0.05 * should.abs().amax().item());
  expect(delta.abs().amax().item()).toBeLessThan(0.05 * should.abs().amax().item());
});

describe('DeepLIFT adds up', () => {
  const models: Readonly<Record<string, [Network, readonly number[]]>> = {
    'over max pools, strides and padding': [
      (() => {
        const layers = new nn.Sequential(
          ...[new nn.Conv2d(2, 4, 3, { padding: 1, stride: 2 }), new nn.ReLU(), new nn.MaxPool2d(3, 2, 1)],
          ...[new nn.BatchNorm2d(4).eval(), new nn.SiLU(), new nn.AdaptiveAvgPool2d(1), new nn.Flatten()],
          new nn.Linear(4, 1),
        );
        return (x) => layers.forward(x);
      })(),
      [2, 2, 9, 9],
    ],
    'over products, quotients and functions': [
      (x) =>
        F.relu(x.mul(x.select(1, 0).unsqueeze(1)))
          .div(x.square().sum(1, true).add(1))
          .exp()
          .sum(1),
      [3, 4],
    ],
    'over softmax and attention': [
      (x) =>
        softmax(x.matmul(x.transpose(1, 2)), -1)
          .matmul(x)
          .tanh()
          .sum(1)
          .sum(1),
      [2, 3, 4],
    ],
    'over logarithms of softmax': [(x) => F.logSoftmax(x, 1).select(1, 2), [3, 4]],
  };
  it.each(Object.entries(models))('%s', (_, [model, shape]) => {
    const [x, baseline] = [randn([...shape]), rand([...shape])];
    const [found, delta] = explain.deepLift(model, x, { baseline, returnConvergenceDelta: true });
    const size = model(x).sub(model(baseline)).abs().amax().item();
    expect(size).toBeGreaterThan(1e-3);
    expect(delta.abs().amax().item()).toBeLessThan(1e-4 * Math.max(1, size));
    expect(found.shape).toEqual(shape);
  });
});

describe('relevance', () => {
  const rules: readonly explain.LrpRule[] = [
    { rule: 'epsilon' },
    { rule: 'gamma', gamma: 0.5 },
    { rule: 'alphaBeta', alpha: 2 },
    { rule: 'alphaBeta', alpha: 1 },
    { rule: 'zPlus' },
  ];
  it.each(rules)('is kept without biases: %o', (rule) => {
    manualSeed(11);
    // Wide, so that each sum has terms above and below 0.
    const [first, second] = [new nn.Linear(20, 30, { bias: false }), new nn.Linear(30, 20, { bias: false })];
    const last = new nn.Linear(20, 1, { bias: false });
    const model = new nn.Sequential(first, new nn.ReLU(), second, new nn.ReLU(), last);
    const x = rand([3, 20]);
    // The last sum has to be handed back as it is: with other weights its terms may cancel.
    const [, delta] = explain.lrp(model, x, { rule, rules: { 4: { rule: 'epsilon' } }, returnConvergenceDelta: true });
    expect(delta.abs().amax().item()).toBeLessThan(1e-4);
  });

  it('goes through residuals, functions and attention', () => {
    const weight = randn([4, 4]);
    const model = (x: Tensor) => {
      const y = F.relu(x.matmul(weight)).add(x);
      return y.matmul(y.transpose(1, 2)).matmul(y).sum(1).sum(1);
    };
    const [found, delta] = explain.lrp(model, rand([2, 3, 4]), { returnConvergenceDelta: true });
    expect(found.shape).toEqual([2, 3, 4]);
    expect(delta.abs().amax().item()).toBeLessThan(1e-3);
  });
});

it('kernelShap of all sets is what shapleyValues is, for each of many samples', () => {
  for (let seed = 0; seed < 6; seed++) {
    const model = networkOf(seed);
    const x = randn([400, WIDTH]);
    const [found, wanted] = [explain.kernelShap, explain.shapleyValues].map((way) => way(model, x).data);
    const size = Math.max(...(wanted as Float32Array).map(Math.abs));
    const apart = (found as Float32Array).map((value, i) => Math.abs(value - (wanted?.[i] as number)));
    expect(Math.max(...apart), `seed ${seed}`).toBeLessThan(1e-4 * size);
  }
});
