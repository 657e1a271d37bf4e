// The backend imported before TensorFlow.js, of which it then knows nothing.
import '../../bindings/tfjs/index.ts';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { init, shutdown } from '../../bindings/index.ts';

it('registers when tfjs is loaded', async () => {
  expect(Object.getOwnPropertyDescriptor(globalThis, '_tfengine')).toMatchObject({
    value: tf.engine(),
    writable: true,
  });
  expect(await tf.setBackend('retrograd')).toBe(true);
  expect(Array.from(tf.add([1, 2], 3).dataSync())).toEqual([4, 5]);
  expect(Array.from(tf.add(tf.complex([1], [2]), 1).dataSync())).toEqual([2, 2]);
  // Without the cpu backend.
  expect(() => tf.unique([1, 2])).toThrow(/Kernel 'Unique' not registered/);
  expect(() => tf.exp(tf.complex([1], [2]))).toThrow(/import '@tensorflow\/tfjs-backend-cpu'/);
});

it('takes the runtime that runs, at once', async () => {
  tf.engine().reset();
  shutdown();
  await init({ threads: 1 });
  expect(tf.engine().findBackend('retrograd')).not.toBe(null);
});
