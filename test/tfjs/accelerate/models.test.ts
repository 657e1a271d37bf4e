// Models of TensorFlow.js on this backend: against tfjs's own cpu backend, and accelerated against not.
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import * as layers from '@tensorflow/tfjs-layers';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type Acceleration, accelerate, configure } from '../../../bindings/tfjs/index.ts';
import { models } from './models.ts';

const whole = { ...tf, ...layers };

beforeAll(async () => {
  configure({ threads: 1 });
  await tf.setBackend('retrograd');
});

let acceleration: Acceleration | null = null;
afterEach(async () => {
  acceleration?.restore();
  acceleration = null;
  await tf.setBackend('retrograd');
});

const STEPS = 20;

interface Run {
  readonly losses: number[];
  readonly weights: number[];
  readonly predictions: number[];
  /** Tensors and data ids that the last ten steps have added. */
  readonly growth: number[];
}

/** Twenty steps on the same batches, and a prediction. */
async function train({ build, batch }: (typeof models)[string]): Promise<Run> {
  const model = build();
  const losses: number[] = [];
  let before: number[] = [];
  const counts = (): number[] => [tf.memory().numTensors, tf.backend().numDataIds()];
  for (let step = 0; step < STEPS; step++) {
    const [x, y] = batch(step);
    losses.push(...[await model.trainOnBatch(x, y)].flat());
    tf.dispose([x, y]);
    if (step === STEPS / 2) before = counts();
  }
  const growth = counts().map((count, i) => count - (before[i] as number));
  const weights = model.getWeights().flatMap((w) => Array.from(w.dataSync()));
  const predictions: number[] = [];
  for (let i = 0; i < 3; i++) {
    const [x, y] = batch(i);
    const made = [model.predict(x)].flat();
    predictions.push(...made.flatMap((p) => Array.from(p.dataSync())));
    tf.dispose([x, y, made]);
  }
  model.dispose();
  return { losses, weights, predictions, growth };
}

const worst = (a: readonly number[], b: readonly number[]): number =>
  a.length === b.length ? Math.max(...a.map((v, i) => Math.abs(v - (b[i] as number)))) : Number.NaN;

describe.each(Object.entries(models))('%s', (_, row) => {
  it('trains as on the cpu backend; accelerated as not; and memory stays level', async () => {
    await tf.setBackend('cpu');
    const cpu = await train(row);
    await tf.setBackend('retrograd');
    const plain = await train(row);
    acceleration = accelerate(whole, { warn: false });
    const fast = await train(row);
    const { fallbacks, replays } = acceleration.stats;
    expect(fallbacks).toEqual([]);
    expect(replays).toBe(STEPS - 1 + 2);
    expect(plain.losses.some(Number.isNaN)).toBe(false);
    expect(worst(plain.weights, cpu.weights)).toBeLessThan(1e-4);
    expect(worst(plain.predictions, cpu.predictions)).toBeLessThan(1e-4);
    expect(worst(fast.losses, plain.losses)).toBeLessThan(1e-6);
    expect(worst(fast.weights, plain.weights)).toBeLessThan(1e-5);
    expect(worst(fast.predictions, plain.predictions)).toBeLessThan(1e-5);
    expect(fast.growth).toEqual([0, 0]);
    expect(plain.growth).toEqual([0, 0]);
  });
});
