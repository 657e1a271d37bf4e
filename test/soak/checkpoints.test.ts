// Broken checkpoints by the hundred thousand: FormatErrors that change nothing.
import { afterAll, beforeAll, it } from 'vitest';
import { init, shutdown } from '../../bindings/index.ts';
import { corrupt } from '../support/checkpoint.ts';

beforeAll(() => init());
afterAll(() => shutdown());

it('are FormatErrors, and change nothing', () => {
  for (let seed = 2; seed < 102; seed++) corrupt(4000, seed);
});
