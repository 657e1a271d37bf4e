// Random calls of the public surface, a short run; test/soak/fuzz.test.ts has the long one.
import { afterAll, expect, it } from 'vitest';
import { init, shutdown } from '../../bindings/index.ts';
import { elsewhere, Fuzzer, reportOf } from '../support/fuzz.ts';

await init({ simd: 'strict', threads: 1, maxBytes: 2 ** 26 });
const leave = elsewhere();
afterAll(() => {
  shutdown();
  leave();
});

it('ends in an answer or a typed error, and changes nothing that it was not given', async () => {
  const outcome = await new Fuzzer(1).run(20_000);
  expect(reportOf(outcome)).toEqual([]);
});
