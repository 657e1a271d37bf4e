// Broken models are refused by typed errors; test/soak/onnx.test.ts tries many more.
import { beforeAll, expect, it } from 'vitest';
import { init } from '../../bindings/index.ts';
import { fuzzModels } from './fuzz.ts';

beforeAll(() => init({ threads: 1, maxBytes: 2 ** 27 }));

it('reads or refuses mutants', async () => {
  const [read, refused] = await fuzzModels(1000, 1);
  expect(read).toBeGreaterThan(100);
  expect(refused).toBeGreaterThan(100);
});
