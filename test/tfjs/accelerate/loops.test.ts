// Loops of optimizer.minimize(f): accelerated, they do what they do without, whatever f does the next time.
import * as tf from '@tensorflow/tfjs-core';
import * as layers from '@tensorflow/tfjs-layers';
import { describe, expect, it } from 'vitest';
import { counts, error, forward, net, numberOf } from './loops.ts';
import { noise } from './models.ts';
import { both, data, k, L, mlp, speedUp, valuesOf } from './support.ts';

const STEPS = 20;

type Minimized = { readonly optimizer: tf.Optimizer; readonly weights: tf.Variable[]; step(i: number): number[] };

/** What twenty steps give, the weights after them included; and all is disposed of. */
async function run(make: () => Minimized): Promise<number[]> {
  const { optimizer, weights, step } = make();
  const values: number[] = [];
  for (let i = 0; i < STEPS; i++) values.push(...step(i));
  for (const w of weights) values.push(...w.dataSync());
  optimizer.dispose();
  tf.dispose(weights);
  return values;
}

/** A loop over batches that change, by `loss` of the weights. */
const loop =
  (
    loss: (w: tf.Variable[], x: tf.Tensor, y: tf.Tensor, i: number) => tf.Scalar,
    {
      optimizer = () => tf.train.adam(0.01) as tf.Optimizer,
      rows = (_: number): number => 8,
      cost = true,
      some = false,
    } = {},
  ) =>
  (): Minimized => {
    const weights = net();
    const steps = optimizer();
    return {
      optimizer: steps,
      weights,
      step: (i) => {
        const [x, y] = [noise([rows(i), 6], i + 1), noise([rows(i), 3], i + 50)];
        const list = some ? weights.slice(2) : undefined;
        const value = steps.minimize(() => loss(weights, x, y, i), cost, list);
        tf.dispose([x, y]);
        return numberOf(value);
      },
    };
  };

const plain = loop((w, x, y) => error(y, forward(w, x)));
const oneHot = (y: tf.Tensor): tf.Tensor => tf.oneHot(tf.argMax(y, 1), 3);

/** What is replayed, and how often of twenty times: the first step is computed by tfjs. */
const replayed: Readonly<Record<string, readonly [make: () => Minimized, replays?: number]>> = {
  'batches from outside': [plain],
  'no cost': [loop((w, x, y) => error(y, forward(w, x)), { cost: false })],
  'some of the variables': [loop((w, x, y) => error(y, forward(w, x)), { some: true })],
  momentum: [loop((w, x, y) => error(y, forward(w, x)), { optimizer: () => tf.train.momentum(0.1, 0.9) })],
  'batches that f makes': [
    loop((w, _x, _y, i) => tf.tidy(() => error(noise([8, 3], i + 70), forward(w, noise([8, 6], i + 7))))),
  ],
  'a batch that f disposes of': [
    loop((w, x, y) => {
      const loss = error(y, forward(w, x));
      x.dispose();
      return loss;
    }),
  ],
  'batches of two sizes': [
    loop((w, x, y) => error(y, forward(w, x)), { rows: (i) => (i % 5 === 4 ? 3 : 8) }),
    STEPS - 2,
  ],
  'two kinds of losses by turns': [
    loop((w, x, y, i) => (i % 2 ? error(y, forward(w, x)) : tf.mean(tf.abs(tf.sub(y, forward(w, x)))))),
    STEPS - 2,
  ],
  'a number that is another each time': [loop((w, x, y, i) => tf.mul(error(y, forward(w, x)), 1 + i / 10))],
  'softmax and logs, which have gradients of their own': [
    loop((w, x, y) =>
      tf.add(tf.losses.softmaxCrossEntropy(oneHot(y), forward(w, x)), tf.mean(tf.square(tf.logSoftmax(forward(w, x))))),
    ),
  ],
  'fused products': [
    loop((w, x, y) => {
      const [a, b] = w as tf.Tensor[] as [tf.Tensor2D, tf.Tensor];
      const h = tf.fused.matMul({ a: x as tf.Tensor2D, b: a, bias: b });
      return error(y, tf.slice(h, [0, 1], [-1, 3]));
    }),
  ],
  'views, joins and splits': [
    loop((w, x, y) => {
      const [a, b] = tf.split(tf.concat([forward(w, x), forward(w, tf.neg(x))], 1), 2, 1) as [tf.Tensor, tf.Tensor];
      return error(y, tf.reshape(tf.reshape(tf.add(a, tf.clone(b)), [-1]), y.shape));
    }),
  ],
  'an accumulator that is assigned to': [
    () => {
      const weights = [...net(), tf.variable(tf.zeros([3]), false)];
      const optimizer = tf.train.adam(0.01);
      return {
        optimizer,
        weights,
        step: (i) => {
          const [x, y] = [noise([8, 6], i), noise([8, 3], i + 50)];
          const average = weights[4] as tf.Variable;
          const value = optimizer.minimize(() => {
            const p = forward(weights, x);
            average.assign(tf.add(tf.mul(average, 0.9), tf.mul(tf.mean(p, 0), 0.1)));
            return tf.add(error(y, p), tf.mean(tf.mul(average, p)));
          }, true) as tf.Scalar;
          tf.dispose([x, y]);
          return [...numberOf(value), ...average.dataSync()];
        },
      };
    },
  ],
  'a tensor that is kept': [
    () => {
      const { optimizer, weights } = plain();
      return {
        optimizer,
        weights,
        step: (i) => {
          const [x, y] = [noise([8, 6], i), noise([8, 3], i + 50)];
          let kept: tf.Tensor | null = null;
          const value = optimizer.minimize(() => {
            const p = forward(weights, x);
            kept = tf.keep(tf.reshape(p, [-1]));
            return error(y, p);
          }, true) as tf.Scalar;
          const values = [...numberOf(value), ...(kept as unknown as tf.Tensor).dataSync()];
          tf.dispose([x, y, kept as unknown as tf.Tensor]);
          return values;
        },
      };
    },
  ],
  'a learning rate that changes': [
    () => {
      const { optimizer, weights, step } = plain();
      return {
        optimizer,
        weights,
        step: (i) => {
          Object.assign(optimizer, { learningRate: 0.01 / (1 + i) });
          return step(i);
        },
      };
    },
  ],
  'weights that are frozen, and trained again': [
    () => {
      // Adam of tfjs mistakes one weight's averages for another's then.
      const { optimizer, weights, step } = loop((w, x, y) => error(y, forward(w, x)), {
        optimizer: () => tf.train.sgd(0.1),
      })();
      return {
        optimizer,
        weights,
        step: (i) => {
          (weights[0] as tf.Variable).trainable = i < 5 || i >= 12;
          return [...step(i), ...(weights[0] as tf.Variable).dataSync()];
        },
      };
    },
    STEPS - 2,
  ],
  'weights that are set': [
    () => {
      const { optimizer, weights, step } = plain();
      return {
        optimizer,
        weights,
        step: (i) => {
          if (i === 9) tf.tidy(() => (weights[0] as tf.Variable).assign(noise([6, 5], 77)));
          return step(i);
        },
      };
    },
  ],
  'dropout, whose draws are those of tfjs': [
    loop((w, x, y, i) => error(y, tf.dropout(forward(w, x), 0.3, undefined, i + 1))),
  ],
};

