// A program that has the backend and nothing else of this package: none of its ops.
import '../../bindings/tfjs/index.ts';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { host, unread } from '../../bindings/tensor.ts';
import { fromTensorFlow, toTensorFlow } from '../../bindings/tfjs/index.ts';

it('reads tensors that are converted', async () => {
  expect(host.download).toBe(unread);
  await tf.setBackend('retrograd');
  const t = tf.tensor([[1, 2, 3]]);
  const x = fromTensorFlow(t);
  expect(Array.from(x.data)).toEqual([1, 2, 3]);
  expect(x.toArray()).toEqual([[1, 2, 3]]);
  expect(fromTensorFlow(tf.tensor(7, [], 'int32')).item()).toBe(7);
  expect(Array.from(fromTensorFlow(tf.tensor([true, false])).data)).toEqual([1, 0]);
  const copy = x.data;
  copy[0] = 9;
  expect(Array.from(toTensorFlow<tf.Tensor>(x).dataSync())).toEqual([1, 2, 3]);
  x.dispose();
  expect(() => x.data).toThrow(/dispose/);
});
