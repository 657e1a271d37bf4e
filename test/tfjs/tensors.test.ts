// Tensors of TensorFlow.js as ours, and back, over one memory that both sides hold.
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { layers, sequential } from '@tensorflow/tfjs-layers';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  ArgumentError,
  BackendError,
  compile,
  DtypeError,
  FreedError,
  RecordingError,
  backend as running,
  scope,
  Tensor,
  tensor,
} from '../../bindings/index.ts';
import { accelerate, configure, fromTensorFlow, register, toTensorFlow } from '../../bindings/tfjs/index.ts';

const LIMIT = 2 ** 26;
const blocks = (): number => running().memory.blocks;
const numbers = (x: tf.Tensor | Tensor): number[] => Array.from(x instanceof Tensor ? x.data : x.dataSync());

let before: number;
beforeAll(async () => {
  configure({ threads: 1, maxBytes: LIMIT });
  await tf.setBackend('retrograd');
});
beforeEach(() => {
  before = blocks();
});
afterEach(async () => {
  await tf.setBackend('retrograd');
  expect(blocks()).toBe(before);
});

describe('fromTensorFlow', () => {
  const rows: [tf.DataType, string, number[]][] = [
    ['float32', 'f32', [1.5, -2, 3, 0]],
    ['int32', 'i32', [1, -2, 3, 0]],
    ['bool', 'u8', [1, 0, 1, 0]],
  ];
  it.each(rows)('gives %s as %s over the same memory, and back', (from, to, values) => {
    const t = tf.tensor(values, [2, 2], from);
    const x = fromTensorFlow(t);
    expect([x.dtype, x.shape, x.isContiguous(), numbers(x)]).toEqual([to, [2, 2], true, values]);
    expect(blocks()).toBe(before + 1);
    const back = toTensorFlow<tf.Tensor>(x);
    expect([back.dtype, back.shape, back.dataId === t.dataId]).toEqual([from, [2, 2], true]);
    expect(blocks()).toBe(before + 1);
    t.dispose();
    x.dispose();
    expect(numbers(back)).toEqual(values);
    back.dispose();
  });

  it('lets either side go first', () => {
    const [a, b] = [tf.tensor([1, 2]), tf.tensor([3, 4])];
    const [x, y] = [fromTensorFlow(a), fromTensorFlow(b)];
    a.dispose();
    y.dispose();
    // What comes next must not get the memory.
    const other = tf.tensor([9, 9]);
    expect([numbers(x), numbers(b)]).toEqual([
      [1, 2],
      [3, 4],
    ]);
    expect(() => y.data).toThrow(FreedError);
    expect(blocks()).toBe(before + 3);
    const again = fromTensorFlow(b);
    expect(numbers(again)).toEqual([3, 4]);
    expect(blocks()).toBe(before + 3);
    x.dispose();
    again.dispose();
    tf.dispose([b, other]);
  });

  it('belongs to the scope around it, as the result of an op', () => {
    const t = tf.tensor([1, 2]);
    const x = scope(() => {
      fromTensorFlow(t);
      return fromTensorFlow(t).mul(2);
    });
    expect([numbers(x), numbers(t)]).toEqual([
      [2, 4],
      [1, 2],
    ]);
    expect(blocks()).toBe(before + 2);
    const kept = scope(() => fromTensorFlow(t).keep());
    t.dispose();
    expect(numbers(kept)).toEqual([1, 2]);
    x.dispose();
    kept.dispose();
  });

  it('takes data that moved here, numbers of another kind, and no element', async () => {
    await tf.setBackend('cpu');
    const t = tf.tensor([1, 2, 3]);
    await tf.setBackend('retrograd');
    expect(() => fromTensorFlow(t)).toThrow(/expected a tensor on the backend 'retrograd', got one on another/);
    tf.neg(t).dispose();
    const x = fromTensorFlow(t);
    expect(numbers(x)).toEqual([1, 2, 3]);
    const whole = tf.tensor([1, 2, 3], [3], 'int32');
    const cast = tf.getKernel('Cast', 'cpu').kernelFunc;
    const info = cast({ inputs: { x: whole }, backend: tf.backend(), attrs: { dtype: 'float32' } }) as tf.TensorInfo;
    const floats = tf.engine().makeTensorFromTensorInfo(info);
    const y = fromTensorFlow(floats);
    expect([y.dtype, numbers(y)]).toEqual(['f32', [1, 2, 3]]);
    const none = tf.tensor([], [0, 2]);
    const z = fromTensorFlow(none);
    expect(z.shape).toEqual([0, 2]);
    for (const each of [x, y, z]) each.dispose();
    tf.dispose([t, whole, none, floats]);
  });
});

