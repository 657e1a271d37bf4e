// Numbers that TensorFlow.js writes while kernels are under way on another thread, into memory that those still use.
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { init, shutdown } from '../../bindings/index.ts';
import { register } from '../../bindings/tfjs/index.ts';

const SIZE = 160;

/** What is let go of has the size of what is written next. */
function turns(): number[] {
  const weight = tf.fill([SIZE, SIZE], 1 / SIZE);
  let x: tf.Tensor2D = tf.tensor2d(
    Array.from({ length: SIZE * SIZE }, (_, i) => Math.sin(i)),
    [SIZE, SIZE],
  );
  const seen: number[] = [];
  for (let turn = 0; turn < 120; turn++) {
    const next = tf.tidy(() => {
      let y = tf.matMul(x, weight) as tf.Tensor2D;
      for (const n of [1, 5, SIZE, SIZE * SIZE]) {
        const shape = n === SIZE * SIZE ? [SIZE, SIZE] : [n];
        const old = tf.add(tf.fill(shape, turn), 1);
        const used = tf.sum(tf.matMul(tf.mul(weight, tf.sum(old)), weight));
        old.dispose();
        const written = tf.tensor(
          Array.from({ length: n }, (_, i) => Math.cos(i + turn)),
          shape,
        );
        y = tf.add(y, tf.add(tf.sum(written), used)) as tf.Tensor2D;
        const whole = tf.cast(tf.tensor1d([turn, 2, 3], 'int32'), 'float32');
        const flags = tf.cast(tf.tensor1d([true, false, turn % 2 === 0], 'bool'), 'float32');
        y = tf.add(y, tf.sum(tf.mul(whole, flags))) as tf.Tensor2D;
      }
      if (turn % 10 === 0) seen.push(...tf.sum(y).dataSync());
      return tf.tanh(y) as tf.Tensor2D;
    });
    x.dispose();
    x = next;
  }
  return [...seen, ...x.dataSync()];
}

it('what is written comes after what reads the memory that it is written to', async () => {
  const results: number[][] = [];
  for (const threads of [1, 2, 3]) {
    await init({ threads });
    register(tf);
    await tf.setBackend('retrograd');
    results.push(turns());
    tf.engine().reset();
    shutdown();
  }
  expect(results[1]).toEqual(results[0]);
  expect(results[2]).toEqual(results[0]);
});
