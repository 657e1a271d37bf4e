// Graph models, with control flow: the same as on the cpu backend.
import '@tensorflow/tfjs-backend-cpu';
import { loadGraphModel } from '@tensorflow/tfjs-converter';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, expect, it } from 'vitest';
import { configure } from '../../bindings/tfjs/index.ts';

beforeAll(async () => {
  configure({ threads: 1 });
  await tf.setBackend('retrograd');
});

const T = { T: { type: 'DT_FLOAT' } };
const node = (name: string, op: string, input: string[] = [], attr: object = {}) => ({ name, op, input, attr });
const constant = (name: string, dtype = 'DT_FLOAT') => node(name, 'Const', [], { dtype: { type: dtype } });
const placeholder = node('x', 'Placeholder', [], {
  dtype: { type: 'DT_FLOAT' },
  shape: { shape: { dim: [{ size: '-1' }, { size: '3' }] } },
});

const W = [0.5, -1, 2, 0.25, 1, -0.5, 0.125, 3, -2];
const weightSpecs = [
  { name: 'w', shape: [3, 3], dtype: 'float32' as const },
  { name: 'b', shape: [3], dtype: 'float32' as const },
  { name: 'limit', shape: [], dtype: 'float32' as const },
];
const weightData = Float32Array.from([...W, 0.1, 0.2, 0.3, 20]).buffer;

/** relu(x · w + b). */
const plain = [
  placeholder,
  constant('w'),
  constant('b'),
  node('product', 'MatMul', ['x', 'w'], T),
  node('sum', 'BiasAdd', ['product', 'b'], T),
  node('y', 'Relu', ['sum'], T),
];
/** Twice x where limit > the sum of all x, else relu. */
const branching = [
  ...plain.slice(0, -1),
  constant('limit'),
  node('axes', 'Const', [], { dtype: { type: 'DT_INT32' } }),
  node('total', 'Sum', ['x', 'axes'], { keep_dims: { b: false } }),
  node('less', 'Less', ['total', 'limit'], T),
  node('switch', 'Switch', ['sum', 'less'], T),
  node('relu', 'Relu', ['switch:0'], T),
  node('twice', 'AddV2', ['switch:1', 'switch:1'], T),
  node('y', 'Merge', ['relu', 'twice'], { ...T, N: { i: '2' } }),
];

const modelOf = (nodes: object[], specs: object[], data: ArrayBuffer) =>
  loadGraphModel(
    tf.io.fromMemory({
      modelTopology: { node: nodes, versions: { producer: 1 } },
      weightSpecs: specs as never,
      weightData: data,
    }),
  );

it.each([
  ['straight', plain, false],
  ['with control flow', branching, true],
] as const)('%s', async (_, nodes, flows) => {
  const specs = flows
    ? [...weightSpecs, { name: 'axes', shape: [2], dtype: 'int32' as const }]
    : weightSpecs.slice(0, 2);
  const data = flows
    ? new Uint8Array([...new Uint8Array(weightData), 0, 0, 0, 0, 1, 0, 0, 0]).buffer
    : weightData.slice(0, 48);
  const answers: Record<string, number[][]> = {};
  for (const name of ['cpu', 'retrograd']) {
    await tf.setBackend(name);
    const model = await modelOf([...nodes], specs, data);
    const run = async (values: number[]): Promise<number[]> => {
      const x = tf.tensor(values, [2, 3]);
      const y = (flows ? await model.executeAsync(x) : model.predict(x)) as tf.Tensor;
      const numbers = Array.from(y.dataSync());
      tf.dispose([x, y]);
      return numbers;
    };
    await run([1, 2, 3, 4, 5, 6]);
    const { numTensors } = tf.memory();
    answers[name] = [await run([1, -2, 3, 0.5, 5, -6]), await run([10, 20, 3, 4, 50, 6])];
    expect(tf.memory().numTensors).toBe(numTensors);
    model.dispose();
  }
  expect(answers.cpu?.flat().some((value) => value !== 0)).toBe(true);
  answers.cpu?.flat().forEach((value, i) => {
    expect(answers.retrograd?.flat()[i]).toBeCloseTo(value, 5);
  });
});
