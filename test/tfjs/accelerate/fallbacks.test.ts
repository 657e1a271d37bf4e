// What accelerate() leaves to tfjs, and what it says then; and how it is taken back.
import * as tf from '@tensorflow/tfjs-core';
import * as layers from '@tensorflow/tfjs-layers';
import { describe, expect, it, vi } from 'vitest';
import { backend as running } from '../../../bindings/index.ts';
import { type AccelerateOptions, accelerate } from '../../../bindings/tfjs/index.ts';
import { attention, noise } from './models.ts';
import { both, data, k, L, mlp, type Parts, speedUp, valuesOf, whole } from './support.ts';

class Counting extends layers.layers.Layer {
  static className = 'Counting';
  calls = 0;
  override call(x: tf.Tensor | tf.Tensor[]): tf.Tensor {
    this.calls++;
    return tf.mul(Array.isArray(x) ? (x[0] as tf.Tensor) : x, 1 + this.calls / 10);
  }
}

describe('what falls back', () => {
  /** Trains with and without, and tells why it was not traced. */
  async function reasonOf(parts: () => Parts, replays = 0, options?: AccelerateOptions): Promise<string> {
    const { stats } = await both(async () => {
      const model = mlp(parts());
      const [x, y] = data(16);
      const before = tf.memory().numTensors;
      const losses: number[] = [];
      for (let i = 0; i < 5; i++) losses.push((await model.trainOnBatch(x, y)) as number);
      void before;
      return [...losses, ...valuesOf(model)];
    }, options);
    expect(stats.replays).toBe(replays);
    return stats.fallbacks.join();
  }

  it('a loss that reads values', async () => {
    const loss = (t: tf.Tensor, p: tf.Tensor): tf.Tensor => {
      const value = tf.mean(tf.square(tf.sub(t, p)));
      if ((value.dataSync()[0] as number) > 1e9) throw new Error('diverged');
      return value;
    };
    expect(await reasonOf(() => ({ loss }))).toMatch(
      /^training of a model \(.*\) is not replayed as a whole: it reads the values/,
    );
  });

  it('a layer of the user, unless it is asked for', async () => {
    expect(await reasonOf(() => ({ between: () => new Counting({}) }), 4)).toMatch(
      /^a model with Counting, which is not of TensorFlow\.js, is not replayed as a whole: accelerate\(tf, \{ custom: true \}\)/,
    );
  });

  it('an optimizer of the user', async () => {
    class Mine extends tf.SGDOptimizer {}
    expect(await reasonOf(() => ({ optimizer: new Mine(0.1) }))).toMatch(
      /^the optimizer SGD, which is not of TensorFlow\.js, trains unaccelerated$/,
    );
  });

  it('a stateful layer', async () => {
    const { stats } = await both(async () => {
      const model = layers.sequential();
      const recurrentInitializer = layers.initializers.glorotUniform({ seed: 3 });
      model.add(L.lstm({ units: 3, batchInputShape: [4, 5, 2], stateful: true, recurrentInitializer, ...k(1) }));
      model.compile({ optimizer: 'sgd', loss: 'meanSquaredError' });
      const losses: number[] = [];
      for (let i = 0; i < 8; i++)
        losses.push((await model.trainOnBatch(noise([4, 5, 2], i), noise([4, 3], 20 + i))) as number);
      return [...losses, ...valuesOf(model)];
    });
    // Its training is a loop, whose steps hand their states on.
    expect(stats.replays).toBe(7);
    expect(stats.fallbacks.join()).toMatch(/^a model with a stateful layer \(.*\) is not replayed as a whole$/);
  });

  it('what does something else in each step', async () => {
    const { stats } = speedUp({ custom: true, warn: false });
    const model = mlp({ between: () => new Counting({}) });
    const [x, y] = data(16);
    for (let i = 0; i < 5; i++) await model.trainOnBatch(x, y);
    // By loops, whose code runs in each step.
    expect(stats.replays).toBe(4);
    expect(stats.fallbacks.join()).toMatch(/it does something else in each step/);
  });

  it('a loss that does something else one day, in steps 2, 4, 8 …', async () => {
    const { stats } = speedUp();
    let factor = 1;
    const model = mlp({ loss: (t, p) => tf.mul(tf.mean(tf.square(tf.sub(t, p))), factor) });
    const [x, y] = data(16);
    for (let i = 0; i < 6; i++) await model.trainOnBatch(x, y);
    expect(stats.fallbacks).toEqual([]);
    factor = 2;
    for (let i = 0; i < 3; i++) await model.trainOnBatch(x, y);
    expect(stats.fallbacks.join()).toMatch(/it does something else in each step/);
  });

  it('nothing where a step uses a tensor from outside; where it uses another each time, all', async () => {
    const { stats } = speedUp();
    let target = tf.scalar(0.5);
    const model = mlp({ loss: (_, p) => tf.mean(tf.square(tf.sub(target, p))) });
    const [x, y] = data(16);
    for (let i = 0; i < 3; i++) await model.trainOnBatch(x, y);
    expect(stats.replays).toBe(2);
    for (let i = 0; i < 6; i++) {
      target.dispose();
      target = tf.scalar(i);
      await model.trainOnBatch(x, y);
    }
    expect(stats.fallbacks.join()).toMatch(/it uses other tensors from outside in each step/);
  });

  it('is told to the console once, unless that is not wanted', async () => {
    const warn = vi.spyOn(console, 'warn').mockImplementation(() => {});
    try {
      speedUp({});
      const model = mlp({ between: () => new Counting({}) });
      const [x, y] = data(16);
      for (let i = 0; i < 3; i++) await model.trainOnBatch(x, y);
      expect(warn.mock.calls.filter(([text]) => /Counting/.test(text))).toHaveLength(1);
    } finally {
      warn.mockRestore();
    }
  });

  it('what is profiled', async () => {
    const { stats } = speedUp();
    const model = mlp();
    const [x, y] = data(16);
    for (let i = 0; i < 3; i++) await model.trainOnBatch(x, y);
    const { replays } = stats;
    const profile = await tf.profile(() => model.trainOnBatch(x, y) as never);
    expect(profile.kernelNames).toContain('_FusedMatMul');
    expect(stats.replays).toBe(replays);
  });

  it('a prediction that gradients go through', async () => {
    await both(async () => {
      const model = mlp();
      const [x, y] = data(16);
      const optimizer = tf.train.adam(0.01);
      const losses: number[] = [];
      for (let i = 0; i < 6; i++) {
        tf.dispose(model.predict(x));
        const loss = optimizer.minimize(
          () => tf.mean(tf.square(tf.sub(model.predict(x) as tf.Tensor, y))) as tf.Scalar,
          true,
        ) as tf.Scalar;
        losses.push(loss.dataSync()[0] as number);
      }
      expect(losses[5]).toBeLessThan(losses[0] as number);
      return [...losses, ...valuesOf(model)];
    });
  });

  it('gradients that another copy of TensorFlow.js asks for', () => {
    const { stats } = speedUp();
    const w = tf.variable(tf.tensor([1, 2]));
    tf.train.sgd(0.1).minimize(() => tf.sum(tf.square(w)) as tf.Scalar);
    expect(stats.fallbacks).toEqual([]);
    tf.variableGrads(() => tf.sum(tf.square(w)) as tf.Scalar);
    expect(stats.fallbacks.join()).toMatch(/another copy of TensorFlow\.js/);
    w.dispose();
  });
});

