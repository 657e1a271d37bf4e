// What gives other numbers is refused by the name of the layer; and branches, whose modules are named.
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import {
  layers as l,
  type layers,
  type SymbolicTensor,
  sequential,
  input as tfInput,
  model as tfModel,
} from '@tensorflow/tfjs-layers';
import { beforeAll, describe, expect, it } from 'vitest';
import { cat, init, nn, noGrad, randn, scope, type Tensor } from '../../../bindings/index.ts';
import { loadWeights, saveWeights } from '../../../bindings/tfjs/index.ts';
import { type Layer, sigmoid } from './rows.ts';

beforeAll(async () => {
  await init({ threads: 1 });
  await tf.setBackend('cpu');
});

describe('what gives other numbers is refused, by the name of the layer', () => {
  const cases: [string, number[], () => Layer[], () => nn.Module[], RegExp][] = [
    [
      'a module of another kind',
      [5],
      () => [l.dense({ units: 2 })],
      () => [new nn.Conv1d(5, 2, 1)],
      /Dense.*expected for layer dense\w+ \(Dense\) nn.Linear, got Conv1d at 0|expected for layer dense\w+ \(Dense\) nn.Linear, got Conv1d at 0/,
    ],
    ['sizes', [5], () => [l.dense({ units: 2 })], () => [new nn.Linear(4, 2)], /kernel of shape \[5,2\], got \[4,2\]/],
    [
      'a bias',
      [5],
      () => [l.dense({ units: 2, useBias: false })],
      () => [new nn.Linear(5, 2)],
      /bias: false, got bias: true/,
    ],
    [
      'too few modules',
      [5],
      () => [l.dense({ units: 2 }), l.dense({ units: 2 })],
      () => [new nn.Linear(5, 2)],
      /nn.Linear, got none/,
    ],
    [
      'too many',
      [5],
      () => [l.dense({ units: 2 })],
      () => [new nn.Linear(5, 2), new nn.Linear(2, 2)],
      /which are 2, got 1/,
    ],
    ['eps', [5], () => [l.batchNormalization({})], () => [new nn.BatchNorm1d(5)], /eps: 0.001, got eps: 0.00001/],
    [
      'strides and same',
      [8, 8, 3],
      () => [l.conv2d({ filters: 2, kernelSize: 3, strides: 2, padding: 'same' })],
      () => [new nn.Conv2d(3, 2, 3, { stride: 2, padding: 1 })],
      /pads 'same' by the size/,
    ],
    [
      'an uneven cut',
      [4, 4, 3],
      () => [l.conv2dTranspose({ filters: 2, kernelSize: 3, strides: 2, padding: 'same' })],
      () => [new nn.ConvTranspose2d(3, 2, 3, { stride: 2, padding: 1 })],
      /difference is even/,
    ],
    ...(['conv2d', 'depthwiseConv2d', 'batchNormalization', 'dense'] as const).map((kind): (typeof cases)[number] => [
      `${kind} behind a Reshape of numbers from outside to an image`,
      [12],
      () => [
        l.reshape({ targetShape: [2, 2, 3] }),
        (l[kind] as (config: object) => Layer)({ filters: 2, kernelSize: 1, units: 2 }),
      ],
      () => [new nn.Unflatten(1, [3, 2, 2]), new nn.Conv2d(3, 2, 1)],
      /after one whose order of numbers is known, got one behind a Reshape/,
    ]),
    [
      'a Reshape of what other layers read in their order',
      [2],
      () => [
        l.dense({ units: 12 }),
        l.reshape({ targetShape: [4, 3] }),
        l.simpleRNN({ units: 12, recurrentInitializer: 'glorotUniform' }),
        l.reshape({ targetShape: [2, 2, 3] }),
        l.conv2d({ filters: 1, kernelSize: 1 }),
      ],
      () => [new nn.Linear(2, 12), new nn.RNN(3, 12), new nn.Conv2d(3, 1, 1)],
      /expected layer conv2d\w+ \(Conv2D\) after one whose order/i,
    ],
    [
      'a slope for each pixel',
      [2, 2, 3],
      () => [l.prelu({})],
      () => [new nn.PReLU(3)],
      /alpha of shape \[2,2,3\], got \[3\]/,
    ],
    [
      'more layers of a module than there are',
      [4, 3],
      () => [l.lstm({ units: 2, ...sigmoid })],
      () => [new nn.LSTM(3, 2, { numLayers: 2 })],
      /which are 2, got 1/,
    ],
    [
      'a norm without what the layer has',
      [5],
      () => [l.batchNormalization({})],
      () => [new nn.BatchNorm1d(5, { eps: 1e-3, affine: false })],
      /a weight, since scale is true, got none/,
    ],
    [
      'hardSigmoid',
      [4, 3],
      () => [l.lstm({ units: 2, recurrentInitializer: 'zeros' })],
      () => [new nn.LSTM(3, 2)],
      /recurrentActivation 'sigmoid', got hard_sigmoid/,
    ],
    [
      'a GRU of tfjs',
      [4, 3],
      () => [l.gru({ units: 2, ...sigmoid })],
      () => [new nn.GRU(3, 2)],
      /resetAfter: true, got false/,
    ],
  ];
  it.each(cases)('%s', (_, inputShape, make, modules, message) => {
    const model = sequential();
    model.add(l.inputLayer({ inputShape }));
    for (const layer of make()) model.add(layer as layers.Layer);
    const module = new nn.Sequential(...(modules() as never[]));
    expect(() => loadWeights(module, model)).toThrow(message);
    expect(() => saveWeights(module, model)).toThrow(message);
  });
  it('what a layer without scale has none of', () => {
    const model = sequential();
    model.add(l.batchNormalization({ inputShape: [2], scale: false }));
    const module = new nn.BatchNorm1d(2, { eps: 1e-3 });
    noGrad(() => module.weight?.fill_(2));
    expect(() => saveWeights(module, model)).toThrow(/weight of 1, since scale is false, got 2 at the module itself/);
    loadWeights(module, model);
    expect(Array.from(module.weight?.data ?? [])).toEqual([1, 1]);
  });
  it('what is no model, or no module', () => {
    expect(() => loadWeights(3 as never, {})).toThrow(/loadWeights: expected an nn.Module as module, got 3/);
    const module = new nn.Linear(1, 1);
    expect(() => loadWeights(module, 3 as never)).toThrow(/expected a LayersModel or the files of one/);
    expect(() => loadWeights(module, {})).toThrow(/expected a LayersModel, or files/);
  });
});

