// What judges explanations, and the ways that explain more than one output: against their formulas.
import { afterAll, describe, expect, it } from 'vitest';
import * as explain from '../../bindings/explain/index.ts';
import {
  ArgumentError,
  arange,
  functional as F,
  init,
  manualSeed,
  nn,
  noGrad,
  ones,
  quantile,
  rand,
  randn,
  shutdown,
  type Tensor,
  tensor,
  zeros,
} from '../../bindings/index.ts';
import { expectClose } from '../support/tensors.ts';

await init({ simd: 'strict', threads: 1 });
afterAll(() => shutdown());

const near = (found: Tensor, expected: Tensor | readonly number[], absolute = 1e-5): void =>
  expectClose(found.data, 'data' in expected ? expected.data : expected, { relative: 1e-4, absolute }, 'result');
const squares = (x: Tensor): Tensor => x.square().sum(1);

describe('infidelity', () => {
  it('is what the slope leaves out', () => {
    const x = randn([3, 2]);
    // (2 x c − (x² − (x − c)²))² = c⁴ for each of two numbers that change by c.
    const slopes = explain.saliency(squares, x, { abs: false });
    const found = explain.infidelity(squares, x, slopes, { perturb: (all) => all.mul(0).add(0.5), nPerturbSamples: 3 });
    near(found, [0.25, 0.25, 0.25]);
    expect(() => explain.infidelity(squares, x, slopes.narrow(0, 0, 1))).toThrow(/shapes \[3, 2\].*got \[1, 2\]/);
  });

  it('tells good attributions from bad ones', () => {
    manualSeed(1);
    const model = new nn.Sequential(new nn.Linear(5, 8), new nn.Tanh(), new nn.Linear(8, 1));
    const x = randn([4, 5]);
    const good = explain.infidelity(model, x, explain.saliency(model, x, { abs: false }));
    const bad = explain.infidelity(model, x, randn([4, 5]));
    expect(good.mul(100).lt(bad).toArray()).toEqual([1, 1, 1, 1]);
  });
});

it('sensitivityMax is 0 for slopes of a linear model, and bounded for those of squares', () => {
  const { saliency, sensitivityMax } = explain;
  const x = tensor([[1], [2], [-4]]);
  near(
    sensitivityMax((y: Tensor) => y.sum(1), x, { method: saliency }),
    [0, 0, 0],
  );
  const found = sensitivityMax(squares, x, { method: saliency, perturbRadius: 0.1, nPerturbSamples: 200 });
  expect(found.le(tensor([0.1, 0.05, 0.025]).add(1e-6)).toArray()).toEqual([1, 1, 1]);
  expect(found.gt(tensor([0.09, 0.045, 0.0225])).toArray()).toEqual([1, 1, 1]);
});

describe('noiseTunnel', () => {
  const x = tensor([
    [1, -2],
    [0.5, 3],
  ]);
  it('gives what the method gives where there is no noise, and no variance', () => {
    const options = { method: explain.saliency, abs: false, stdevs: 0, nSamples: 3 };
    near(explain.noiseTunnel(squares, x, options), x.mul(2));
    near(explain.noiseTunnel(squares, x, { ...options, ntType: 'smoothgradSq' }), x.mul(2).square());
    near(explain.noiseTunnel(squares, x, { ...options, ntType: 'vargrad' }), x.mul(0), 1e-4);
  });
  it('finds the variance of slopes', () => {
    manualSeed(3);
    const found = explain.noiseTunnel(squares, x, {
      ...{ method: explain.saliency, abs: false, stdevs: 0.5, nSamples: 4000, ntType: 'vargrad' },
    });
    near(found, ones([2, 2]), 0.1); // (2 · 0.5)²
  });
  it('goes with targets, baselines and arguments of the samples, in small batches', () => {
    const model = (y: Tensor, scale: Tensor) => y.mul(scale);
    const target = [1, 0];
    for (const internalBatchSize of [1, 2, 5, null]) {
      const found = explain.noiseTunnel(model, x, {
        ...{ target, additionalForwardArgs: [x], baseline: x.mul(0), internalBatchSize },
        ...{ stdevs: 0, nSamples: 3, nSteps: 3 },
      });
      near(found, [0, 4, 0.25, 0]);
    }
  });
});

