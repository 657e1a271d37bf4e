// A page that was moved without thread-pool.js has one thread, and says so.
import { expect, it, vi } from 'vitest';
import { backend, init, ones, shutdown } from '../../bindings/index.ts';

vi.mock('../../bindings/engine/thread-pool.ts', () => {
  throw new Error('404');
});

it.each([2, 'auto'] as const)('threads %s', async (threads) => {
  await init({ threads, simd: 'strict' });
  expect(backend().threads).toBe(1);
  if (threads === 2)
    expect(backend().reasons.join('\n')).toContain('one thread after all: thread-pool.js of the package did not load');
  expect(
    ones([200, 200])
      .matmul(ones([200, 200]))
      .sum()
      .item(),
  ).toBe(200 ** 3);
  shutdown();
});
