// One optimizer step of whole networks: forward, loss, backward, update.
import { checkTrain } from '../checks/train.ts';
import { type Case, classes, type Family, type Layer, type Side, type TrainProblem, uniform } from '../problems.ts';

type Network = Pick<TrainProblem, 'input' | 'outputs' | 'loss' | 'optimizer' | 'batch' | 'checked'> & {
  /** Made when the case is: the weights take memory. */
  readonly layers: () => Layer[];
};

/** Weight and bias as PyTorch starts them: uniform in ±1/√inputs. */
function weights(outputs: number, inputs: number, seed: number): { weight: Float32Array; bias: Float32Array } {
  const bound = 1 / Math.sqrt(inputs);
  return {
    weight: uniform(outputs * inputs, seed, -bound, bound),
    bias: uniform(outputs, seed + 1, -bound, bound),
  };
}

const linear = (inputs: number, outputs: number, seed: number): Layer => ({
  kind: 'linear',
  inputs,
  outputs,
  ...weights(outputs, inputs, seed),
});
const conv = (channels: number, filters: number, kernel: number, size: number, seed: number): Layer => ({
  kind: 'conv',
  channels,
  filters,
  kernel,
  size,
  ...weights(filters, channels * kernel * kernel, seed),
});

/** Gates of each kind of recurrent layer. */
const GATES = { LSTM: 4, GRU: 3 } as const;

/** A recurrent layer, and ten classes of the mean of its states. Weights start uniform in ±1/√hidden. */
function sequence(kind: keyof typeof GATES, inputs: number, hidden: number, time: number): Layer[] {
  const bound = 1 / Math.sqrt(hidden);
  const size = GATES[kind] * hidden;
  const start = (n: number, seed: number): Float32Array => uniform(n, seed, -bound, bound);
  return [
    {
      ...{ kind, inputs, hidden, time, weightIh: start(size * inputs, 20), weightHh: start(size * hidden, 21) },
      ...{ biasIh: start(size, 22), biasHh: start(size, 23) },
    },
    linear(hidden, 10, 24),
  ];
}

/** Dense layers of these sizes with an activation between them. */
function mlp(sizes: readonly number[], activation: 'relu' | 'tanh'): Layer[] {
  return sizes.slice(1).flatMap((out, i) => {
    const dense = linear(sizes[i] as number, out, 10 + 2 * i);
    return i < sizes.length - 2 ? [dense, { kind: activation }] : [dense];
  });
}

/** Two convolutions of 3×3, each pooled to half its size, and a dense layer. */
const cnn = (): Layer[] => [
  conv(1, 16, 3, 28, 10),
  { kind: 'relu' },
  { kind: 'pool', channels: 16, size: 28 },
  conv(16, 32, 3, 14, 12),
  { kind: 'relu' },
  { kind: 'pool', channels: 32, size: 14 },
  { kind: 'flatten', channels: 32, size: 7 },
  linear(32 * 7 * 7, 10, 14),
];

/**
 * Inputs come in pairs of equal ones with targets of their own, so that no amount of training makes the loss 0:
 * gradients that vanish would become denormals, which some machines take many times longer for.
 */
function problemOf({ layers, ...network }: Network): TrainProblem {
  const { input, outputs, loss, batch } = network;
  const features = input.reduce((a, b) => a * b, 1);
  const half = uniform((batch / 2) * features, 1);
  const x = new Float32Array(batch * features);
  x.set(half);
  x.set(half, half.length);
  const y = loss === 'mse' ? uniform(batch * outputs, 2) : classes(batch, outputs, 2);
  return { kind: 'train', ...network, layers: layers(), x, y };
}

/** Multiply-adds of one sample in layers with weights, the first one first. */
function products(layers: readonly Layer[]): number[] {
  return layers.flatMap((layer) => {
    if (layer.kind === 'linear') return [layer.weight.length];
    if (layer.kind === 'LSTM' || layer.kind === 'GRU')
      return [layer.weightIh, layer.weightHh].map((weight) => layer.time * weight.length);
    return layer.kind === 'conv' ? [layer.weight.length * layer.size ** 2] : [];
  });
}

function step(name: string, network: Network): Case {
  // Forward and the weights' gradients of every layer, the input's gradient of all but the first.
  const flops = products(network.layers()).reduce((sum, n, i) => sum + (i === 0 ? 4 : 6) * network.batch * n, 0);
  return {
    name,
    work: { flops, unit: 'GFLOP/s' },
    make: () => {
      const problem = problemOf(network);
      return { problem, check: checkTrain(problem) };
    },
  };
}

const adam = { name: 'Adam', lr: 1e-3 } as const;
const classify = { loss: 'crossEntropy', outputs: 10, optimizer: adam } as const;

/** The smallest network: what a step costs beside its kernels. */
export const TINY: Case = step('MLP 2-4-1, batch 32, SGD', {
  layers: () => mlp([2, 4, 1], 'tanh'),
  input: [2],
  outputs: 1,
  loss: 'mse',
  optimizer: { name: 'SGD', lr: 0.1 },
  batch: 32,
  checked: 5,
});
const SMALL: Case = step('MLP 784-128-10, batch 64, Adam', {
  layers: () => mlp([784, 128, 10], 'relu'),
  input: [784],
  ...classify,
  batch: 64,
  checked: 4,
});
const LARGE = (): Case[] => [
  step('MLP 784-1024-1024-10, batch 256, Adam', {
    layers: () => mlp([784, 1024, 1024, 10], 'relu'),
    input: [784],
    ...classify,
    batch: 256,
    checked: 3,
  }),
];
const CNN = (batch: number): Case =>
  step(`CNN 16-32 on 28×28, batch ${batch}, Adam`, {
    layers: cnn,
    input: [1, 28, 28],
    ...classify,
    batch,
    checked: 3,
  });

/** Gradients come at every element: those that have a long way to go would become denormals. */
const SEQUENCES = (): Case[] => [
  step('LSTM 32→128, 50 steps, batch 32, Adam', {
    layers: () => sequence('LSTM', 32, 128, 50),
    input: [50, 32],
    ...classify,
    batch: 32,
    checked: 2,
  }),
  step('GRU 128→256, 100 steps, batch 16, Adam', {
    layers: () => sequence('GRU', 128, 256, 100),
    input: [100, 128],
    ...classify,
    batch: 16,
    checked: 2,
  }),
];
/** What is quick to check. */
const SHORT = (): Case[] => [
  step('LSTM 8→16, 5 steps, batch 8, Adam', {
    layers: () => sequence('LSTM', 8, 16, 5),
    input: [5, 8],
    ...classify,
    batch: 8,
    checked: 3,
  }),
  step('GRU 8→16, 5 steps, batch 8, Adam', {
    layers: () => sequence('GRU', 8, 16, 5),
    input: [5, 8],
    ...classify,
    batch: 8,
    checked: 3,
  }),
];

/** @param quick leaves out the large network, and most of the CNN's batch */
export const trainCases = (quick: boolean): Case[] => [
  ...[TINY, SMALL, ...(quick ? [] : LARGE()), CNN(quick ? 4 : 64)],
  ...(quick ? SHORT() : SEQUENCES()),
];

/** @param sides of this family alone, such as the steps without compile() */
export function trainFamily(quick: boolean, sides: readonly Side[]): Family {
  return {
    name: 'train',
    cases: trainCases(quick).map((item) => ({ ...item, sides })),
    skipped: [],
  };
}