describe('accelerate', () => {
  it('takes layers of the user where it is told to', async () => {
    const run = async (): Promise<number[]> => {
      const model = attention.build();
      const losses: number[] = [];
      for (let i = 0; i < 20; i++) losses.push((await model.trainOnBatch(...attention.batch(i))) as number);
      return [...losses, ...valuesOf(model)];
    };
    const { stats } = await both(run, { custom: true, warn: false });
    expect(stats.fallbacks).toEqual([]);
    expect(stats.replays).toBe(19);
  });

  it('gives all memory back', async () => {
    const run = async (): Promise<void> => {
      const model = mlp();
      const [x, y] = data(16);
      for (let i = 0; i < 4; i++) await model.trainOnBatch(x, y);
      tf.dispose([x, y, model.predict(x)]);
      model.dispose();
      model.optimizer.dispose();
    };
    await run();
    const growth = async (between: () => void): Promise<number> => {
      const before = running().memory.blocks;
      await run();
      between();
      return running().memory.blocks - before;
    };
    const plain = await growth(() => {});
    const fast = speedUp();
    expect(await growth(() => fast.restore())).toBeLessThanOrEqual(plain + 1);
  });

  it('leaves tfjs as it was, where a model is in the middle of its training', async () => {
    const model = mlp();
    const [x, y] = data(16);
    const fast = speedUp();
    for (let i = 0; i < 4; i++) await model.trainOnBatch(x, y);
    const { replays } = fast.stats;
    expect(replays).toBe(3);
    fast.restore();
    const loss = (await model.trainOnBatch(x, y)) as number;
    expect(loss).toBeGreaterThan(0);
    expect(fast.stats.replays).toBe(replays);
    expect(() => accelerate(whole, { costum: true } as never)).toThrow(/accelerate: .*costum.*custom/);
  });
});
