// A million random calls of the public surface.
import { afterAll, expect, it } from 'vitest';
import { init, shutdown } from '../../bindings/index.ts';
import { elsewhere, Fuzzer, reportOf } from '../support/fuzz.ts';

await init({ simd: 'strict', threads: 1, maxBytes: 2 ** 26 });
const leave = elsewhere();
afterAll(() => {
  shutdown();
  leave();
});

it.each(Array.from({ length: 10 }, (_, i) => i + 1))('100,000 random calls, seed %i', async (seed) => {
  const outcome = await new Fuzzer(seed).run(100_000);
  console.log(seed, outcome.calls, outcome.answers, outcome.errors);
  expect(reportOf(outcome)).toEqual([]);
});