describe('a loop of minimize(f) is replayed', () => {
  it.each(Object.entries(replayed))('%s', async (_, [make, replays = STEPS - 1]) => {
    const before = counts();
    const expected: number[] = [];
    const { stats } = await both(() => run(make));
    expected.push(...counts().map((count, i) => count - (before[i] as number)));
    expect(stats.fallbacks).toEqual([]);
    expect(stats.replays).toBe(replays);
    expect(stats.steps).toBe(STEPS);
    // Optimizers of tfjs leave a few behind, as many as without.
    const again = counts();
    await run(make);
    expect(counts().map((count, i) => count - (again[i] as number))).toEqual(expected.map((count) => count / 2));
  });

  it('whose model is of layers, with batch norm', async () => {
    const { stats } = await both(async () => {
      const model = layers.sequential();
      model.add(L.dense({ units: 8, inputShape: [6], activation: 'relu', ...k(1) }));
      model.add(L.batchNormalization({ epsilon: 0.1 }));
      model.add(L.dense({ units: 3, activation: 'softmax', ...k(2) }));
      const optimizer = tf.train.sgd(0.1);
      const losses: number[] = [];
      for (let i = 0; i < STEPS; i++) {
        const [x, y] = [noise([8, 6], i + 1), noise([8, 3], i + 9)];
        const loss = optimizer.minimize(
          () => error(y, model.apply(x, { training: true }) as tf.Tensor),
          true,
        ) as tf.Scalar;
        losses.push(...numberOf(loss));
        tf.dispose([x, y]);
      }
      const values = [...losses, ...valuesOf(model)];
      model.dispose();
      return values;
    });
    expect(stats.fallbacks).toEqual([]);
    expect(stats.replays).toBe(STEPS - 1);
  });

  it('with two optimizers by turns, each with its own variables', async () => {
    const { stats } = await both(async () => {
      const [a, b] = [net(), net()];
      const [one, two] = [tf.train.sgd(0.05), tf.train.sgd(0.01)];
      const losses: number[] = [];
      for (let i = 0; i < STEPS; i++) {
        const [x, y] = [noise([8, 6], i + 1), noise([8, 3], i + 9)];
        losses.push(...numberOf(one.minimize(() => error(forward(b, x), forward(a, x)), true, a)));
        losses.push(...numberOf(two.minimize(() => error(y, tf.add(forward(a, x), forward(b, x))), true, b)));
        tf.dispose([x, y]);
      }
      const values = [...losses, ...[...a, ...b].flatMap((w) => [...w.dataSync()])];
      tf.dispose([...a, ...b]);
      return values;
    });
    expect(stats.fallbacks).toEqual([]);
    expect(stats.replays).toBe(2 * (STEPS - 1));
  });

  it('and f runs once in each step', () => {
    const { stats } = speedUp();
    const weights = net();
    const optimizer = tf.train.sgd(0.01);
    let calls = 0;
    for (let i = 0; i < 9; i++)
      optimizer.minimize(() => {
        calls++;
        const p = forward(weights, noise([4, 6], i));
        return i % 3 ? error(noise([4, 3], 1), p) : tf.mean(p);
      });
    expect(calls).toBe(9);
    expect(stats.replays).toBe(7);
    tf.dispose(weights);
  });
});

