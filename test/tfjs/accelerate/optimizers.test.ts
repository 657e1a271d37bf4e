// The optimizers of tfjs by kernels of this package, against tfjs's own on the same backend.
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-layers';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { backend as running } from '../../../bindings/index.ts';
import { type Acceleration, accelerate, configure } from '../../../bindings/tfjs/index.ts';

beforeAll(async () => {
  configure({ threads: 1 });
  await tf.setBackend('retrograd');
});

let acceleration: Acceleration | null = null;
afterEach(() => {
  acceleration?.restore();
  acceleration = null;
});

const optimizers: Readonly<Record<string, () => tf.Optimizer>> = {
  sgd: () => tf.train.sgd(0.1),
  momentum: () => tf.train.momentum(0.1, 0.9),
  nesterov: () => tf.train.momentum(0.1, 0.9, true),
  adam: () => tf.train.adam(0.01),
  'adam with settings': () => tf.train.adam(0.05, 0.7, 0.9, 1e-3),
  adamax: () => tf.train.adamax(0.02),
  'adamax with decay': () => tf.train.adamax(0.02, 0.8, 0.9, 1e-4, 0.1),
  rmsprop: () => tf.train.rmsprop(0.01),
  'rmsprop with momentum': () => tf.train.rmsprop(0.01, 0.8, 0.5, 1e-4),
  'rmsprop centered': () => tf.train.rmsprop(0.001, 0.8, 0.5, 1e-6, true),
  adagrad: () => tf.train.adagrad(0.1),
  'adagrad from 1': () => tf.train.adagrad(0.1, 1),
  adadelta: () => tf.train.adadelta(0.5, 0.9, 1e-3),
};

const wave = (n: number, seed: number): Float32Array =>
  Float32Array.from({ length: n }, (_, i) => Math.sin(seed + 3 * i));

/** Twenty steps from the same weights, in two parts: between them the learning rate is another. */
function train(make: () => tf.Optimizer, between?: (optimizer: tf.Optimizer, w: tf.Variable) => void): number[] {
  const w = tf.variable(tf.tensor(wave(35, 1), [7, 5]));
  const b = tf.variable(tf.tensor(wave(5, 2)));
  const unused = tf.variable(tf.tensor(wave(3, 2)));
  const x = tf.tensor(wave(28, 3), [4, 7]);
  const optimizer = make();
  const losses: number[] = [];
  for (let i = 0; i < 20; i++) {
    if (i === 10) between?.(optimizer, w);
    const loss = optimizer.minimize(
      () => tf.tidy(() => tf.mean(tf.square(tf.sub(tf.add(tf.matMul(x, w), b), 0.5))) as tf.Scalar),
      true,
      [w, b],
    ) as tf.Scalar;
    losses.push(loss.dataSync()[0] as number);
    loss.dispose();
  }
  const result = [...losses, ...w.dataSync(), ...b.dataSync(), optimizer.iterations];
  optimizer.dispose();
  tf.dispose([w, b, unused, x]);
  return result;
}

const worst = (a: readonly number[], b: readonly number[]): number =>
  Math.max(...a.map((v, i) => Math.abs(v - (b[i] as number))));

describe.each(Object.entries(optimizers))('%s', (_, make) => {
  it('steps as tfjs does, in place, and keeps memory level', () => {
    const expected = train(make);
    acceleration = accelerate(tf);
    const before = [tf.memory().numTensors, tf.memory().numBytes, tf.backend().numDataIds()];
    const got = train(make);
    expect(acceleration.stats.steps).toBe(20);
    expect(worst(got, expected)).toBeLessThan(1e-6);
    expect(got.some(Number.isNaN)).toBe(false);
    // What dispose() of tfjs's own optimizers leaves is left by both.
    const again = [tf.memory().numTensors, tf.memory().numBytes, tf.backend().numDataIds()];
    acceleration.restore();
    train(make);
    const own = [tf.memory().numTensors, tf.memory().numBytes, tf.backend().numDataIds()];
    expect(again.map((v, i) => v - (before[i] as number))).toEqual(own.map((v, i) => v - (again[i] as number)));
  });
});

describe('accelerated optimizers', () => {
  it('read a learning rate that changes, by either way that tfjs has', () => {
    const ways: [() => tf.Optimizer, (o: tf.Optimizer) => void][] = [
      [() => tf.train.adam(0.01), (o) => Object.assign(o, { learningRate: 0.1 })],
      [() => tf.train.sgd(0.01), (o) => (o as tf.SGDOptimizer).setLearningRate(0.1)],
      [() => tf.train.rmsprop(0.01), (o) => Object.assign(o, { learningRate: 0.1 })],
    ];
    for (const [make, change] of ways) {
      const expected = train(make, change);
      acceleration = accelerate(tf);
      expect(worst(train(make, change), expected)).toBeLessThan(1e-6);
      expect(worst(train(make), expected)).toBeGreaterThan(1e-3);
      acceleration.restore();
    }
  });

  it('leave clones as they were', () => {
    acceleration = accelerate(tf);
    let clone = tf.tensor(0);
    let before: number[] = [];
    train(
      () => tf.train.sgd(0.1),
      (_, w) => {
        clone.dispose();
        clone = tf.clone(w);
        before = [...clone.dataSync()];
      },
    );
    expect([...clone.dataSync()]).toEqual(before);
    clone.dispose();
  });

  it('save and load their state as tfjs does', async () => {
    const run = async (): Promise<number[]> => {
      const w = tf.variable(tf.tensor(wave(8, 1)));
      const f = () => tf.sum(tf.square(w)) as tf.Scalar;
      const first = tf.train.adam(0.1);
      for (let i = 0; i < 5; i++) first.minimize(f);
      const next = tf.train.adam(0.1);
      await next.setWeights(await first.getWeights());
      for (let i = 0; i < 5; i++) next.minimize(f);
      const values = [...w.dataSync(), next.iterations];
      w.dispose();
      return values;
    };
    const expected = await run();
    acceleration = accelerate(tf);
    expect(worst(await run(), expected)).toBeLessThan(1e-6);
  });

  it('leave weights and gradients that are not f32, and other backends, to tfjs', async () => {
    acceleration = accelerate(tf);
    await tf.setBackend('cpu');
    train(() => tf.train.adam(0.01));
    expect(acceleration.stats.steps).toBe(0);
    await tf.setBackend('retrograd');
  });

  it('give their memory back', () => {
    const growth = (): number => {
      const before = running().memory.blocks;
      train(() => tf.train.momentum(0.1, 0.9));
      acceleration?.restore();
      return running().memory.blocks - before;
    };
    const own = growth();
    acceleration = accelerate(tf);
    // The settings of the optimizer, until it is collected.
    expect(growth()).toBeLessThanOrEqual(own + 1);
  });
});

describe('accelerate', () => {
  it('is undone by restore(), and refuses what is no TensorFlow.js, and twice the same', () => {
    const own = tf.AdamOptimizer.prototype.applyGradients;
    acceleration = accelerate(tf);
    expect(tf.AdamOptimizer.prototype.applyGradients).not.toBe(own);
    expect(() => accelerate(tf)).toThrow(/accelerate: expected a TensorFlow.js that is not accelerated/);
    acceleration.restore();
    acceleration.restore();
    expect(tf.AdamOptimizer.prototype.applyGradients).toBe(own);
    expect(() => accelerate(null as never)).toThrow(
      /accelerate: expected TensorFlow.js \(the module, .*\) as tf, got null/,
    );
    expect(() => accelerate({ engine: () => ({}) })).toThrow(
      /expected a TensorFlow.js 4, got one without SGDOptimizer/,
    );
  });
});
