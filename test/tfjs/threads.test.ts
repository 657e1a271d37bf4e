// tfjs-core's own suite on two threads, over shared memory.
import { expect, it } from 'vitest';
import { backend } from '../../bindings/index.ts';
import { configure } from '../../bindings/tfjs/index.ts';
import { runSuite } from './suite.ts';

it('the suite of tfjs-core passes on two threads', { timeout: 300_000 }, async () => {
  configure({ threads: 2 });
  const { ran, failures, suites } = await runSuite({ backend: 'retrograd' });
  expect(failures).toEqual([]);
  expect(suites).toEqual([]);
  expect(ran).toBe(3848);
  expect(backend().threads).toBe(2);
});
