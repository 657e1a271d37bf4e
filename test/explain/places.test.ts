// Ways at layers and neurons, features of images, LIME, and attention by functions: against their formulas.
import { afterAll, describe, expect, it } from 'vitest';
import * as explain from '../../bindings/explain/index.ts';
import {
  functional as F,
  init,
  nn,
  noGrad,
  ones,
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

describe('attentionRollout of functions', () => {
  class Grouped extends nn.Module {
    readonly out = new nn.Linear(8, 8);
    forward(x: Tensor): Tensor {
      const heads = (count: number): Tensor => x.reshape([2, 5, 4, 2]).transpose(1, 2).narrow(1, 0, count);
      const y = F.scaledDotProductAttention(heads(4), heads(2), heads(2), { isCausal: true, enableGqa: true });
      return this.out.forward(y.transpose(1, 2).reshape([2, 5, 8]));
    }
  }
  it('reads what they looked at, in groups of heads and causal', () => {
    const x = randn([2, 5, 8]);
    const q = x.reshape([2, 5, 4, 2]).transpose(1, 2);
    const k = q.narrow(1, 0, 2).unsqueeze(2).expand([2, 2, 2, 5, 2]).reshape([2, 4, 5, 2]);
    const later = tensor(Array.from({ length: 5 }, (_, i) => Array.from({ length: 5 }, (_, j) => (j > i ? -1e30 : 0))));
    const weights = q.matmul(k.transpose(2, 3)).div(Math.SQRT2).add(later).softmax(-1).mean(1);
    const eye = tensor(Array.from({ length: 5 }, (_, i) => Array.from({ length: 5 }, (_, j) => +(i === j))));
    near(explain.attentionRollout(new Grouped(), x), weights.add(eye).div(2));
  });
  it('reads them through models that attend without weights', () => {
    const model = new nn.TransformerEncoder(new nn.TransformerEncoderLayer(8, 2, 16, { batchFirst: true }), 2).eval();
    const found = explain.attentionRollout(model, randn([2, 4, 8]));
    near(found.sum(2), ones([2, 4]));
  });
});

describe('features of images', () => {
  it('are the cells of a grid', () => {
    const cells = explain
      .gridFeatures(ones([2, 3, 5, 4]), 2)
      .select(0, 0)
      .select(0, 0);
    expect(cells.toArray()).toEqual([0, 0, 2, 2, 2].map((row) => [row, row, row + 1, row + 1]));
    expect(() => explain.gridFeatures(ones([1, 1, 2, 2]), 3)).toThrow(/expected cells from 1 to 2/);
    expect(() => explain.superpixels(ones([2, 2]))).toThrow(/expected images/);
  });
  it('are pixels that are alike and near', () => {
    // Four fields of their own colours, whose borders are not those of the grid that it starts from.
    const side = (i: number): number => (i < 4 ? 0 : 1);
    const field = (i: number, j: number): number => 2 * side(i) + side(j);
    const image = tensor([
      [Array.from({ length: 10 }, (_, i) => Array.from({ length: 10 }, (_, j) => 3 * field(i, j)))],
    ]);
    const found = explain.superpixels(image, { count: 4, compactness: 0.1 }).select(0, 0).select(0, 0).toArray();
    const names = (found as number[][]).map((row) => row.map((cell) => cell));
    for (let i = 0; i < 10; i++)
      for (let j = 0; j < 10; j++) expect(names[i]?.[j]).toBe(names[side(i) * 9]?.[side(j) * 9]);
    expect(new Set(names.flat()).size).toBe(4);
    // Cells whose pixels all go to others do not draw those of the rest along.
    const most = explain.superpixels(image, { count: 25, compactness: 0.1 });
    expect(new Set(most.data).size).toBeGreaterThan(12);
  });
});

describe('at a layer', () => {
  it('a list of inputs gives one tensor, and baselines are those of the inputs', () => {
    const [a, b] = [new nn.Linear(3, 4), new nn.Linear(2, 4)];
    const mid = new nn.Identity();
    const model = (x: Tensor, y: Tensor) => mid.forward(a.forward(x).add(b.forward(y)).tanh()).sum(1, true);
    const [x, y] = [randn([2, 3]), randn([2, 2])];
    const [parts, delta] = explain.deepLift(model, [x, y], {
      ...{ layer: mid, baseline: [0.5, -1] },
      returnConvergenceDelta: true,
    });
    expect(parts.shape).toEqual([2, 4]);
    near(
      parts.sum(1),
      model(x, y)
        .sub(model(x.mul(0).add(0.5), y.mul(0).sub(1)))
        .squeeze(1),
    );
    near(delta, zeros([2]));
  });
  it('says what a neuron and sets of baselines need', () => {
    const model = new nn.Sequential(new nn.Linear(3, 4), new nn.Linear(4, 2));
    expect(() => explain.saliency(model, ones([1, 3]), { neuron: 2 })).toThrow(/saliency: expected the layer of the/);
    const layer = model.getSubmodule('0');
    expect(() => explain.gradientShap(model, ones([1, 3]), { layer, baseline: ones([2, 4]) })).toThrow(/got a layer/);
  });
});

describe('lime', () => {
  it('comes to the slopes of a line, drawn sets and all of them', () => {
    const slopes = randn([20]);
    const model = (x: Tensor) => x.mul(slopes).sum(1);
    const x = randn([3, 20]);
    const found = explain.lime(model, x, { kernelWidth: 2, alpha: 0, nSamples: 400, baseline: 0.5 });
    near(found, x.sub(0.5).mul(slopes), 1e-4);
    const few = explain.lime((z: Tensor) => z.mul(slopes.narrow(0, 0, 5)).sum(1), x.narrow(1, 0, 5), { alpha: 0 });
    near(few, x.narrow(1, 0, 5).mul(slopes.narrow(0, 0, 5)), 1e-4);
  });
  it('explains the tokens of a text by the token that stands for none', () => {
    const words = new nn.Embedding(6, 1);
    noGrad(() => words.weight.copy_(tensor([[0], [1], [2], [-3], [0.5], [4]])));
    const ids = tensor([[1, 3, 5]], { dtype: 'i32' });
    const found = explain.lime((x: Tensor) => words.forward(x).sum([1, 2]), ids, { alpha: 0, kernelWidth: 5 });
    near(found, tensor([[1, -3, 4]]), 1e-4);
  });
  it('refuses widths and samples of nothing', () => {
    expect(() => explain.lime((x: Tensor) => x.sum(1), ones([1, 2]), { kernelWidth: 0 })).toThrow(/kernelWidth > 0/);
    expect(() => explain.lime((x: Tensor) => x.sum(1), ones([1, 2]), { nSamples: 0 })).toThrow(/nSamples from 1/);
  });
});
