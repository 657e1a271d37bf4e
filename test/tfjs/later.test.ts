// Kernels that wait for the next one: whatever comes between, results are those of kernels that do not wait.
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import * as layers from '@tensorflow/tfjs-layers';
import { beforeAll, describe, expect, it } from 'vitest';
import { backend as running } from '../../bindings/index.ts';
import { accelerate, configure, fromTensorFlow } from '../../bindings/tfjs/index.ts';

beforeAll(async () => {
  configure({ threads: 1, maxBytes: 2 ** 26 });
  await tf.setBackend('retrograd');
});

const SHAPE: [number, number, number, number] = [2, 16, 16, 16];
const N = 2 * 16 ** 3;
/** Large enough to wait for; with what a step and a product treat specially. */
const images = (seed = 1): tf.Tensor4D => {
  const values = Float32Array.from({ length: N }, (_, i) => Math.sin((i + 1) * seed));
  values.set([Number.NaN, Number.POSITIVE_INFINITY, 0, -0, Number.NEGATIVE_INFINITY], 8);
  return tf.tensor4d(values, SHAPE);
};
const finite = (seed: number, shape: number[]): tf.Tensor =>
  tf.tensor(
    Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => Math.cos(i * seed)),
    shape,
  );
const filter = (): tf.Tensor4D => finite(3, [3, 3, 16, 16]) as tf.Tensor4D;
const waits = (x: tf.Tensor): boolean => (x.dataId as unknown as { later: object | null }).later !== null;
const blocks = (): number => running().memory.blocks;

/** The values of what `make` gives, where nothing waits: tf.profile() takes the time of each kernel. */
async function atOnce(make: () => tf.Tensor): Promise<Float32Array> {
  let values = new Float32Array();
  await tf.profile(() => {
    values = tf.tidy(() => make().dataSync<'float32'>()).slice();
    return [];
  });
  return values;
}

/** What may be done with a result that waits. */
const USES: Readonly<Record<string, (late: tf.Tensor, x: tf.Tensor4D) => tf.Tensor>> = {
  'a product': (late) => tf.mul(late, images(2)),
  'a product from the other side': (late) => tf.mul(images(2), late),
  'a product under another shape': (late) => tf.mul(tf.reshape(late, [N]), tf.reshape(images(2), [N])),
  'a product that stretches it': (late) => tf.mul(tf.reshape(late, [N, 1]), tf.tensor2d([[1, 2]])),
  'a product with itself': (late) => tf.mul(late, late),
  'a product with one number': (late) => tf.mul(late, 3),
  'a product, and then a sum': (late) => tf.add(tf.mul(late, images(2)), late),
  'a sum with one number a channel': (late) => tf.add(late, finite(5, [16])),
  'a sum, twice': (late) => tf.add(tf.add(late, finite(5, [16])), tf.add(late, finite(6, [16]))),
  'a sum under another shape': (late) => tf.add(tf.reshape(late, [N / 16, 16]), finite(5, [16])),
  'a sum with one number a row': (late) => tf.add(late, finite(5, [16, 1, 1])),
  'a sum with one number a channel, of more rows': (late) =>
    tf.add(tf.reshape(late, [N / 16, 1, 16]), finite(5, [2, 16])),
  bounds: (late) => tf.clipByValue(late, 0, 0.5),
  'bounds, and then a sum': (late) => tf.add(tf.clipByValue(late, 0, 0.5), late),
  'bounds that begin below 0': (late) => tf.clipByValue(late, -0.25, 0.5),
  'a difference': (late) => tf.sub(late, finite(5, [16])),
  'another kernel that waits': (late) => tf.mul(tf.step(images(3)), late),
  'a look, and nothing else': (late) => late,
  'a copy': (late) => tf.clone(late),
  'what it was computed from, gone': (late, x) => {
    x.dispose();
    return tf.mul(late, images(2));
  },
  'a tensor of this package': (late) => {
    const y = fromTensorFlow(late as never);
    const values = Float32Array.from(y.data);
    y.dispose();
    return tf.tensor(values);
  },
  'a kernel of the cpu backend': (late) =>
    tf.real(tf.fft(tf.complex(tf.reshape(late, [N / 16, 16]), tf.zeros([N / 16, 16])))),
};

const STARTS: Readonly<Record<string, readonly [make: () => tf.Tensor4D, start: (x: tf.Tensor4D) => tf.Tensor]>> = {
  'a step': [images, (x) => tf.step(x, -0.5)],
  'a relu': [images, (x) => tf.relu(x)],
  'a convolution': [() => finite(7, SHAPE) as tf.Tensor4D, (x) => tf.conv2d(x, filter(), 1, 'same')],
};