describe('a write in place', () => {
  it('of ours parts the two, also in views and by an optimizer', () => {
    const t = tf.tensor([1, 2]);
    const x = fromTensorFlow(t);
    x.view([2, 1]).add_(1);
    expect([numbers(x), numbers(t)]).toEqual([
      [2, 3],
      [1, 2],
    ]);
    expect(blocks()).toBe(before + 2);
    x.add_(1); // for nothing more
    expect(blocks()).toBe(before + 2);
    x.dispose();
    expect(numbers(t)).toEqual([1, 2]);
    t.dispose();
  });

  it('of a compiled function parts them, whatever it captured', () => {
    const x = tensor([1, 2]);
    const step = compile((by: Tensor) => {
      x.add_(by);
    });
    const by = tensor([1, 1]);
    step(by);
    step(by);
    const from = blocks();
    const t = toTensorFlow<tf.Tensor>(x);
    expect(blocks()).toBe(from);
    step(by);
    expect(blocks()).toBe(from + 1);
    expect([numbers(x), numbers(t)]).toEqual([
      [4, 5],
      [3, 4],
    ]);
    const u = toTensorFlow<tf.Tensor>(by);
    const write = compile((y: Tensor) => {
      y.mul_(2);
    });
    write(by);
    write(by);
    expect([numbers(by), numbers(u)]).toEqual([
      [4, 4],
      [1, 1],
    ]);
    step.dispose();
    write.dispose();
    tf.dispose([t, u]);
    x.dispose();
    by.dispose();
  });

  it('of theirs does so too', () => {
    const t = tf.tensor([1, 2]);
    const x = fromTensorFlow(t);
    const data = (tf.backend() as unknown as { of(id: object): { block: { version: number } } }).of(t.dataId);
    data.block.version++; // what kernels do before they write
    t.dispose();
    expect(numbers(x)).toEqual([1, 2]);
    x.dispose();
  });

  it('of an accelerated step does so, run after run', async () => {
    const model = sequential({ layers: [layers.dense({ units: 2, inputShape: [3] })] });
    model.compile({ optimizer: tf.train.sgd(0.1), loss: 'meanSquaredError' });
    const acceleration = accelerate({ ...tf, ...tfl });
    const [x, y] = [tf.ones([4, 3]), tf.ones([4, 2])];
    const weight = () => model.getWeights()[0] as tf.Tensor;
    for (let i = 0; i < 3; i++) {
      await model.trainOnBatch(x, y);
      const w = fromTensorFlow(weight());
      const was = numbers(weight());
      await model.trainOnBatch(x, y);
      expect(numbers(w)).toEqual(was);
      expect(numbers(weight())).not.toEqual(was);
      w.dispose();
    }
    acceleration.restore();
    model.dispose();
    tf.dispose([x, y]);
    before = blocks(); // the optimizer's own stay
  });

  it('fails where there is no room for a copy, and changes nothing', () => {
    const t = tf.ones([2048, 2048]);
    const x = fromTensorFlow(t);
    const rest = tf.ones([2048, 3072]);
    expect(() => x.add_(1)).toThrow(/out of memory/);
    expect([x.data[5], t.dataSync()[5]]).toEqual([1, 1]);
    rest.dispose();
    x.add_(1);
    expect([x.data[5], t.dataSync()[5]]).toEqual([2, 1]);
    x.dispose();
    t.dispose();
  });
});

