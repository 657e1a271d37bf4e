// Weights of LayersModels in modules of ours, and back: both predict the same, and the way there and back is exact.
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { layers as l, type layers, type Sequential, type SymbolicTensor, sequential } from '@tensorflow/tfjs-layers';
import { beforeAll, describe, expect, it } from 'vitest';
import { compile, functional as F, init, nn, optim, randn, scope, type Tensor, tensor } from '../../bindings/index.ts';
import { loadWeights, type ModelFiles, saveWeights } from '../../bindings/tfjs/index.ts';

beforeAll(async () => {
  await init({ threads: 1 });
  await tf.setBackend('cpu');
});

type Layer = ReturnType<typeof l.dense> | layers.Layer;
/** Channels of a batch last: what tfjs gets. */
const last = (x: Tensor): Tensor => (x.ndim < 3 ? x : x.permute([0, ...x.shape.map((_, d) => d).slice(2), 1]));

/** The states behind the last step of a recurrent layer, batch first. */
class Last extends nn.Module {
  constructor(readonly net: nn.LSTM | nn.RNN) {
    super();
  }
  forward(x: Tensor): Tensor {
    const [y] = (this.net as nn.LSTM).forward(x) as [Tensor, unknown];
    return y.select(1, -1);
  }
}
class All extends Last {
  override forward(x: Tensor): Tensor {
    return ((this.net as nn.LSTM).forward(x) as [Tensor, unknown])[0];
  }
}

const sigmoid = { recurrentActivation: 'sigmoid', recurrentInitializer: 'glorotUniform' } as const;
interface Row {
  readonly name: string;
  readonly shape: readonly number[];
  readonly layers: () => Layer[];
  readonly modules: () => ConstructorParameters<typeof nn.Sequential>[0][];
  /** Inputs are a sequence, or words: as they are on both sides. */
  readonly same?: boolean;
  readonly words?: number;
}
const rows: Row[] = [
  {
    name: 'Dense',
    shape: [5],
    layers: () => [l.dense({ units: 7, activation: 'relu' }), l.dense({ units: 3, useBias: false })],
    modules: () => [new nn.Linear(5, 7), new nn.ReLU(), new nn.Linear(7, 3, { bias: false })],
  },
  {
    name: 'Conv2D, BatchNormalization, Flatten, Dense',
    shape: [3, 6, 8],
    layers: () => [
      l.conv2d({ filters: 4, kernelSize: [3, 2], padding: 'same' }),
      l.batchNormalization({}),
      l.maxPooling2d({ poolSize: 2 }),
      l.flatten(),
      l.batchNormalization({}),
      l.dense({ units: 5 }),
    ],
    modules: () => [
      new nn.Conv2d(3, 4, [3, 2], { padding: 'same' }),
      new nn.BatchNorm2d(4, { eps: 1e-3 }),
      new nn.MaxPool2d(2),
      new nn.Flatten(),
      new nn.BatchNorm1d(48, { eps: 1e-3 }),
      new nn.Linear(48, 5),
    ],
  },
  {
    name: 'strides with padding before',
    shape: [3, 8, 8],
    layers: () => [
      l.conv2d({ filters: 4, kernelSize: 3, strides: 2, padding: 'same' }),
      l.flatten(),
      l.dense({ units: 2 }),
    ],
    modules: () => [
      new nn.ZeroPad2d([0, 1, 0, 1]),
      new nn.Conv2d(3, 4, 3, { stride: 2 }),
      new nn.Flatten(),
      new nn.Linear(64, 2),
    ],
  },
  {
    name: 'DepthwiseConv2D, SeparableConv2D',
    shape: [3, 7, 6],
    layers: () => [
      l.depthwiseConv2d({ kernelSize: 3, depthMultiplier: 2 }),
      l.separableConv2d({ filters: 5, kernelSize: 2 }),
    ],
    modules: () => [
      new nn.Conv2d(3, 6, 3, { groups: 3 }),
      new nn.Conv2d(6, 6, 2, { groups: 6, bias: false }),
      new nn.Conv2d(6, 5, 1),
    ],
  },
  {
    name: 'Conv2DTranspose',
    shape: [3, 4, 5],
    layers: () => [
      l.conv2dTranspose({ filters: 4, kernelSize: 4, strides: 2, padding: 'same' }),
      l.conv2dTranspose({ filters: 2, kernelSize: 2, strides: 3 }),
    ],
    modules: () => [
      new nn.ConvTranspose2d(3, 4, 4, { stride: 2, padding: 1 }),
      new nn.ConvTranspose2d(4, 2, 2, { stride: 3, outputPadding: 1 }),
    ],
  },
  {
    name: 'Conv1D',
    shape: [3, 9],
    layers: () => [l.conv1d({ filters: 4, kernelSize: 3, dilationRate: 2 }), l.flatten(), l.dense({ units: 2 })],
    modules: () => [new nn.Conv1d(3, 4, 3, { dilation: 2 }), new nn.Flatten(), new nn.Linear(20, 2)],
  },
  {
    name: 'Conv3D',
    shape: [2, 4, 3, 5],
    layers: () => [l.conv3d({ filters: 3, kernelSize: 2 })],
    modules: () => [new nn.Conv3d(2, 3, 2)],
  },
  {
    name: 'LSTM, LayerNormalization',
    shape: [4, 3],
    same: true,
    layers: () => [l.lstm({ units: 5, ...sigmoid }), l.layerNormalization({})],
    modules: () => [new Last(new nn.LSTM(3, 5, { batchFirst: true })), new nn.LayerNorm(5, { eps: 1e-3 })],
  },
  {
    name: 'Embedding, Bidirectional LSTM, TimeDistributed, SimpleRNN',
    shape: [6],
    words: 10,
    layers: () => [
      l.embedding({ inputDim: 10, outputDim: 4 }),
      l.bidirectional({ layer: l.lstm({ units: 3, returnSequences: true, ...sigmoid }) as never, mergeMode: 'concat' }),
      l.timeDistributed({ layer: l.dense({ units: 5 }) }),
      l.simpleRNN({ units: 4, recurrentInitializer: 'glorotUniform' }),
    ],
    modules: () => [
      new nn.Embedding(10, 4),
      new All(new nn.LSTM(4, 3, { batchFirst: true, bidirectional: true })),
      new nn.Linear(6, 5),
      new Last(new nn.RNN(5, 4, { batchFirst: true })),
    ],
  },
];

