// Broken models by the hundred thousand.
import { beforeAll, it } from 'vitest';
import { init } from '../../bindings/index.ts';
import { fuzzModels } from '../onnx/fuzz.ts';

beforeAll(() => init({ threads: 1, maxBytes: 2 ** 27 }));

it('are read, or refused by typed errors', async () => {
  for (let seed = 2; seed < 42; seed++) console.log(seed, await fuzzModels(5000, seed));
});