describe('toTensorFlow', () => {
  it('shares memory that is whole, and copies views that are not', () => {
    const x = tensor([
      [1, 2, 3],
      [4, 5, 6],
    ]);
    const rows: [Tensor, number][] = [
      [x, 0],
      [x.reshape([3, 2]), 0],
      [x.slice(0, 0, 1), 0],
      [x.slice(0, 1, 2), 1],
      [x.transpose(0, 1), 1],
      [x.slice(1, 0, 2), 1],
    ];
    for (const [view, copies] of rows) {
      const from = blocks();
      const t = toTensorFlow<tf.Tensor>(view);
      expect([t.shape, numbers(t), blocks() - from]).toEqual([view.shape, numbers(view), copies]);
      t.dispose();
    }
    const kept = toTensorFlow<tf.Tensor>(x);
    x.dispose();
    expect(numbers(kept)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(tf.tidy(() => numbers(tf.add(kept, 1)))).toEqual([2, 3, 4, 5, 6, 7]);
    kept.dispose();
  });

  it('is counted and tidied by tfjs, and may go with its scope', () => {
    const count = tf.memory().numTensors;
    const x = tensor([1, 2]).requiresGrad_();
    const sum = tf.tidy(() => tf.sum(toTensorFlow<tf.Tensor>(x)));
    expect([tf.memory().numTensors, numbers(sum)]).toEqual([count + 1, [3]]);
    const t = scope(() => toTensorFlow<tf.Tensor>(tensor([5, 6])));
    expect(numbers(t)).toEqual([5, 6]);
    expect(blocks()).toBe(before + 3);
    tf.dispose([sum, t]);
    x.dispose();
    expect(tf.memory().numTensors).toBe(count);
  });

  it('moves to another backend', async () => {
    const t = scope(() => toTensorFlow<tf.Tensor>(tensor([1, 2])));
    await tf.setBackend('cpu');
    const y = tf.add(t, 1);
    expect(numbers(y)).toEqual([2, 3]);
    tf.dispose([t, y]);
  });
});

describe('what cannot be converted', () => {
  it.each<[string, () => unknown, typeof DtypeError | typeof ArgumentError, RegExp]>([
    [
      'a number',
      () => fromTensorFlow(3 as never),
      ArgumentError,
      /fromTensorFlow: expected a tensor of TensorFlow.js \(.*\) as t, got 3/,
    ],
    ['nothing', () => fromTensorFlow(undefined as never), ArgumentError, /fromTensorFlow/],
    ['a tensor of ours', () => scope(() => fromTensorFlow(tensor(1) as never)), ArgumentError, /fromTensorFlow/],
    ['an array', () => toTensorFlow([1] as never), ArgumentError, /toTensorFlow: expected a tensor as x, got/],
    ['strings', () => tf.tidy(() => void fromTensorFlow(tf.tensor(['a']))), DtypeError, /got string/],
    ['complex numbers', () => tf.tidy(() => void fromTensorFlow(tf.complex([1], [2]))), DtypeError, /got complex64/],
    ['bytes', () => scope(() => toTensorFlow(tensor([0, 200], { dtype: 'u8' }))), DtypeError, /of 0 and 1.*got 200/],
  ])('%s', (_, call, type, message) => {
    expect(call).toThrow(type);
    expect(call).toThrow(message);
  });

  it('what was disposed of', () => {
    const t = tf.tensor([1]);
    t.dispose();
    expect(() => fromTensorFlow(t)).toThrow(FreedError);
    const x = tensor([1]);
    x.dispose();
    expect(() => toTensorFlow(x)).toThrow(FreedError);
  });

  it('anything while compile() traces', () => {
    const t = tf.tensor([1]);
    const x = tensor([1]);
    expect(() => compile(() => fromTensorFlow(t))()).toThrow(RecordingError);
    expect(() => compile((y: Tensor) => void toTensorFlow(y))(x)).toThrow(
      /toTensorFlow: expected to be called outside/,
    );
    t.dispose();
    x.dispose();
  });

  it('anything where the backend does not run', () => {
    const x = tensor([1]);
    tf.removeBackend('retrograd');
    expect(() => toTensorFlow(x)).toThrow(BackendError);
    x.dispose();
    register(tf);
    before = blocks(); // what was left went with the backend
  });
});