it('attribute calls the method', () => {
  const x = randn([2, 3]);
  near(explain.attribute(squares, x, { method: explain.inputXGradient }), x.square().mul(2));
  near(explain.attribute(squares, x), x.square());
});

describe('featurePermutation and permutationImportance', () => {
  it('know what a model does not read', () => {
    const x = randn([40, 3]);
    const model = (y: Tensor) => y.select(1, 0).mul(3).add(y.select(1, 2));
    near(explain.featurePermutation(model, x).select(1, 1), zeros([40]));
    const score = (y: Tensor, should: Tensor) => y.sub(should).square().mean().neg();
    const { mean, std, each } = explain.permutationImportance(model, x, model(x), { score, nRepeats: 8 });
    expect(each.shape).toEqual([3, 8]);
    near(mean, each.mean(1));
    near(std, each.var(1, { correction: 0 }).sqrt());
    expect(mean.select(0, 0).item()).toBeGreaterThan(4 * mean.select(0, 2).item());
    expect(mean.select(0, 1).item()).toBe(0);
  });
});

describe('partialDependence', () => {
  it('is the mean of the outputs with a column replaced, sample by sample too', () => {
    const x = rand([30, 3]);
    const model = (y: Tensor) => y.select(1, 1).mul(y.select(1, 0)).add(y.select(1, 2));
    const { values, average, individual } = explain.partialDependence(model, x, {
      ...{ feature: 1, gridResolution: 7, internalBatchSize: 50 },
    });
    near(values.narrow(0, 0, 1), [quantile(x.select(1, 1), 0.05).item()]);
    const by = x.select(1, 0).unsqueeze(1).mul(values).add(x.select(1, 2).unsqueeze(1));
    near(individual, by);
    near(average, by.mean(0));
  });
});

describe('attentionRollout', () => {
  const layer = () => new nn.MultiheadAttention(8, 2, { batchFirst: true });
  class Twice extends nn.Module {
    readonly first = layer();
    readonly second = layer();
    forward(x: Tensor): Tensor {
      const y = x.add(this.first.forward(x, x, x, { needWeights: false })[0]);
      return y.add(this.second.forward(y, y, y, null, false)[0]);
    }
  }
  it('multiplies the weights of the layers, with the half that goes past them', () => {
    const model = new Twice().eval();
    const x = randn([2, 4, 8]);
    const [y, a] = model.first.forward(x, x, x, { averageAttnWeights: false });
    const next = x.add(y);
    const [, b] = model.second.forward(next, next, next, { averageAttnWeights: false });
    const half = (w: Tensor): Tensor => w.mean(1).add(tensor(EYE)).div(2);
    const found = explain.attentionRollout(model, x);
    near(found, half(b as Tensor).matmul(half(a as Tensor)));
    near(found.sum(2), ones([2, 4]));
    expect(model.forward(x).shape).toEqual([2, 4, 8]);
  });
  it('drops the lowest weights', () => {
    const found = explain.attentionRollout(new Twice().eval(), randn([1, 4, 8]), {
      discardRatio: 0.9,
      headFusion: 'max',
    });
    near(found.sum(2), ones([1, 4]));
    expect(found.eq(0).sum().item()).toBeGreaterThanOrEqual(8);
  });
  it('says where there is nothing to read', () => {
    expect(() => explain.attentionRollout(new nn.Linear(2, 2), ones([1, 2]))).toThrow(/MultiheadAttention.*none ran/);
  });
});
const EYE = Array.from({ length: 4 }, (_, i) => Array.from({ length: 4 }, (_, j) => +(i === j)));