describe('branches', () => {
  /** Two branches of equal sizes, which stand in the other order. */
  class Branches extends nn.Module {
    right = new nn.Linear(4, 3);
    left = new nn.Linear(4, 3);
    heads = new nn.ModuleList([new nn.Linear(6, 2)]);
    forward(x: Tensor): Tensor {
      return (this.heads.at(0) as nn.Linear).forward(cat([this.left.forward(x), this.right.forward(x).tanh()], 1));
    }
  }
  const make = () => {
    const input = tfInput({ shape: [4] });
    const left = l.dense({ units: 3, name: 'left' }).apply(input) as SymbolicTensor;
    const right = l.dense({ units: 3, name: 'right', activation: 'tanh' }).apply(input) as SymbolicTensor;
    const both = l.concatenate().apply([left, right]) as SymbolicTensor;
    return tfModel({ inputs: input, outputs: l.dense({ units: 2, name: 'head' }).apply(both) as SymbolicTensor });
  };
  it('find their modules by name', () => {
    const model = make();
    const module = new Branches();
    const layers = { left: 'left', right: ['right'] };
    loadWeights(module, model, { layers });
    const x = randn([3, 4]);
    const want = tf.tidy(() =>
      Array.from((model.predict(tf.tensor(Array.from(x.data), [3, 4])) as tf.Tensor).dataSync()),
    );
    const got = scope(() => Array.from(module.forward(x).data));
    for (const [i, value] of want.entries()) expect(got[i]).toBeCloseTo(value, 5);
    const before = model.getWeights().map((w) => Array.from(w.dataSync()));
    saveWeights(module, model, { layers });
    expect(model.getWeights().map((w) => Array.from(w.dataSync()))).toEqual(before);
    loadWeights(module, model);
    expect(scope(() => Array.from(module.forward(x).data))).not.toEqual(got);
  });
  it.each([
    [{ lefft: 'left' }, /of left, right, head, got lefft/],
    [{ left: 'heads' }, /for layer left a module with weights, of right, left, heads\.0, got heads/],
    [{ left: 'left', right: 'left' }, /a module once in layers, got left again/],
    [{ left: 'heads.0' }, /kernel of shape \[4,3\], got \[6,2\]/],
    [{ left: 3 }, /expected an object of paths of modules by names of layers as layers/],
  ])('%o is refused', (layers, message) => {
    expect(() => loadWeights(new Branches(), make(), { layers: layers as never })).toThrow(message);
  });
  it('takes no more modules than a layer has parts', () => {
    class More extends Branches {
      more = new nn.Linear(4, 3);
    }
    const layers = { left: ['left', 'more'] };
    expect(() => loadWeights(new More(), make(), { layers })).toThrow(
      /no more modules for layer left than it has parts, got more/,
    );
  });
});