/** What may stand between a convolution and the sum that is differentiated. */
const BEHIND: Readonly<Record<string, (sums: tf.Tensor4D) => tf.Tensor>> = {
  'a relu': (sums) => tf.relu(sums),
  'a relu and a pool': (sums) => tf.maxPool(tf.relu(sums), 2, 2, 'valid'),
  'a relu and a pool whose windows overlap': (sums) => tf.maxPool(tf.relu(sums), 3, 2, 'same'),
  'a relu that two pools read': (sums) => {
    const y = tf.relu(sums);
    return tf.add(tf.maxPool(y, 2, 2, 'valid'), tf.maxPool(y, 3, 2, 'same'));
  },
  'a pool': (sums) => tf.maxPool(sums, 2, 2, 'valid'),
  'a pool and a relu': (sums) => tf.relu(tf.maxPool(sums, 2, 2, 'valid')),
  'a leaky relu and a pool': (sums) => tf.maxPool(tf.leakyRelu(sums, 0.1), 2, 2, 'valid'),
  'a relu and the sums themselves': (sums) => tf.mul(tf.maxPool(tf.relu(sums), 1, 1, 'valid'), tf.sin(sums)),
  'a sigmoid': (sums) => tf.sigmoid(sums),
};

describe('kernels that wait', () => {
  for (const [name, behind] of Object.entries(BEHIND))
    it(`give the gradients of a convolution, a bias and ${name}`, async () => {
      const before = blocks();
      const make = (): tf.Tensor => {
        const given = [finite(7, SHAPE), filter(), finite(5, [16])];
        const loss = (x: tf.Tensor, w: tf.Tensor, b: tf.Tensor): tf.Tensor => {
          const y = behind(tf.add(tf.conv2d(x as tf.Tensor4D, w as tf.Tensor4D, 1, 'same'), b));
          return tf.sum(tf.mul(y, tf.reshape(tf.cos(tf.range(0, y.size)), y.shape)));
        };
        const { value, grads } = tf.valueAndGrads(loss)(given);
        return tf.concat([value, ...grads].map((x) => tf.reshape(x, [x.size])));
      };
      const expected = await atOnce(make);
      const got = tf.tidy(() => make().dataSync<'float32'>());
      const most = expected.reduce((top, v) => Math.max(top, Math.abs(v)), 1);
      expect(got.every((v, i) => Math.abs(v - (expected[i] as number)) < 1e-6 * most)).toBe(true);
      expect(blocks()).toBe(before);
    });

  for (const [start, [input, begin]] of Object.entries(STARTS))
    for (const [use, finish] of Object.entries(USES))
      it(`${start}, then ${use}`, async () => {
        const before = blocks();
        const make = (): tf.Tensor => {
          const x = input();
          return finish(begin(x), x);
        };
        const expected = await atOnce(make);
        const got = tf.tidy(() => make().dataSync<'float32'>());
        expect(got.length).toBe(expected.length);
        let worst = 0;
        for (let i = 0; i < got.length; i++) {
          const [a, b] = [got[i] as number, expected[i] as number];
          if (!Object.is(a, b)) worst = Math.max(worst, Number.isFinite(a - b) ? Math.abs(a - b) : 1);
        }
        expect(worst).toBeLessThan(1e-5);
        expect(blocks()).toBe(before);
      });

  it('wait, but not while tfjs takes the time of each', async () => {
    const x = images();
    const y = tf.step(x);
    expect(waits(y)).toBe(true);
    tf.mul(y, x).dispose();
    expect(waits(y)).toBe(true);
    expect(y.dataSync()[0]).toBe(1);
    expect(waits(y)).toBe(false);
    const c = tf.conv2d(x, filter(), 1, 'same');
    tf.add(c, finite(5, [16])).dispose();
    expect(waits(c)).toBe(true);
    c.dispose();
    const { kernels } = await tf.profile(() => {
      expect(waits(tf.step(x))).toBe(false);
      return x;
    });
    expect(kernels.map(({ name }) => name)).toEqual(['Step']);
    tf.dispose([x, y]);
  });

  it('do not see what an optimizer writes in place', () => {
    const acceleration = accelerate({ ...tf, ...layers });
    const w = tf.variable(filter());
    const x = finite(7, SHAPE) as tf.Tensor4D;
    const y = tf.conv2d(x, w as tf.Tensor4D, 1, 'same');
    const expected = tf.tidy(() => tf.conv2d(x, tf.add(w, 0) as tf.Tensor4D, 1, 'same').dataSync());
    const again = tf.conv2d(x, w as tf.Tensor4D, 1, 'same');
    tf.train.sgd(1).applyGradients({ [w.name]: tf.onesLike(w) });
    for (const each of [y, again]) expect(Array.from(each.dataSync())).toEqual(Array.from(expected));
    tf.dispose([w, x, y, again]);
    acceleration.restore();
  });

  it('are computed where there is memory again', () => {
    const x = finite(7, [4, 64, 64, 16]) as tf.Tensor4D;
    const w = filter();
    const y = tf.conv2d(x, w, 1, 'same');
    const kept: tf.Tensor[] = [];
    const fill = (): void => {
      for (;;) kept.push(tf.ones([1024, 256]));
    };
    expect(fill).toThrow(/out of memory/);
    expect(waits(y)).toBe(true);
    expect(() => y.dataSync()).toThrow(/out of memory/);
    tf.dispose(kept);
    const plain = tf.tidy(() => tf.add(tf.conv2d(x, w, 1, 'same'), 0).dataSync());
    expect(Array.from(y.dataSync().slice(0, 999))).toEqual(Array.from(plain.slice(0, 999)));
    tf.dispose([x, w, y]);
  });
});