describe('tracIn', () => {
  it('is the product of the gradients, at all checkpoints', () => {
    const model = new nn.Linear(3, 1);
    const loss = (y: Tensor, should: Tensor) => y.squeeze(1).sub(should).square();
    const [train, test] = [
      [randn([5, 3]), randn([5])],
      [randn([2, 3]), randn([2])],
    ] as [[Tensor, Tensor], [Tensor, Tensor]];
    const states = [0, 1].map(() => ({ weight: randn([1, 3]), bias: randn([1]) }));
    const rates = [0.1, 0.01];
    const should = states
      .map(({ weight, bias }, i) => {
        const rest = ([x, y]: [Tensor, Tensor]) => x.matmul(weight.t()).squeeze(1).add(bias).sub(y).mul(2);
        const same = test[0].matmul(train[0].t()).add(1);
        return rest(test)
          .unsqueeze(1)
          .mul(rest(train))
          .mul(same)
          .mul(rates[i] as number);
      })
      .reduce((a, b) => a.add(b));
    for (const batchSize of [2, 100])
      near(explain.tracIn(model, loss, train, test, { checkpoints: states, learningRates: rates, batchSize }), should);
  });
  it('goes through convolutions and pools', () => {
    const model = new nn.Sequential(
      ...[new nn.Conv2d(1, 2, 3), new nn.ReLU(), new nn.MaxPool2d(2), new nn.Flatten(), new nn.Linear(8, 3)],
    );
    const loss = (y: Tensor, labels: Tensor) => F.crossEntropy(y, labels, { reduction: 'none' });
    const [x, labels] = [randn([4, 1, 6, 6]), tensor([0, 1, 2, 0], { dtype: 'i32' })];
    const found = explain.tracIn(model, loss, [x, labels], [x, labels]);
    near(found, found.t()); // the same examples on both sides
    for (let i = 0; i < 4; i++) {
      model.zeroGrad();
      loss(model.forward(x.narrow(0, i, 1)), labels.narrow(0, i, 1))
        .sum()
        .backward();
      const norm = model.parameters().reduce((sum, { grad }) => sum + (grad?.square().sum().item() ?? 0), 0);
      near(found.select(0, i).select(0, i).reshape([1]), [norm]);
    }
  });
  it('refuses a loss that is one number', () => {
    const loss = (y: Tensor, labels: Tensor) => F.crossEntropy(y, labels);
    const examples = [ones([2, 3]), arange(0, 2, { dtype: 'i32' })];
    expect(() => explain.tracIn(new nn.Linear(3, 2), loss, examples, examples)).toThrow(/reduction: 'none'/);
  });
});

describe('activationMaximization', () => {
  it('goes to the top, within bounds', () => {
    const model = (x: Tensor) =>
      x
        .sub(tensor([1, -2]))
        .square()
        .sum(1)
        .neg();
    const found = explain.activationMaximization(model, zeros([2, 2]), { nSteps: 200, lr: 0.02, decay: 0, high: 0.5 });
    near(found, [0.5, -2, 0.5, -2], 0.03);
  });
  it('is smoother where neighbours are to be alike', () => {
    manualSeed(4);
    const conv = new nn.Conv2d(1, 1, 3, { padding: 1 });
    const model = (x: Tensor) => conv.forward(x).square().mean(3).mean(2).sum(1);
    const rough = (x: Tensor): number =>
      x
        .narrow(3, 1, 7)
        .sub(x.narrow(3, 0, 7))
        .square()
        .sum()
        .div(x.square().sum())
        .item();
    const [plain, smooth] = [0, 0.02].map((totalVariation) => {
      manualSeed(5);
      const options = { nSteps: 30, totalVariation, jitter: 1 };
      return explain.activationMaximization(model, randn([1, 1, 8, 8]).mul(0.1), options);
    }) as [Tensor, Tensor];
    expect(rough(smooth)).toBeLessThan(0.6 * rough(plain));
  });
});

