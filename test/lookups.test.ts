// Words that all objects know are names of nothing here: wherever a program's text chooses something, they are refused.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  arange,
  bernoulli,
  type Dtype,
  eye,
  functional as F,
  full,
  init,
  io,
  linspace,
  nn,
  ones,
  onesLike,
  RetrogradError,
  rand,
  randint,
  randn,
  scope,
  shutdown,
  tensor,
  zeros,
  zerosLike,
} from '../bindings/index.ts';

beforeAll(() => init());
afterAll(() => shutdown());

const WORDS = [...Object.getOwnPropertyNames(Object.prototype), 'prototype', 'length', '', 'F32', 'f32 '];

/** Wherever a text chooses: what is called with a word. */
const choices: Record<string, (word: never) => unknown> = {
  'to()': (word) => tensor([1]).to(word),
  'tensor dtype': (dtype) => tensor([1], { dtype }),
  'zeros dtype': (dtype) => zeros([1], { dtype }),
  'ones dtype': (dtype) => ones([1], { dtype }),
  'full dtype': (dtype) => full([1], 1, { dtype }),
  'zerosLike dtype': (dtype) => zerosLike(tensor([1]), { dtype }),
  'onesLike dtype': (dtype) => onesLike(tensor([1]), { dtype }),
  'eye dtype': (dtype) => eye(2, { dtype }),
  'arange dtype': (dtype) => arange(0, 3, 1, { dtype }),
  'linspace dtype': (dtype) => linspace(0, 1, 3, { dtype }),
  'rand dtype': (dtype) => rand([1], { dtype }),
  'randn dtype': (dtype) => randn([1], { dtype }),
  'randint dtype': (dtype) => randint(0, 2, [1], { dtype }),
  'bernoulli dtype': (dtype) => bernoulli([1], 0.5, { dtype }),
  'conv1d layout': (layout) => F.conv1d(ones([1, 1, 4]), ones([1, 1, 2]), null, { layout }),
  'conv2d layout': (layout) => F.conv2d(ones([1, 1, 4, 4]), ones([1, 1, 2, 2]), null, { layout }),
  'conv3d layout': (layout) => F.conv3d(ones([1, 1, 4, 4, 4]), ones([1, 1, 2, 2, 2]), null, { layout }),
  'conv2d padding': (padding) => F.conv2d(ones([1, 1, 4, 4]), ones([1, 1, 2, 2]), null, { padding }),
  'Conv2d layout': (layout) => new nn.Conv2d(1, 1, 2, { layout } as object).forward(ones([1, 1, 4, 4])),
  'mseLoss reduction': (reduction) => F.mseLoss(ones([2]), ones([2]), { reduction }),
  'crossEntropy reduction': (reduction) =>
    F.crossEntropy(ones([2, 2]), tensor([0, 1], { dtype: 'i32' }), { reduction }),
  'klDivLoss reduction': (reduction) => F.klDivLoss(ones([2]), ones([2]), { reduction }),
  'gelu approximate': (approximate) => F.gelu(ones([2]), { approximate }),
  'kaiming mode': (mode) => nn.init.kaimingUniform_(ones([2, 2]), { mode }),
  'kaiming nonlinearity': (nonlinearity) => nn.init.kaimingNormal_(ones([2, 2]), { nonlinearity }),
  calculateGain: (nonlinearity) => nn.init.calculateGain(nonlinearity),
  'encodeSafetensors dtype': (dtype) => io.encodeSafetensors({ x: { dtype, shape: [1], data: new Float32Array(1) } }),
};

describe('no word of Object.prototype', () => {
  it.each(Object.entries(choices))('is one of %s', (_, call) => {
    for (const word of WORDS) {
      const run = (): unknown => scope(() => void call(word as never));
      expect(run, word).toThrow(RetrogradError);
      expect(run, word).toThrow(/expected/);
    }
    // What is chosen still works, so that the call is refused for its word.
    scope(() =>
      expect(
        tensor([1.5])
          .to('i32' satisfies Dtype)
          .item(),
      ).toBe(1),
    );
  });

  it.each(['simd', 'tile', 'threads', 'revectorize'])('is an option %s of init', async (option) => {
    for (const word of WORDS) await expect(init({ [option]: word }), word).rejects.toThrow(RetrogradError);
  });
});