/** What is not replayed, and why; the numbers are the same. */
const fallen: Readonly<Record<string, readonly [make: () => Minimized, why: RegExp]>> = {
  'values that are read in the middle': [
    loop((w, x, y) => {
      const p = forward(w, x);
      const most = Math.max(...p.dataSync());
      return tf.mul(error(y, p), most > 1 ? 1 : 2);
    }),
    /it reads the values of a tensor/,
  ],
  'a gradient of the user': [
    loop((w, x, y, i) => {
      const scaled = tf.customGrad((z) => ({
        value: tf.clone(z as tf.Tensor),
        gradFunc: (dy: tf.Tensor) => tf.mul(dy, 1 + i),
      }));
      return error(y, scaled(forward(w, x)));
    }),
    /tf\.customGrad\(\)/,
  ],
  'gradients inside': [
    loop((w, x, y) => {
      const slope = tf.grad((z) => tf.mean(tf.square(z)))(x);
      return error(y, forward(w, slope));
    }),
    /it asks for gradients itself/,
  ],
  'attributes that are others each time': [
    loop((w, x, y, i) => error(y, tf.leakyRelu(forward(w, x), i / 100))),
    /it does something else in each step/,
  ],
  'variables that it makes': [
    loop((w, x, y) => {
      const v = tf.variable(x);
      const loss = error(y, forward(w, v));
      v.dispose();
      return loss;
    }),
    /it makes variables/,
  ],
  'an optimizer of the user': [
    loop((w, x, y) => error(y, forward(w, x)), {
      optimizer: () => new (class Mine extends tf.SGDOptimizer {})(0.1),
    }),
    /the optimizer SGD, which is not of TensorFlow\.js, trains unaccelerated/,
  ],
};

describe('a loop of minimize(f) falls back', () => {
  it.each(Object.entries(fallen))('for %s', async (_, [make, why]) => {
    const before = counts();
    const { stats } = await both(() => run(make));
    const growth = counts().map((count, i) => count - (before[i] as number));
    expect(stats.fallbacks.join()).toMatch(why);
    expect(stats.replays).toBe(0);
    const again = counts();
    await run(make);
    expect(counts().map((count, i) => count - (again[i] as number))).toEqual(growth.map((count) => count / 2));
  });

  it('in the one step that reads values, or throws, and goes on as a program', async () => {
    const { stats } = await both(async () => {
      const weights = net();
      const optimizer = tf.train.adam(0.01);
      const values: number[] = [];
      for (let i = 0; i < STEPS; i++) {
        const [x, y] = [noise([8, 6], i + 1), noise([8, 3], i + 9)];
        try {
          const loss = optimizer.minimize(() => {
            const p = tf.softmax(forward(weights, x));
            if (i === 8) values.push(...p.dataSync());
            if (i === 12) throw new Error('stopped');
            return tf.add(error(y, p), tf.losses.softmaxCrossEntropy(oneHot(y), p));
          }, true) as tf.Scalar;
          values.push(...numberOf(loss));
        } catch (thrown) {
          expect(String(thrown)).toMatch(/stopped/);
        }
        tf.dispose([x, y]);
      }
      values.push(...weights.flatMap((w) => [...w.dataSync()]));
      tf.dispose(weights);
      return values;
    });
    expect(stats.fallbacks).toEqual([]);
    expect(stats.replays).toBe(STEPS - 3);
  });

  it('while it is profiled, and after it is taken back', () => {
    const { stats, restore } = speedUp();
    const weights = net();
    const optimizer = tf.train.sgd(0.01);
    const [x, y] = data(4);
    const step = (): void => void optimizer.minimize(() => error(y, forward(weights, x)));
    for (let i = 0; i < 4; i++) step();
    expect(stats.replays).toBe(3);
    restore();
    step();
    expect(stats.replays).toBe(3);
    tf.dispose(weights);
    mlp().dispose();
  });
});
