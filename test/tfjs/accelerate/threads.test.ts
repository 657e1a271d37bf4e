// Accelerated models on two threads: programs share their commands among them.
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import * as layers from '@tensorflow/tfjs-layers';
import { expect, it } from 'vitest';
import { backend } from '../../../bindings/index.ts';
import { accelerate, configure } from '../../../bindings/tfjs/index.ts';
import { noise } from './models.ts';

const L = layers.layers;

/** Losses and weights; large enough for threads to share its products. */
async function train(): Promise<number[]> {
  const model = layers.sequential();
  const k = (seed: number) => ({ kernelInitializer: layers.initializers.glorotUniform({ seed }) });
  model.add(L.dense({ units: 128, inputShape: [256], activation: 'relu', ...k(1) }));
  model.add(L.dense({ units: 10, activation: 'softmax', ...k(2) }));
  model.compile({ optimizer: tf.train.adam(0.001), loss: 'categoricalCrossentropy' });
  const x = noise([128, 256], 1);
  const y = noise([128, 10], 2, (v) => v / 5);
  const losses: number[] = [];
  for (let i = 0; i < 8; i++) losses.push((await model.trainOnBatch(x, y)) as number);
  return [...losses, ...model.getWeights().flatMap((w) => Array.from(w.dataSync()))];
}

it('an accelerated model trains on two threads, and may be so before the backend starts', async () => {
  configure({ threads: 2 });
  const { stats, restore } = accelerate({ ...tf, ...layers }, { warn: false });
  await tf.setBackend('retrograd');
  const fast = await train();
  expect(backend().threads).toBe(2);
  expect(stats.fallbacks).toEqual([]);
  expect(stats.replays).toBe(7);
  restore();
  const plain = await train();
  expect(Math.max(...fast.map((v, i) => Math.abs(v - (plain[i] as number))))).toBeLessThan(1e-5);
});
