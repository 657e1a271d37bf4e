// TensorFlow.js: each model with each optimizer, accelerated and not, against the cpu backend.
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import * as layers from '@tensorflow/tfjs-layers';
import { beforeAll, describe, expect, it } from 'vitest';
import { accelerate, configure } from '../../bindings/tfjs/index.ts';
import { type ModelRow, models } from '../tfjs/accelerate/models.ts';

const optimizers: Readonly<Record<string, () => tf.Optimizer>> = {
  sgd: () => tf.train.sgd(0.01),
  momentum: () => tf.train.momentum(0.01, 0.9),
  adam: () => tf.train.adam(0.003),
  adamax: () => tf.train.adamax(0.003),
  rmsprop: () => tf.train.rmsprop(0.001, 0.9, 0, 1e-3),
  // Not centered: tfjs then takes epsilon away in the root, and has NaN where a gradient is 0.
  adagrad: () => tf.train.adagrad(0.01),
  adadelta: () => tf.train.adadelta(0.05, 0.9, 1e-2),
};

beforeAll(() => configure({ threads: 1 }));

async function train({ build, batch }: ModelRow, optimizer: tf.Optimizer): Promise<number[]> {
  const model = build();
  const { loss, metrics } = model as unknown as { loss: string; metrics: string[] };
  model.compile({ optimizer, loss, metrics });
  const losses: number[] = [];
  for (let step = 0; step < 20; step++) {
    const [x, y] = batch(step);
    losses.push(...[await model.trainOnBatch(x, y)].flat());
    tf.dispose([x, y]);
  }
  const weights = model.getWeights().flatMap((w) => Array.from(w.dataSync()));
  model.dispose();
  return [...losses, ...weights];
}

const worst = (a: readonly number[], b: readonly number[]): number =>
  a.length === b.length ? Math.max(...a.map((v, i) => Math.abs(v - (b[i] as number)))) : Number.NaN;

describe.each(Object.entries(models))('%s', (_, row) => {
  it.each(Object.entries(optimizers))('%s', async (__, make) => {
    await tf.setBackend('cpu');
    const cpu = await train(row, make());
    await tf.setBackend('retrograd');
    const plain = await train(row, make());
    const { stats, restore } = accelerate({ ...tf, ...layers }, { warn: false });
    const fast = await train(row, make());
    restore();
    expect(stats.replays).toBe(19);
    expect(worst(plain, cpu)).toBeLessThan(1e-3);
    expect(worst(fast, plain)).toBeLessThan(1e-5);
  });
});
