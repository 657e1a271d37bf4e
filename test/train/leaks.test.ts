// Apart, where nothing else waits to be collected.
import { expect, it, vi } from 'vitest';
import { backend, init, ones, rand, scope } from '../../bindings/index.ts';
import { EMAWeightAveraging, ROC } from '../../bindings/train/index.ts';
import { loaderOf, type Pair, points, trainerOf } from './make.ts';

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

it('leaks no predictions where a batch, or joining them, fails', async () => {
  await init();
  const trainer = trainerOf({ unpack: (batch) => [batch] });
  const batches = [ones([8, 4]), ones([8, 4]), ones([8, 5])];
  const predict = (): Promise<unknown> => trainer.predict(batches as never);
  const apart = trainerOf({ compile: false });
  let width = 0;
  apart.predictStep = () => ones([2, ++width]);
  const join = (): Promise<unknown> => apart.predict([1, 2, 3] as never);
  for (const fails of [predict, join]) {
    await expect(fails()).rejects.toThrow('expected');
    const before = backend().memory.used;
    for (let i = 0; i < 5; i++) await expect(fails()).rejects.toThrow('expected');
    expect(backend().memory.used - before).toBeLessThan(5 * 256);
  }
});

it('gives back the programs of steps that went on eagerly', async () => {
  await init();
  vi.spyOn(console, 'warn').mockImplementation(() => {});
  const [x, y] = points();
  const part = (size: number): Pair => [x.slice(0, 0, size), y.slice(0, 0, size)];
  const trainer = trainerOf();
  trainer.trainBatch(part(3));
  const before = backend().memory.used;
  scope(() => {
    for (let size = 4; size < 44; size++) trainer.trainBatch(part(size));
  });
  expect(console.warn).toHaveBeenCalledOnce();
  trainer.dispose();
  expect(backend().memory.used).toBeLessThanOrEqual(before);
});

it('leaks nothing by the states of metrics that keep rows', async () => {
  await init();
  const roc = new ROC();
  scope(() => roc.update(rand([64]), rand([64]).round()));
  const before = backend().memory.used;
  for (let i = 0; i < 3; i++) roc.loadState(roc.state());
  expect(backend().memory.used).toBe(before);
});
