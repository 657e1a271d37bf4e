// What tests of accelerated models share.
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import * as layers from '@tensorflow/tfjs-layers';
import { afterEach, beforeAll, expect } from 'vitest';
import { type AccelerateOptions, type Acceleration, accelerate, configure } from '../../../bindings/tfjs/index.ts';
import { noise } from './models.ts';

export const L = layers.layers;
export const whole = { ...tf, ...layers };

beforeAll(async () => {
  configure({ threads: 1 });
  await tf.setBackend('retrograd');
});

let acceleration: Acceleration | null = null;
/** Takes back what is accelerated. */
export const slowDown = (): void => {
  acceleration?.restore();
  acceleration = null;
};
export const speedUp = (options: AccelerateOptions = { warn: false }): Acceleration => {
  acceleration = accelerate(whole, options);
  return acceleration;
};
afterEach(slowDown);

export const k = (seed: number) => ({ kernelInitializer: layers.initializers.glorotUniform({ seed }) });

export interface Parts {
  readonly optimizer?: tf.Optimizer;
  readonly loss?: layers.ModelCompileArgs['loss'];
  readonly metrics?: layers.ModelCompileArgs['metrics'];
  readonly between?: () => layers.layers.Layer;
}

export function mlp({ optimizer = tf.train.adam(0.01), loss = 'meanSquaredError', metrics, between }: Parts = {}) {
  const model = layers.sequential();
  model.add(L.dense({ units: 16, inputShape: [6], activation: 'tanh', ...k(1) }));
  if (between) model.add(between());
  model.add(L.dense({ units: 3, activation: 'sigmoid', ...k(2) }));
  model.compile({ optimizer, loss, ...(metrics ? { metrics } : {}) });
  return model;
}

export const data = (rows: number): [tf.Tensor, tf.Tensor] => [noise([rows, 6], 1), noise([rows, 3], 2, Math.round)];

export const worst = (a: readonly number[], b: readonly number[]): number =>
  a.length === b.length ? Math.max(...a.map((v, i) => Math.abs(v - (b[i] as number)))) : Number.NaN;
export const valuesOf = (model: layers.LayersModel): number[] =>
  model.getWeights().flatMap((w) => Array.from(w.dataSync()));

/** What `run` gives on this backend, without and with programs; and those. */
export async function both(run: () => Promise<number[]>, options?: AccelerateOptions): Promise<Acceleration> {
  const expected = await run();
  const fast = speedUp(options);
  const got = await run();
  expect(expected.some(Number.isNaN)).toBe(false);
  expect(worst(got, expected)).toBeLessThan(1e-6);
  return fast;
}
