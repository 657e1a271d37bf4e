// A long training with changing shapes: the arena ends with the bytes it began with, and stays as small as it was.
import { afterAll, beforeAll, expect, it } from 'vitest';
import {
  backend,
  functional as F,
  init,
  manualSeed,
  nn,
  optim,
  randint,
  randn,
  scope,
  shutdown,
} from '../../bindings/index.ts';

beforeAll(() => init());
afterAll(() => shutdown());

it('ends 200,000 steps of changing batch sizes with the bytes it began with', () => {
  manualSeed(5);
  const model = new nn.Sequential(
    new nn.Linear(16, 32),
    new nn.BatchNorm1d(32),
    new nn.SiLU(),
    new nn.Dropout(0.1),
    new nn.Linear(32, 4),
  );
  const optimizer = new optim.Adam(model.parameters(), { amsgrad: true });
  const step = (batch: number): number =>
    scope(() => {
      optimizer.zeroGrad();
      const loss = F.crossEntropy(model.forward(randn([batch, 16])), randint(0, 4, [batch]));
      loss.backward();
      optim.clipGradNorm(model.parameters(), 1);
      optimizer.step();
      optimizer.zeroGrad();
      return loss.item();
    });
  for (let batch = 2; batch <= 65; batch++) step(batch);
  const { used, blocks, peak } = backend().memory;
  for (let i = 0; i < 200_000; i++) expect(Number.isFinite(step(2 + (i % 64)))).toBe(true);
  expect(backend().memory).toMatchObject({ used, blocks, peak });
});