describe('counterfactuals', () => {
  it('change the answer, and little else', () => {
    manualSeed(6);
    const model = new nn.Linear(5, 3);
    const x = randn([6, 5]);
    const [found, reached] = explain.counterfactuals(model, x, { target: 1, lr: 0.02, nSteps: 500, margin: 0.01 });
    expect(reached.toArray()).toEqual([1, 1, 1, 1, 1, 1]);
    expect(
      noGrad(() => model.forward(found))
        .argmax(1)
        .toArray(),
    ).toEqual([1, 1, 1, 1, 1, 1]);
    const there = model.forward(x).argmax(1).eq(1).unsqueeze(1).expand([6, 5]);
    // Those that were there already are not changed.
    near(found.sub(x).mul(there.to('f32')), zeros([6, 5]), 0.05);
  });
  it('leaves what may not change, and keeps the bounds', () => {
    const x = tensor([[2, 0, 0]]);
    const model: explain.Model = (y: Tensor) => y;
    const mutable = tensor([1, 1, 0]);
    const [found, reached] = explain.counterfactuals(model, x, { target: 1, mutable, high: 1.4, low: 0 });
    expect(reached.toArray()).toEqual([1]);
    expect(found.select(0, 0).select(0, 2).item()).toBe(0);
    expect(found.amax().item()).toBeLessThanOrEqual(1.4000001);
    const [, no] = explain.counterfactuals(model, x, { target: 2, mutable: tensor([0, 0, 1]), high: 1 });
    expect(no.toArray()).toEqual([0]);
  });
  it('wants to know for what', () => {
    expect(() => explain.counterfactuals((y: Tensor) => y, ones([1, 2]), {} as never)).toThrow(ArgumentError);
  });
});

describe('what has no rule is refused by name', () => {
  class Normed extends nn.Module {
    readonly norm = new nn.LayerNorm(4);
    readonly out = new nn.Linear(4, 2);
    forward(x: Tensor): Tensor {
      return this.out.forward(this.norm.forward(x).relu());
    }
  }
  const strict: Readonly<Record<string, (model: explain.Model, x: Tensor) => Tensor>> = {
    deepLift: (model, x) => explain.deepLift(model, x),
    lrp: (model, x) => explain.lrp(model, x),
  };
  it.each(Object.entries(strict))('%s', (_, run) => {
    expect(() => run(new Normed(), randn([2, 4]))).toThrow(/got layerNorm in 'norm' \(LayerNorm\)/);
    const written = (x: Tensor) => {
      const y = x.mul(2);
      const z = y.relu();
      y.add_(1);
      return z.add(y).sum(1);
    };
    expect(() => run(written, randn([2, 4]))).toThrow(/relu that was written in place/);
    const x = randn([2, 4]);
    const [inside, apart] = [true, false].map((inplace) => run((y) => F.relu(y.mul(2), inplace).sum(1), x));
    near(inside as Tensor, apart as Tensor);
    const training = new nn.Sequential(new nn.Linear(4, 4), new nn.BatchNorm1d(4), new nn.Linear(4, 2));
    expect(() => run(training, randn([3, 4]))).toThrow(/batchNorm in '1'.*call eval\(\) first/);
  });
  it('rectifiers', () => {
    const smooth = new nn.Sequential(new nn.Linear(4, 4), new nn.GELU(), new nn.Linear(4, 2));
    expect(() => explain.guidedBackprop(smooth, randn([2, 4]))).toThrow(/got one with gelu/);
    expect(() => explain.deconvolution(new nn.Linear(4, 2), randn([2, 4]))).toThrow(/got one without/);
  });
  it('layers that do not run once', () => {
    const layer = new nn.Linear(3, 3);
    const twice = (x: Tensor) => layer.forward(layer.forward(x));
    expect(() => explain.layerActivation(twice, ones([1, 3]), { layer })).toThrow(/ran 2 times/);
    const other = new nn.Linear(3, 3);
    expect(() => explain.layerActivation(twice, ones([1, 3]), { layer: other })).toThrow(/ran 0 times/);
    expect(() => explain.gradCam(layer, ones([1, 3]), { layer, target: 0 })).toThrow(/dims of space/);
  });
});