/** A model with random weights: not the zeros and ones that biases and norms begin with. */
function modelOf({ shape, layers: make, same }: Row): Sequential {
  const model = sequential();
  const inputShape = same || shape.length < 2 ? [...shape] : [...shape.slice(1), shape[0] as number];
  model.add(l.inputLayer({ inputShape }));
  for (const layer of make()) model.add(layer as layers.Layer);
  const positive = (w: tf.Tensor): tf.Tensor => tf.randomUniform(w.shape, 0.1, 1);
  const random = (w: tf.Tensor): tf.Tensor => (w.rank === 1 ? positive(w) : tf.randomNormal(w.shape, 0, 0.5));
  model.setWeights(model.getWeights().map(random));
  return model;
}
const weightsOf = (model: Sequential): number[][] => model.getWeights().map((w) => Array.from(w.dataSync()));

describe.each(rows)('$name', (row) => {
  it('predicts the same, and goes back as it was', () => {
    const model = modelOf(row);
    const module = new nn.Sequential(...(row.modules() as nn.Layer[])).eval();
    loadWeights(module, model);
    const x = scope(() =>
      (row.words
        ? randn([2, ...row.shape])
            .abs()
            .mul(3)
            .to('i32')
        : randn([2, ...row.shape])
      ).keep(),
    );
    const got = scope(() => {
      const y = module.forward(x);
      const turned = row.same || row.words ? y : last(y);
      return Array.from(turned.contiguous().data);
    });
    const given = scope(() => Array.from((row.same ? x : last(x)).contiguous().data));
    const inputShape = [2, ...((model.inputs[0] as SymbolicTensor).shape.slice(1) as number[])];
    const want = tf.tidy(() => Array.from((model.predict(tf.tensor(given, inputShape)) as tf.Tensor).dataSync()));
    expect(got.length).toBe(want.length);
    const most = Math.max(...want.map(Math.abs));
    for (let i = 0; i < want.length; i++)
      expect(Math.abs((got[i] as number) - (want[i] as number)) / most).toBeLessThan(1e-5);
    const before = weightsOf(model);
    const other = modelOf(row);
    expect(saveWeights(module, other)).toBe(other);
    expect(weightsOf(other)).toEqual(before);
    x.dispose();
    module.dispose();
  });
});

it('takes the files of a model, and gives such as tfjs loads', async () => {
  const row = rows[1] as Row;
  const model = modelOf(row);
  let files: ModelFiles = {};
  await model.save(
    tf.io.withSaveHandler(async (artifacts) => {
      files = artifacts as ModelFiles;
      return { modelArtifactsInfo: { dateSaved: new Date(), modelTopologyType: 'JSON' } };
    }),
  );
  const module = new nn.Sequential(...(row.modules() as nn.Layer[]));
  loadWeights(module, files);
  const back = saveWeights(module, files);
  expect(new Float32Array(back.weightData as ArrayBuffer)).toEqual(new Float32Array(files.weightData as ArrayBuffer));
  const { weightSpecs, ...rest } = files;
  loadWeights(module, { ...rest, weightsManifest: [{ weights: weightSpecs ?? [] }] });
  expect(() => loadWeights(module, { ...files, weightData: new ArrayBuffer(8) })).toThrow(
    /expected \d+ bytes of weights/,
  );
  module.dispose();
});

