// Whole trainings: they learn, they repeat to the bit, they do not leak.
import { afterEach, describe, expect, it } from 'vitest';
import {
  backend,
  data,
  functional as F,
  init,
  manualSeed,
  nn,
  optim,
  rand,
  randn,
  scope,
  shutdown,
  type Tensor,
  tensor,
} from '../../bindings/index.ts';

afterEach(() => shutdown());

function learnDifference(steps: number): { loss: number; weights: number[] } {
  manualSeed(1);
  const model = new nn.Sequential(new nn.Linear(2, 4), new nn.Tanh(), new nn.Linear(4, 1));
  const optimizer = new optim.Adam(model.parameters(), { lr: 0.02 });
  let loss = Number.NaN;
  for (let i = 0; i < steps; i++)
    scope(() => {
      const x = rand([32, 2], { low: -1, high: 1 });
      optimizer.zeroGrad();
      const l = F.mseLoss(model.forward(x), x.narrow(1, 0, 1).sub(x.narrow(1, 1, 1)));
      l.backward();
      optimizer.step();
      loss = l.item();
    });
  return { loss, weights: model.parameters().flatMap((p) => [...p.data]) };
}

describe.each(['strict', 'relaxed'] as const)('training, %s', (simd) => {
  it("learns the seed's function y = x₁ − x₂, and repeats to the bit", async () => {
    await init({ simd });
    const first = learnDifference(400);
    expect(first.loss).toBeLessThan(5e-3);
    expect(learnDifference(400)).toEqual(first);
  });

  it('ends 10,000 steps with the bytes it began with', async () => {
    await init({ simd });
    const model = new nn.Sequential(
      new nn.Linear(6, 8),
      new nn.BatchNorm1d(8),
      new nn.GELU(),
      new nn.Dropout(0.2),
      new nn.LayerNorm(8),
      new nn.Linear(8, 3),
    );
    const optimizer = new optim.AdamW(model.parameters());
    const dataset = new data.TensorDataset(randn([64, 6]), tensor(Int32Array.from({ length: 64 }, (_, i) => i % 3)));
    const loader = new data.DataLoader(dataset, { batchSize: 8, shuffle: true });
    const epoch = (): void => {
      for (const [x, y] of loader) {
        optimizer.zeroGrad();
        const loss = F.crossEntropy(model.forward(x as Tensor), y as Tensor, { labelSmoothing: 0.1 });
        loss.backward();
        optim.clipGradNorm(model.parameters(), 1);
        optimizer.step();
      }
      optimizer.zeroGrad();
    };
    epoch(); // the optimizer's state is allocated in the first step
    const { used, blocks, peak } = backend().memory;
    for (let i = 0; i < 1250; i++) epoch();
    expect(backend().memory).toMatchObject({ used, blocks, peak });
  });
});

it('computes the same bits in a run with other work in between', async () => {
  await init();
  const alone = learnDifference(50);
  const other = new nn.Linear(5, 5);
  scope(() =>
    other
      .forward(rand([7, 5]))
      .sum()
      .backward(),
  );
  expect(learnDifference(50)).toEqual(alone);
});

it('learns digits-like clusters to full accuracy', async () => {
  await init();
  manualSeed(3);
  const centers = randn([10, 16], { std: 3 });
  const labels = tensor(Int32Array.from({ length: 500 }, (_, i) => i % 10));
  const x = scope(() => centers.indexSelect(0, labels).add(randn([500, 16])));
  const model = new nn.Sequential(new nn.Linear(16, 32), new nn.ReLU(), new nn.Linear(32, 10));
  const optimizer = new optim.SGD(model.parameters(), { lr: 0.1, momentum: 0.9 });
  for (let i = 0; i < 10; i++)
    for (const [images, classes] of new data.DataLoader(new data.TensorDataset(x, labels), {
      batchSize: 50,
      shuffle: true,
      seed: i,
    })) {
      optimizer.zeroGrad();
      F.crossEntropy(model.forward(images as Tensor), classes as Tensor).backward();
      optimizer.step();
    }
  const accuracy = scope(() => model.forward(x).argmax(1).eq(labels).to('f32').mean().item());
  expect(accuracy).toBeGreaterThan(0.99);
});
