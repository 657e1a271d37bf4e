// Where no kernels can be made while it runs, chains of elementwise ops run op by op, with the same bits, and backend()
// says why.
import { afterEach, expect, it, vi } from 'vitest';
import { loops } from '../../bindings/engine/loops.ts';
import { backend, compile, init, randn, scope, shutdown, type Tensor } from '../../bindings/index.ts';

const chain = (x: Tensor): Tensor => x.mul(2).add(1).relu().mul(x).abs();

function expectChain(): void {
  scope(() => {
    const x = randn([10_001]);
    const fused = compile(chain);
    const expected = chain(x).data;
    for (let run = 0; run < 4; run++) expect(fused(x).data).toEqual(expected);
  });
}

afterEach(() => {
  shutdown();
  vi.restoreAllMocks();
});

it('a page that was moved without loop-kernels.js', async () => {
  const { load } = loops;
  loops.load = () => Promise.reject(new Error('404'));
  await init({ threads: 1, simd: 'strict' });
  loops.load = load;
  expectChain();
  expect(backend().reasons).toContain(
    'chains of elementwise ops run op by op: loop-kernels.js of the package did not load (404)',
  );
});

it('a policy that forbids WebAssembly to be compiled', async () => {
  await init({ threads: 1, simd: 'strict' });
  vi.spyOn(WebAssembly, 'Module').mockImplementation(function refuse(): never {
    throw new Error('refused by the policy');
  } as never);
  expectChain();
  expect(backend().reasons.at(-1)).toBe('chains of elementwise ops run op by op: refused by the policy');
});