it("reads a GRU of Keras as the formula has it, and refuses tfjs's own", () => {
  const [n, u] = [2, 3];
  const sizes = { kernel: [n, 3 * u], recurrent_kernel: [u, 3 * u], bias: [2, 3 * u] };
  const weightSpecs = Object.entries(sizes).map(([role, shape]) => ({
    name: `gru/gru_cell/${role}`,
    shape,
    dtype: 'float32',
  }));
  const count = weightSpecs.reduce((sum, { shape }) => sum + (shape[0] as number) * (shape[1] as number), 0);
  const w = Float32Array.from({ length: count }, (_, i) => Math.sin(3 * i + 1));
  const config = { name: 'gru', units: u, activation: 'tanh', recurrent_activation: 'sigmoid', reset_after: true };
  const files = (more: object) => ({
    modelTopology: {
      model_config: {
        class_name: 'Sequential',
        config: { layers: [{ class_name: 'GRU', config: { ...config, ...more } }] },
      },
    },
    weightSpecs,
    weightData: w.buffer,
  });
  const module = new nn.GRU(n, u, { batchFirst: true });
  loadWeights(module, files({}));
  const xs = [
    [0.3, -1],
    [0.7, 0.2],
  ];
  let h = new Array(u).fill(0);
  const s = (a: number): number => 1 / (1 + Math.exp(-a));
  for (const x of xs) {
    const dot = (v: number[], from: number, j: number): number =>
      v.reduce((sum, value, i) => sum + value * (w[from + i * 3 * u + j] as number), 0);
    const [rk, b] = [n * 3 * u, n * 3 * u + u * 3 * u];
    const a = Array.from({ length: 3 * u }, (_, j) => dot(x, 0, j) + (w[b + j] as number));
    const r = Array.from({ length: 3 * u }, (_, j) => dot(h, rk, j) + (w[b + 3 * u + j] as number));
    h = h.map((old, j) => {
      const z = s((a[j] as number) + (r[j] as number));
      const reset = s((a[u + j] as number) + (r[u + j] as number));
      return z * old + (1 - z) * Math.tanh((a[2 * u + j] as number) + reset * (r[2 * u + j] as number));
    });
  }
  const got = scope(() => Array.from((module.forward(tensor([xs])) as [Tensor, Tensor])[1].data));
  for (const [j, value] of h.entries()) expect(got[j]).toBeCloseTo(value, 5);
  expect(new Float32Array(saveWeights(module, files({})).weightData)).toEqual(w);
  expect(() => loadWeights(module, files({ reset_after: false }))).toThrow(/layer gru \(GRU\) resetAfter: true/);
  module.dispose();
});

it('trains with compile(), and tfjs serves', () => {
  const row = rows[0] as Row;
  const model = modelOf(row);
  const module = new nn.Sequential(...(row.modules() as nn.Layer[]));
  loadWeights(module, model);
  const optimizer = new optim.Adam(module.parameters(), { lr: 0.01 });
  const step = compile((x: Tensor, y: Tensor) => {
    optimizer.zeroGrad();
    const loss = F.mseLoss(module.forward(x), y);
    loss.backward();
    optimizer.step();
    return loss;
  });
  const [x, y] = [randn([8, 5]), randn([8, 3])];
  for (let i = 0; i < 5; i++) step(x, y).dispose();
  saveWeights(module, model);
  const served = tf.tidy(() =>
    Array.from((model.predict(tf.tensor(Array.from(x.data), [8, 5])) as tf.Tensor).dataSync()),
  );
  const ours = scope(() => Array.from(module.forward(x).data));
  for (const [i, value] of served.entries()) expect(value).toBeCloseTo(ours[i] as number, 4);
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
      `${kind} behind a Reshape of numbers to an image`,
      [5],
      () => [
        l.dense({ units: 12 }),
        l.reshape({ targetShape: [2, 2, 3] }),
        (l[kind] as (config: object) => Layer)({ filters: 2, kernelSize: 1, units: 2 }),
      ],
      () => [new nn.Linear(5, 12), new nn.Unflatten(1, [3, 2, 2]), new nn.Conv2d(3, 2, 1)],
      /after one whose order of numbers is known, got one behind a Reshape/,
    ]),
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
  it('what is no model, or no module', () => {
    expect(() => loadWeights(3 as never, {})).toThrow(/loadWeights: expected an nn.Module, got 3/);
    const module = new nn.Linear(1, 1);
    expect(() => loadWeights(module, 3 as never)).toThrow(/expected a LayersModel or the files of one/);
    expect(() => loadWeights(module, {})).toThrow(/expected a LayersModel, or files/);
  });
});
