// The GEMM kernel by itself, without the library around it: in the tile that is fastest here, or in each of them.

import type { GemmProblem, Run, Side } from '../problems.ts';
import type { RawKernels } from './raw-kernels.ts';

/** Names of the kernel's register tiles; the numbers are what gemm_set_tile takes. */
const TILES = ['4×8', '6×8', '4×16', '6×16'];
const nameOf = (tile: number): string => TILES[tile] ?? `tile ${tile}`;

function prepare(raw: RawKernels, workspace: number, tile: number, { layout, m, n, k, ...problem }: GemmProblem): Run {
  const gemm = raw.kernel('gemm_f32');
  const dispose = raw.mark();
  const [c, a, b] = [raw.f32(m * n), raw.f32(problem.a), raw.f32(problem.b)];
  const [aRow, aColumn] = layout === 'TN' ? [1, m] : [k, 1];
  const [bRow, bColumn] = layout === 'NT' ? [1, k] : [n, 1];
  const run = (): void => {
    gemm(c, a, b, 0, m, n, k, aRow, aColumn, bRow, bColumn, n, 0, 0, workspace, 0);
  };
  return {
    enter: () => {
      raw.kernel('gemm_set_tile')(tile);
    },
    answer: () => {
      run();
      return raw.view(c, m * n).slice();
    },
    run,
    dispose,
  };
}

/**
 * The kernel in the fastest tile: what the library adds to it shows in the difference.
 * @param each one side a tile instead
 */
export function gemmKernels(raw: RawKernels, each: boolean): Side[] {
  const workspace = raw.allocate(raw.kernel('gemm_workspace_bytes')());
  const side = (name: string, tile: number): Side => ({
    name,
    version: `gemm_f32, ${raw.build} SIMD, tile ${nameOf(tile)}`,
    prepare: (problem) => (problem.kind === 'gemm' ? prepare(raw, workspace, tile, problem) : null),
  });
  const count = raw.kernel('gemm_tile_count')();
  if (each) return Array.from({ length: count }, (_, tile) => side(`kernel ${nameOf(tile)}`, tile));
  return [side('kernel', fastestTile(raw, workspace, count))];
}

/** Tries each tile on a middling product, in turn. */
function fastestTile(raw: RawKernels, workspace: number, count: number): number {
  const n = 192;
  const gemm = raw.kernel('gemm_f32');
  const release = raw.mark();
  const [c, a, b] = [raw.f32(n * n), raw.f32(n * n), raw.f32(n * n)];
  const best = new Array<number>(count).fill(Number.POSITIVE_INFINITY);
  for (let round = 0; round < 20; round++)
    for (let tile = 0; tile < count; tile++) {
      raw.kernel('gemm_set_tile')(tile);
      const started = performance.now();
      gemm(c, a, b, 0, n, n, n, n, 1, n, 1, n, 0, 0, workspace, 0);
      best[tile] = Math.min(best[tile] as number, performance.now() - started);
    }
  release();
  return best.indexOf(Math.min(...best));
}
