// Loops of minimize(f) whose f does one of a few things at random.
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { counts, error, forward, net, numberOf } from './loops.ts';
import { noise } from './models.ts';
import { both } from './support.ts';

/** Picks one of `n`, by a seed. */
const draws = (seed: number) => {
  let state = seed * 7919 + 17;
  return (n: number): number => {
    state = (state * 1103515245 + 12345) & 0x7fffffff;
    return (state >> 8) % n;
  };
};

/** A step of random calls: what it keeps, assigns, reads and disposes of is random too. */
function wild(optimizer: tf.Optimizer, [mean, ...weights]: tf.Variable[], i: number, seed: number): number[] {
  const [x, y] = [noise([4, 6], i), noise([4, 3], i + 50)];
  const [average] = [mean as tf.Variable];
  const draw = draws(seed);
  const values: number[] = [];
  const kept: tf.Tensor[] = [];
  const f = (): tf.Scalar => {
    let p = tf.tidy(() => forward(weights, x));
    for (let i = draw(6); i > 0; i--)
      p = [
        () => tf.tanh(p),
        () => tf.tidy(() => tf.mul(tf.sigmoid(p), tf.tensor1d([1, 2, 3].map((v) => v + draw(3))))),
        () => tf.reshape(tf.reshape(tf.clone(p), [3, -1]), p.shape),
        () => tf.logSoftmax(p),
        () => {
          kept.push(tf.keep(draw(2) ? tf.neg(p) : tf.reshape(p, [-1])));
          return p;
        },
        () => {
          average.assign(tf.tidy(() => tf.add(tf.mul(average, 0.5), tf.mean(p, 0))));
          return tf.sub(p, average);
        },
        () => {
          if (draw(4) === 0) values.push(...p.dataSync());
          const next = tf.elu(p);
          p.dispose();
          return next;
        },
      ][draw(7)]?.() as tf.Tensor;
    return error(y, p);
  };
  values.push(...numberOf(optimizer.minimize(f, true) as tf.Scalar));
  values.push(...kept.flatMap((one) => [...one.dataSync()]), ...average.dataSync());
  tf.dispose([x, y, kept]);
  return values;
}

it('loops of steps at random are replayed, and do what they do without', async () => {
  const { stats } = await both(async () => {
    const values: number[] = [];
    for (let round = 0; round < 12; round++) {
      const weights = [tf.tidy(() => tf.variable(tf.zeros([3]), false)), ...net()];
      const optimizer = tf.train.sgd(0.05);
      const draw = draws(round);
      const before = counts();
      for (let i = 0; i < 12; i++) values.push(...wild(optimizer, weights, i, 10 * round + draw(3)));
      const after = counts();
      values.push(...after.map((count, j) => count - (before[j] as number)));
      values.push(...weights.flatMap((w) => [...w.dataSync()]));
      tf.dispose(weights);
    }
    return values;
  });
  expect(stats.replays).toBeGreaterThan(60);
});
