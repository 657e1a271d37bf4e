// Weights of LayersModels in modules of ours, and back: both predict the same, and the way there and back is exact.
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import type { SymbolicTensor } from '@tensorflow/tfjs-layers';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  compile,
  functional as F,
  init,
  nn,
  optim,
  randn,
  scope,
  type Tensor,
  tensor,
} from '../../../bindings/index.ts';
import { loadWeights, saveWeights } from '../../../bindings/tfjs/index.ts';
import { last, modelOf, type Row, rows, weightsOf } from './rows.ts';

beforeAll(async () => {
  await init({ threads: 1 });
  await tf.setBackend('cpu');
});

describe.each(rows)('$name', (row) => {
  it('predicts the same, and goes back as it was', () => {
    const model = modelOf(row);
    const module = new nn.Sequential(...(row.modules() as nn.Layer[])).eval();
    loadWeights(module, model);
    const x = scope(() =>
      (row.words
        ? randn([2, ...row.shape])
            .abs()
            .mul(3)
            .to('i32')
        : randn([2, ...row.shape])
      ).keep(),
    );
    const got = scope(() => {
      const y = module.forward(x);
      const turned = row.same || row.words ? y : last(y);
      return Array.from(turned.contiguous().data);
    });
    const given = scope(() => Array.from((row.same ? x : last(x)).contiguous().data));
    const inputShape = [2, ...((model.inputs[0] as SymbolicTensor).shape.slice(1) as number[])];
    const want = tf.tidy(() => Array.from((model.predict(tf.tensor(given, inputShape)) as tf.Tensor).dataSync()));
    expect(got.length).toBe(want.length);
    const most = Math.max(...want.map(Math.abs));
    for (let i = 0; i < want.length; i++)
      expect(Math.abs((got[i] as number) - (want[i] as number)) / most).toBeLessThan(1e-5);
    const before = weightsOf(model);
    const other = modelOf(row);
    expect(saveWeights(module, other)).toBe(other);
    expect(weightsOf(other)).toEqual(before);
    x.dispose();
    module.dispose();
  });
});

it("reads a GRU of Keras as the formula has it, and refuses tfjs's own", () => {
  const [n, u] = [2, 3];
  const sizes = { kernel: [n, 3 * u], recurrent_kernel: [u, 3 * u], bias: [2, 3 * u] };
  const weightSpecs = Object.entries(sizes).map(([role, shape]) => ({
    name: `gru/gru_cell/${role}`,
    shape,
    dtype: 'float32',
  }));
  const count = weightSpecs.reduce((sum, { shape }) => sum + (shape[0] as number) * (shape[1] as number), 0);
  const w = Float32Array.from({ length: count }, (_, i) => Math.sin(3 * i + 1));
  const config = { name: 'gru', units: u, activation: 'tanh', recurrent_activation: 'sigmoid', reset_after: true };
  const files = (more: object) => ({
    modelTopology: {
      model_config: {
        class_name: 'Sequential',
        config: { layers: [{ class_name: 'GRU', config: { ...config, ...more } }] },
      },
    },
    weightSpecs,
    weightData: w.buffer,
  });
  const module = new nn.GRU(n, u, { batchFirst: true });
  loadWeights(module, files({}));
  const xs = [
    [0.3, -1],
    [0.7, 0.2],
  ];
  let h = new Array(u).fill(0);
  const s = (a: number): number => 1 / (1 + Math.exp(-a));
  for (const x of xs) {
    const dot = (v: number[], from: number, j: number): number =>
      v.reduce((sum, value, i) => sum + value * (w[from + i * 3 * u + j] as number), 0);
    const [rk, b] = [n * 3 * u, n * 3 * u + u * 3 * u];
    const a = Array.from({ length: 3 * u }, (_, j) => dot(x, 0, j) + (w[b + j] as number));
    const r = Array.from({ length: 3 * u }, (_, j) => dot(h, rk, j) + (w[b + 3 * u + j] as number));
    h = h.map((old, j) => {
      const z = s((a[j] as number) + (r[j] as number));
      const reset = s((a[u + j] as number) + (r[u + j] as number));
      return z * old + (1 - z) * Math.tanh((a[2 * u + j] as number) + reset * (r[2 * u + j] as number));
    });
  }
  const got = scope(() => Array.from((module.forward(tensor([xs])) as [Tensor, Tensor])[1].data));
  for (const [j, value] of h.entries()) expect(got[j]).toBeCloseTo(value, 5);
  expect(new Float32Array(saveWeights(module, files({})).weightData)).toEqual(w);
  expect(() => loadWeights(module, files({ reset_after: false }))).toThrow(/layer gru \(GRU\) resetAfter: true/);
  module.dispose();
});

it('trains with compile(), and tfjs serves', () => {
  const row = rows[0] as Row;
  const model = modelOf(row);
  const module = new nn.Sequential(...(row.modules() as nn.Layer[]));
  loadWeights(module, model);
  const optimizer = new optim.Adam(module.parameters(), { lr: 0.01 });
  const step = compile((x: Tensor, y: Tensor) => {
    optimizer.zeroGrad();
    const loss = F.mseLoss(module.forward(x), y);
    loss.backward();
    optimizer.step();
    return loss;
  });
  const [x, y] = [randn([8, 5]), randn([8, 3])];
  for (let i = 0; i < 5; i++) step(x, y).dispose();
  saveWeights(module, model);
  const served = tf.tidy(() =>
    Array.from((model.predict(tf.tensor(Array.from(x.data), [8, 5])) as tf.Tensor).dataSync()),
  );
  const ours = scope(() => Array.from(module.forward(x).data));
  for (const [i, value] of served.entries()) expect(value).toBeCloseTo(ours[i] as number, 4);
});
