// What tfjs-core's suite does not ask of a backend: memory, moves between backends, failures, and how it is registered.
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
// Registers the gradients.
import * as layers from '@tensorflow/tfjs-layers';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { backend as running } from '../../bindings/index.ts';
import { accelerate, configure, register } from '../../bindings/tfjs/index.ts';

const LIMIT = 2 ** 26;

beforeAll(async () => {
  configure({ threads: 1, maxBytes: LIMIT });
  await tf.setBackend('retrograd');
});
afterEach(() => tf.setBackend('retrograd'));

const blocks = (): number => running().memory.blocks;
const backend = () => tf.backend();

describe('the backend', () => {
  it('comes before those of tfjs', async () => {
    tf.engine().reset();
    await tf.ready();
    expect(tf.getBackend()).toBe('retrograd');
    register(tf);
    expect(tf.findBackendFactory('retrograd')).toBeTruthy();
    expect(() => register(3 as never)).toThrow(/register: expected TensorFlow.js \(the module, .*\) as tf, got 3/);
  });

  it('frees a block with the last reference to it', () => {
    const before = blocks();
    const x = tf.tensor([1, 2, 3]);
    const y = tf.reshape(x, [3, 1]);
    const z = tf.clone(x);
    expect(blocks()).toBe(before + 1);
    expect(backend().refCount(x.dataId)).toBe(3);
    x.dispose();
    z.dispose();
    expect(Array.from(y.dataSync())).toEqual([1, 2, 3]);
    y.dispose();
    expect(blocks()).toBe(before);
  });

  it('keeps what tfjs knows of its data, and of that alone', async () => {
    const known = (): Map<object, object> =>
      (tf.engine() as unknown as { state: { tensorInfo: Map<object, object> } }).state.tensorInfo;
    const x = tf.tensor([1, 2, 3]);
    const y = tf.clone(x);
    const [before] = [tf.memory().numDataBuffers];
    expect(known().get(x.dataId)).toMatchObject({ backend: backend(), dtype: 'float32', bytes: 12 });
    x.dispose();
    expect(known().has(y.dataId)).toBe(true);
    await tf.setBackend('cpu');
    const other = tf.add(y, 1);
    expect(known().get(y.dataId)).toMatchObject({ backend: backend() });
    expect(known().has(other.dataId)).toBe(true);
    tf.dispose([y, other]);
    expect([known().has(y.dataId), known().has(other.dataId)]).toEqual([false, false]);
    expect(known().delete(other.dataId)).toBe(false);
    expect(tf.memory().numDataBuffers).toBe(before - 1);
    await tf.setBackend('retrograd');
    const z = tf.tensor([1]);
    tf.engine().reset();
    await tf.setBackend('retrograd');
    // After a reset it knows nothing of before.
    expect(known().has(z.dataId)).toBe(false);
    z.dispose();
    expect(tf.memory().numTensors).toBe(0);
  });

  it('frees all when it is disposed of, whatever lives', async () => {
    const before = blocks();
    tf.add([1, 2, 3], 1);
    tf.complex([1, 2], [3, 4]);
    tf.engine().reset();
    await tf.setBackend('retrograd');
    expect(blocks()).toBe(before);
    expect(backend().numDataIds()).toBe(0);
  });

  it('gives data to another backend, and takes the same data back', async () => {
    const before = blocks();
    const x = tf.tensor([1, 2, 3]);
    await tf.setBackend('cpu');
    const y = tf.mul(x, 2);
    expect(blocks()).toBe(before);
    await tf.setBackend('retrograd');
    const z = tf.add(x, y);
    const w = tf.tidy(() => tf.relu(tf.sub(x, y)));
    expect([...z.dataSync(), ...w.dataSync()]).toEqual([3, 6, 9, 0, 0, 0]);
    expect(blocks()).toBe(before + 4);
    tf.dispose([x, y, z, w]);
    expect(blocks()).toBe(before);
  });

  it('moves complex numbers and strings', async () => {
    await tf.setBackend('cpu');
    const [c, s] = [tf.complex([1, 2], [3, 4]), tf.tensor(['ä', 'b'])];
    await tf.setBackend('retrograd');
    const sum = tf.add(c, c);
    expect(Array.from(sum.dataSync())).toEqual([2, 6, 4, 8]);
    expect(tf.clone(s).dataSync()).toEqual(['ä', 'b']);
    expect(Array.from(tf.real(c).dataSync())).toEqual([1, 2]);
    tf.dispose([c, s, sum]);
  });

  it('reads integers that a kernel of the cpu backend gives as floats', () => {
    const cast = tf.getKernel('Cast', 'cpu').kernelFunc;
    const x = tf.tensor([1, 2, 3], [3], 'int32');
    const info = cast({ inputs: { x }, backend: backend(), attrs: { dtype: 'float32' } }) as tf.TensorInfo;
    const y = tf.engine().makeTensorFromTensorInfo(info);
    expect(Array.from(tf.add(y, 0.5).dataSync())).toEqual([1.5, 2.5, 3.5]);
    tf.dispose([x, y]);
  });

  it('keeps copies: neither arrays that it was given nor those that it gave change it', () => {
    const given = new Float32Array([1, 2]);
    const x = tf.tensor(given);
    given[0] = 5;
    const got = x.dataSync();
    got[1] = 7;
    expect(Array.from(x.dataSync())).toEqual([1, 2]);
    x.dispose();
  });

  it('keeps memory level over steps of a training', () => {
    const w = tf.variable(tf.randomNormal([8, 4]));
    const x = tf.randomNormal([16, 8]);
    const optimizer = tf.train.adam(0.01);
    const step = () =>
      optimizer.minimize(() => tf.tidy(() => tf.mean(tf.square(tf.relu(tf.matMul(x, w)))) as tf.Scalar));
    step();
    const before = [blocks(), tf.memory().numTensors, backend().numDataIds()];
    for (let i = 0; i < 5; i++) step();
    expect([blocks(), tf.memory().numTensors, backend().numDataIds()]).toEqual(before);
    optimizer.dispose();
    tf.dispose([w, x]);
  });

  it('says so where it runs out of memory, and loses nothing', () => {
    const x = tf.ones([2048, 2048]);
    const before = [blocks(), backend().numDataIds()];
    expect(() => tf.tile(x, [8, 1])).toThrow(/out of memory/);
    // Of two parts, the second of which has no room.
    const parts = new Float32Array(2 ** 24);
    expect(() => backend().write(parts, [2 ** 23], 'complex64')).toThrow(/out of memory/);
    expect([blocks(), backend().numDataIds()]).toEqual(before);
    // Of several blocks, the last of which has no room.
    expect(() => tf.argMax(x, 1).dispose()).not.toThrow();
    expect(() => tf.tidy(() => tf.split(tf.tile(x, [2, 1]), 2))).toThrow(/out of memory/);
    expect([blocks(), backend().numDataIds()]).toEqual(before);
    expect(tf.tidy(() => tf.sum(x).dataSync()[0])).toBe(2 ** 22);
    x.dispose();
  });

  it('steps an accelerated optimizer as a whole, or not at all', () => {
    const acceleration = accelerate({ ...tf, ...layers });
    const [small, large] = [tf.variable(tf.ones([4])), tf.variable(tf.ones([2048, 2048]))];
    // Others look at the old values: the large ones find no room for a copy.
    const kept = [small.clone(), large.clone(), tf.ones([3 * 2048, 1024])];
    const gradients = [small, large].map((x) => ({ name: x.name, tensor: tf.onesLike(x) }));
    const optimizer = tf.train.sgd(0.5);
    const gradient = gradients as unknown as tf.NamedTensorMap;
    expect(() => optimizer.applyGradients(gradient)).toThrow(/out of memory/);
    expect(Array.from(small.dataSync())).toEqual([1, 1, 1, 1]);
    tf.dispose(kept);
    optimizer.applyGradients(gradient);
    expect(Array.from(small.dataSync())).toEqual([0.5, 0.5, 0.5, 0.5]);
    tf.dispose([small, large, ...gradients.map(({ tensor }) => tensor)]);
    acceleration.restore();
  });

  it('keeps nothing of an accelerated step whose variables find no memory', async () => {
    const acceleration = accelerate({ ...tf, ...layers }, { warn: false });
    const model = layers.sequential({ layers: [layers.layers.dense({ units: 1, inputShape: [2] })] });
    model.compile({ optimizer: 'sgd', loss: 'meanSquaredError' });
    const [x, y] = [tf.ones([4, 2]), tf.ones([4, 1])];
    // The large one, of which somebody holds the old values, would need a copy before a program may write it.
    const large = tf.variable(tf.ones([2048, 2048]));
    const kept: tf.Tensor[] = [large.clone()];
    const fill = (): void => {
      for (;;) kept.push(tf.ones([1024, 1024]));
    };
    expect(fill).toThrow(/out of memory/);
    tf.dispose(kept.splice(-2));
    await model.trainOnBatch(x, y);
    const before = [blocks(), backend().numDataIds()];
    await model.trainOnBatch(x, y);
    expect(acceleration.stats.fallbacks.join()).toMatch(/there is no memory for its program/);
    expect([blocks(), backend().numDataIds()]).toEqual(before);
    acceleration.restore();
    tf.dispose([x, y, large, ...kept]);
    model.dispose();
    model.optimizer.dispose();
  });

  it('refuses a shape that was changed in place', () => {
    const x = tf.tensor([1, 2, 3]);
    (x as unknown as { shape: number[] }).shape = [4000];
    expect(() => tf.neg(x)).toThrow(/expected 3 elements for a tensor, got shape \[4000\]/);
    x.dispose();
  });

  it('refuses options once it runs, and those that there are not', () => {
    expect(() => configure({ threads: 2 })).toThrow(/configure: expected to be called before the backend starts/);
  });
});
