// Apart, where nothing else waits to be collected.
import { expect, it } from 'vitest';
import { backend, init } from '../../bindings/index.ts';
import { EMAWeightAveraging } from '../../bindings/train/index.ts';
import { loaderOf, points, trainerOf } from './make.ts';

it.each([true, false])('leaks nothing over 50 steps, compile %s', async (compile) => {
  await init();
  const callbacks = [new EMAWeightAveraging({ decay: 0.9 })];
  const trainer = trainerOf({ accumulate: 2, clip: { norm: 1, value: 0.5 }, callbacks, compile });
  const loader = loaderOf(points(), { shuffle: true });
  await trainer.fit(loader, { epochs: 4, validation: loader });
  const before = backend().memory.used;
  await trainer.fit(loader, { epochs: 18, validation: loader });
  expect(trainer.step).toBeGreaterThan(50);
  expect(backend().memory.used).toBeLessThanOrEqual(before);
});
