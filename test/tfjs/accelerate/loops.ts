// What loops of minimize(f) train in tests.
import * as tf from '@tensorflow/tfjs-core';
import { noise } from './models.ts';

/** The weights of two dense layers. */
export const net = (): tf.Variable[] =>
  tf.tidy(() => [[6, 5], [5], [5, 3], [3]].map((shape, i) => tf.variable(noise(shape, i + 1))));
export const forward = ([w1, b1, w2, b2]: tf.Variable[], x: tf.Tensor): tf.Tensor =>
  tf.add(tf.matMul(tf.tanh(tf.add(tf.matMul(x, w1 as tf.Tensor), b1 as tf.Tensor)), w2 as tf.Tensor), b2 as tf.Tensor);
export const error = (y: tf.Tensor, p: tf.Tensor): tf.Scalar => tf.mean(tf.square(tf.sub(y, p)));
/** The number, and it is gone. */
export const numberOf = (loss: tf.Scalar | null): number[] => {
  const values = loss ? [loss.dataSync()[0] as number] : [];
  loss?.dispose();
  return values;
};

/** What tfjs counts. */
export const counts = (): number[] => [tf.memory().numTensors, tf.memory().numDataBuffers, tf.backend().numDataIds()];
