// Models of tfjs-layers with modules of ours that are built like them.
import * as tf from '@tensorflow/tfjs-core';
import { layers as l, type layers, type Sequential, sequential } from '@tensorflow/tfjs-layers';
import { nn, type Tensor } from '../../../bindings/index.ts';

export type Layer = ReturnType<typeof l.dense> | layers.Layer;
/** Channels of a batch last: what tfjs gets. */
export const last = (x: Tensor): Tensor => (x.ndim < 3 ? x : x.permute([0, ...x.shape.map((_, d) => d).slice(2), 1]));

/** The states behind the last step of a recurrent layer, batch first. */
export class Last extends nn.Module {
  constructor(readonly net: nn.LSTM | nn.RNN) {
    super();
  }
  forward(x: Tensor): Tensor {
    const [y] = (this.net as nn.LSTM).forward(x) as [Tensor, unknown];
    return y.select(1, -1);
  }
}
export class All extends Last {
  override forward(x: Tensor): Tensor {
    return ((this.net as nn.LSTM).forward(x) as [Tensor, unknown])[0];
  }
}

/** Three times the same, as a sequence. */
class Repeat extends nn.Module {
  forward(x: Tensor): Tensor {
    return x.unsqueeze(1).expand([x.shape[0] as number, 3, x.shape[1] as number]);
  }
}
/** The pixels of images as a sequence, and a sequence as pixels. */
class Tokens extends nn.Module {
  forward(x: Tensor): Tensor {
    return x.flatten(2).transpose(1, 2);
  }
}
class Pixels extends nn.Module {
  constructor(readonly sizes: [number, number]) {
    super();
  }
  forward(x: Tensor): Tensor {
    return x.transpose(1, 2).reshape([x.shape[0] as number, x.shape[2] as number, ...this.sizes]);
  }
}

