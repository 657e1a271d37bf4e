// What exportOnnx writes, loadOnnx reads: the same numbers, for other batches too, and gradients of the same size.
import { afterAll, beforeAll, expect, it } from 'vitest';
import { init, manualSeed, nn, noGrad, randn, shutdown, type Tensor } from '../../bindings/index.ts';
import { exportOnnx, loadOnnx } from '../../bindings/onnx/index.ts';

beforeAll(() => init({ threads: 1 }));
afterAll(() => shutdown());

const body = (): nn.Sequential =>
  new nn.Sequential(
    new nn.Conv2d(2, 4, 3, { padding: 1 }),
    new nn.BatchNorm2d(4),
    new nn.ReLU(),
    new nn.MaxPool2d(2, { ceilMode: true }),
    new nn.Conv2d(4, 4, 3, { groups: 2, stride: 2 }),
    new nn.SiLU(),
    new nn.AdaptiveAvgPool2d(1),
    new nn.Flatten(),
    new nn.Linear(4, 3),
  );

const run = (net: nn.Module, x: Tensor): Tensor => (net as unknown as nn.Layer).forward(x);

it.each<[string, () => nn.Module, number[]]>([
  ['a convolutional network', body, [2, 9, 9]],
  [
    'a layer of a transformer',
    () => new nn.TransformerEncoderLayer(8, 2, { dimFeedforward: 12, batchFirst: true }),
    [5, 8],
  ],
  [
    'norms and activations',
    () => new nn.Sequential(new nn.LayerNorm(6), new nn.GELU(), new nn.Linear(6, 6), new nn.ELU(), new nn.Softmax(-1)),
    [6],
  ],
])('%s comes back', async (_, make, shape) => {
  manualSeed(3);
  const module = make().eval();
  const bytes = await exportOnnx(module, randn([2, ...shape]), { dynamicBatch: true });
  const model = (await loadOnnx(bytes)).eval();
  for (const n of [2, 5]) {
    const x = randn([n, ...shape]);
    const [y, z] = noGrad(() => [run(module, x), run(model, x)]) as [Tensor, Tensor];
    expect(z.shape).toEqual(y.shape);
    expect(z.sub(y).abs().max().item()).toBeLessThan(1e-5);
  }
  const x = randn([3, ...shape]);
  const sizeOf = (net: nn.Module): number =>
    net.parameters().reduce((sum, p) => sum + (p.grad?.square().sum().item() ?? 0), 0);
  for (const net of [module, model]) run(net, x).square().sum().backward();
  expect(Math.abs(sizeOf(model) / sizeOf(module) - 1)).toBeLessThan(1e-3);
});
