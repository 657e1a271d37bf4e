// Explanations inside of compiled functions are those outside.
import { afterAll, expect, it } from 'vitest';
import * as explain from '../../bindings/explain/index.ts';
import { compile, init, nn, randn, shutdown, type Tensor } from '../../bindings/index.ts';

await init({ simd: 'strict', threads: 1 });
afterAll(() => shutdown());

const model = new nn.Sequential(
  ...[new nn.Conv2d(1, 3, 3, { padding: 1 }), new nn.ReLU(), new nn.MaxPool2d(2), new nn.Flatten()],
  new nn.Linear(27, 4),
).eval();
const layer = model.getSubmodule('1');

const ways: Readonly<Record<string, (x: Tensor) => Tensor>> = {
  saliency: (x) => explain.saliency(model, x),
  integratedGradients: (x) => explain.integratedGradients(model, x, { target: 1, nSteps: 5 }),
  gradCam: (x) => explain.gradCam(model, x, { layer, target: 2 }),
  guidedBackprop: (x) => explain.guidedBackprop(model, x, { target: 2 }),
  deepLift: (x) => explain.deepLift(model, x, { target: 0 }),
  lrp: (x) => explain.lrp(model, x, { target: 0, rule: { rule: 'gamma' } }),
  occlusion: (x) => explain.occlusion(model, x, { target: 3, slidingWindowShapes: [1, 3, 3], strides: 3 }),
};
it.each(Object.entries(ways))('%s', (_, run) => {
  const compiled = compile(run);
  for (let i = 0; i < 3; i++) {
    const x = randn([2, 1, 6, 6]);
    expect(Array.from(compiled(x).data)).toEqual(Array.from(run(x).data));
  }
});