export const sigmoid = { recurrentActivation: 'sigmoid', recurrentInitializer: 'glorotUniform' } as const;
export interface Row {
  readonly name: string;
  readonly shape: readonly number[];
  readonly layers: () => Layer[];
  readonly modules: () => ConstructorParameters<typeof nn.Sequential>[0][];
  /** Inputs are a sequence, or words: as they are on both sides. */
  readonly same?: boolean;
  readonly words?: number;
}
export const rows: Row[] = [
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
  {
    name: 'Dense, BatchNormalization, PReLU before a Reshape to an image',
    shape: [5],
    layers: () => [
      l.dense({ units: 24, useBias: false }),
      l.batchNormalization({}),
      l.prelu({}),
      l.dropout({ rate: 0.5 }),
      l.reshape({ targetShape: [2, 4, 3] }),
      l.conv2dTranspose({ filters: 2, kernelSize: 4, strides: 2, padding: 'same' }),
    ],
    modules: () => [
      new nn.Linear(5, 24, { bias: false }),
      new nn.BatchNorm1d(24, { eps: 1e-3 }),
      new nn.PReLU(24),
      new nn.Unflatten(1, [3, 2, 4]),
      new nn.ConvTranspose2d(3, 2, 4, { stride: 2, padding: 1 }),
    ],
  },
  {
    name: 'an autoencoder of images',
    shape: [2, 4, 6],
    layers: () => [
      l.conv2d({ filters: 3, kernelSize: 1 }),
      l.prelu({ sharedAxes: [1, 2] }),
      l.flatten(),
      l.dense({ units: 4 }),
      l.dense({ units: 48, activation: 'tanh' }),
      l.reshape({ targetShape: [4, 6, 2] }),
    ],
    modules: () => [
      new nn.Conv2d(2, 3, 1),
      new nn.PReLU(3),
      new nn.Flatten(),
      new nn.Linear(72, 4),
      new nn.Linear(4, 48),
      new nn.Tanh(),
      new nn.Unflatten(1, [2, 4, 6]),
    ],
  },
  {
    name: 'norms without center or scale',
    shape: [3, 4, 5],
    layers: () => [
      l.batchNormalization({ scale: false }),
      l.batchNormalization({ center: false }),
      l.batchNormalization({ center: false, scale: false }),
      l.flatten(),
      l.layerNormalization({ center: false }),
      l.layerNormalization({ scale: false }),
      l.layerNormalization({ center: false, scale: false }),
      l.dense({ units: 2 }),
    ],
    modules: () => [
      new nn.BatchNorm2d(3, { eps: 1e-3 }),
      new nn.BatchNorm2d(3, { eps: 1e-3 }),
      new nn.BatchNorm2d(3, { eps: 1e-3, affine: false }),
      new nn.Flatten(),
      new nn.LayerNorm(60, { eps: 1e-3, bias: false }),
      new nn.LayerNorm(60, { eps: 1e-3 }),
      new nn.LayerNorm(60, { eps: 1e-3, elementwiseAffine: false }),
      new nn.Linear(60, 2),
    ],
  },
  {
    name: 'LSTMs as the layers of one',
    shape: [4, 3],
    same: true,
    layers: () => [
      l.lstm({ units: 5, returnSequences: true, ...sigmoid }),
      l.lstm({ units: 5, returnSequences: true, ...sigmoid }),
      l.lstm({ units: 5, ...sigmoid }),
      l.dense({ units: 2 }),
    ],
    modules: () => [new Last(new nn.LSTM(3, 5, { numLayers: 3, batchFirst: true })), new nn.Linear(5, 2)],
  },
  {
    name: 'layers of a bidirectional LSTM, and of an RNN',
    shape: [4, 3],
    same: true,
    layers: () => [
      ...[0, 1].map(() =>
        l.bidirectional({
          layer: l.lstm({ units: 3, returnSequences: true, ...sigmoid }) as never,
          mergeMode: 'concat',
        }),
      ),
      l.simpleRNN({ units: 4, returnSequences: true, recurrentInitializer: 'glorotUniform' }),
      l.simpleRNN({ units: 4, recurrentInitializer: 'glorotUniform' }),
    ],
    modules: () => [
      new All(new nn.LSTM(3, 3, { numLayers: 2, batchFirst: true, bidirectional: true })),
      new Last(new nn.RNN(6, 4, { numLayers: 2, batchFirst: true })),
    ],
  },
  {
    name: 'an image that is repeated for an LSTM',
    shape: [2, 3, 2],
    layers: () => [l.flatten(), l.repeatVector({ n: 3 }), l.lstm({ units: 4, ...sigmoid })],
    modules: () => [new nn.Flatten(), new Repeat(), new Last(new nn.LSTM(12, 4, { batchFirst: true }))],
  },
  {
    name: 'pixels as a sequence, and back',
    shape: [3, 2, 4],
    layers: () => [
      l.reshape({ targetShape: [8, 3] }),
      l.dense({ units: 5 }),
      l.reshape({ targetShape: [4, 2, 5] }),
      l.flatten(),
      l.dense({ units: 2 }),
    ],
    modules: () => [new Tokens(), new nn.Linear(3, 5), new Pixels([4, 2]), new nn.Flatten(), new nn.Linear(40, 2)],
  },
];

/** A model with random weights: not the zeros and ones that biases and norms begin with. */
export function modelOf({ shape, layers: make, same }: Row): Sequential {
  const model = sequential();
  const inputShape = same || shape.length < 2 ? [...shape] : [...shape.slice(1), shape[0] as number];
  model.add(l.inputLayer({ inputShape }));
  for (const layer of make()) model.add(layer as layers.Layer);
  const positive = (w: tf.Tensor): tf.Tensor => tf.randomUniform(w.shape, 0.1, 1);
  const random = (w: tf.Tensor): tf.Tensor => (w.rank === 1 ? positive(w) : tf.randomNormal(w.shape, 0, 0.5));
  model.setWeights(model.getWeights().map(random));
  return model;
}
export const weightsOf = (model: Sequential): number[][] => model.getWeights().map((w) => Array.from(w.dataSync()));
