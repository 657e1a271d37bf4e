// One optimizer step of whole networks: forward, loss, backward, update.
import * as retrograd from 'retrograd';
import { checkElements } from '../check.ts';
import { type Case, classes, type Family, type TrainProblem, uniform } from '../problems.ts';
import { trainReference } from '../reference.ts';

type Network = Pick<TrainProblem, 'sizes' | 'activation' | 'loss' | 'optimizer' | 'batch' | 'checked'>;

/**
 * Inputs come in pairs of equal ones with targets of their own, so that no amount of training makes the loss 0: gradients that
 * vanish would become denormals, which some machines take many times longer for.
 */
function problemOf(network: Network): TrainProblem {
  const { sizes, loss, batch } = network;
  const [inputs, outputs] = [sizes[0] as number, sizes.at(-1) as number];
  const half = uniform((batch / 2) * inputs, 1);
  const x = new Float32Array(batch * inputs);
  x.set(half);
  x.set(half, half.length);
  return {
    kind: 'train',
    ...network,
    x,
    y: loss === 'mse' ? uniform(batch * outputs, 2) : classes(batch, outputs, 2),
    layers: sizes.slice(1).map((out, i) => {
      const inner = sizes[i] as number;
      const bound = 1 / Math.sqrt(inner);
      return {
        weight: uniform(out * inner, 3 + 2 * i, -bound, bound),
        bias: uniform(out, 4 + 2 * i, -bound, bound),
      };
    }),
  };
}

function step(name: string, network: Network): Case {
  const { sizes, batch } = network;
  // Forward and the weights' gradients of every layer, the input's gradient of all but the first.
  const flops = sizes.slice(1).reduce((sum, out, i) => sum + (i === 0 ? 4 : 6) * batch * out * (sizes[i] as number), 0);
  return {
    name,
    work: { flops, unit: 'GFLOP/s' },
    make: () => {
      const problem = problemOf(network);
      const losses = trainReference(problem);
      return {
        problem,
        check: checkElements(losses.length, (i) => losses[i] as number, { relative: 2e-4, absolute: 1e-6 }),
      };
    },
  };
}

const LATER = [
  { name: 'CNN 16-32 on 28×28, batch 64, Adam', needs: 'MaxPool2d' },
  { name: 'LSTM 32→128, 50 steps, batch 32, Adam', needs: 'LSTM' },
  { name: 'character GPT, 4 layers of 128, context 64, batch 12, AdamW', needs: 'MultiheadAttention' },
];

/** @param quick leaves out the large network */
export function trainFamily(quick: boolean): Family {
  const adam = { name: 'Adam', lr: 1e-3 } as const;
  const large: Case[] = quick
    ? []
    : [
        step('MLP 784-1024-1024-10, batch 256, Adam', {
          sizes: [784, 1024, 1024, 10],
          activation: 'relu',
          loss: 'crossEntropy',
          optimizer: adam,
          batch: 256,
          checked: 3,
        }),
      ];
  return {
    name: 'train',
    cases: [
      step('MLP 2-4-1, batch 32, SGD', {
        sizes: [2, 4, 1],
        activation: 'tanh',
        loss: 'mse',
        optimizer: { name: 'SGD', lr: 0.1 },
        batch: 32,
        checked: 5,
      }),
      step('MLP 784-128-10, batch 64, Adam', {
        sizes: [784, 128, 10],
        activation: 'relu',
        loss: 'crossEntropy',
        optimizer: adam,
        batch: 64,
        checked: 4,
      }),
      ...large,
    ],
    skipped: LATER.map(({ name, needs }) => ({
      name,
      reason:
        needs in retrograd.nn ? `nn.${needs} exists, but this family has no such network yet` : `the library has no nn.${needs} yet`,
    })),
  };
}
