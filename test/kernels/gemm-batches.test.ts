// Batches of products, in one call.
import { describe, expect, it } from 'vitest';
import { table } from '../../bindings/kernels/table.ts';
import '../../bindings/kernels/trials.ts';
import { random } from '../../reference/random.ts';
import { bits, builds, KernelBench } from '../support/kernels.ts';
import { RELU } from '../support/products.ts';

it('batches of trials write elements of their own', () => {
  const { operands, trials } = table.gemm_f32;
  const lists = (operands.dims as unknown as { trials: readonly (readonly number[])[] }).trials;
  const written = (trials as readonly Readonly<Record<'m' | 'n' | 'cRow', number>>[]).map(
    ({ m, n, cRow }) => (m - 1) * cRow + n,
  );
  for (const [rank = 0, count, , , step = 0] of lists)
    if (rank > 0 && (count as number) > 1) expect(step).toBeGreaterThanOrEqual(Math.max(...written));
});

describe.each(builds)('batches of gemm, %s', (build) => {
  const bench = new KernelBench(build);
  const next = random(99);

  /** Runs all batches, `sizes` with strides in matrices, against one call a batch. */
  function batches(m: number, n: number, k: number, sizes: number[], a: number[], b: number[], c: number[]): void {
    const count = (of: number[]): number => 1 + sizes.reduce((sum, size, d) => sum + (size - 1) * (of[d] as number), 0);
    const total = sizes.reduce((product, size) => product * size, 1);
    const values = (length: number): Float32Array => Float32Array.from({ length }, () => next() * 2 - 1);
    const [da, db, dc, bias] = [
      values(count(a) * m * k),
      values(count(b) * k * n),
      values(count(c) * m * n),
      values(n),
    ];
    bench.reset();
    const [pa, pb, pc, pBias] = [bench.f32(da), bench.f32(db), bench.f32(dc), bench.f32(bias)];
    const workspace = bench.f32((bench.run('gemm_workspace_bytes') as number) / 4);
    const dims = bench.i32([
      sizes.length,
      ...sizes,
      ...a.map((s) => s * m * k),
      ...b.map((s) => s * k * n),
      ...c.map((s) => s * m * n),
    ]);
    const call = (to: number, x: number, y: number, d: number): unknown =>
      bench.run('gemm_f32', to, x, y, pBias, m, n, k, k, 1, n, 1, n, RELU, 0, workspace, d);
    call(pc, pa, pb, dims);
    const got = bench.readF32(pc, dc.length);
    new Float32Array(bench.memory.buffer, pc, dc.length).set(dc);
    for (let batch = 0; batch < total; batch++) {
      let rest = batch;
      const at = [0, 0, 0];
      for (let d = sizes.length - 1; d >= 0; d--) {
        const i = rest % (sizes[d] as number);
        rest = Math.floor(rest / (sizes[d] as number));
        [a, b, c].forEach((of, x) => {
          at[x] = (at[x] as number) + i * (of[d] as number);
        });
      }
      const [xa, xb, xc] = at as [number, number, number];
      call(pc + 4 * xc * m * n, pa + 4 * xa * m * k, pb + 4 * xb * k * n, 0);
    }
    expect(bits(got)).toEqual(bits(bench.readF32(pc, dc.length)));
  }

  it('runs all batches of up to six dimensions, broadcasting strides of 0', () => {
    for (const tile of [0, 1]) {
      bench.run('gemm_set_tile', tile);
      batches(5, 9, 7, [], [], [], []);
      batches(5, 9, 7, [4], [1], [1], [1]);
      batches(3, 8, 2, [3, 4], [4, 1], [0, 1], [4, 1]);
      batches(3, 8, 2, [3, 4], [0, 0], [1, 3], [4, 1]);
      batches(4, 4, 4, [2, 3, 2], [1, 2, 6], [0, 0, 0], [6, 2, 1]);
      batches(2, 3, 5, [2, 1, 2, 3, 1, 2], [12, 0, 6, 2, 0, 1], [0, 0, 1, 2, 0, 0], [12, 12, 6, 2, 2, 1]);
      batches(5, 9, 7, [3, 0], [0, 1], [1, 1], [0, 1]);
    }
  });
});
