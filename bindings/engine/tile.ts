// The register tile of matrix products. Which is fastest depends on the engine and its mode, and a wrong one spills and
// is several times slower; the bits are the same for all. So a short timing picks it.
import { argumentsOf } from '../kernels/command.ts';
import { type BuildName, type Exports, makeTrial } from './builds.ts';

/** The tiles by the numbers of gemm_set_tile, rows by columns. */
export const TILES: readonly Tile[] = ['4x8', '6x8', '4x16', '6x16'];
/** A register tile: rows by columns that a kernel of matrix products holds in registers. */
export type Tile = '4x8' | '6x8' | '4x16' | '6x16';

/** A product of whole tiles that stays in the second cache: about 30 µs. */
const [M, N, K] = [48, 96, 128] as const;
/** Room for its matrices and the workspace of the kernel. */
const TRIAL_BYTES = 2 << 20;

/** Milliseconds for each tile: until the engine has seen that it is hot, and then in each of the rounds that count. */
const WARM = 0.6;
const SLICE = 0.2;
const ROUNDS = 3;
/** Milliseconds in which engines compile the hot code on another thread. */
const COMPILE = 8;
/** How much faster a tile must be to be preferred to one before it. */
const MARGIN = 1.03;

const picked = new Map<string, Promise<Tile>>();

/**
 * The fastest tile of a build here, by about 5 ms of timing, once in a process.
 * @param mode tells two ways to compile the build apart
 */
export function pickTile(module: WebAssembly.Module, build: BuildName, mode: string): Promise<Tile> {
  const key = `${build} ${mode}`;
  let tile = picked.get(key);
  if (!tile) {
    tile = timeTiles(module, build);
    picked.set(key, tile);
    tile.catch(() => picked.delete(key));
  }
  return tile;
}

/** Makes later products of an instance run in `tile`. Each instance has a choice of its own. */
export function setTile(exports: Exports, tile: Tile): void {
  exports.gemm_set_tile?.(TILES.indexOf(tile));
}

async function timeTiles(module: WebAssembly.Module, build: BuildName): Promise<Tile> {
  const { exports, memory, base } = await makeTrial(module, build, TRIAL_BYTES);
  const gemm = exports.gemm_f32 as (...args: number[]) => number;
  const a = base + Math.ceil(Number(exports.gemm_workspace_bytes?.()) / 64) * 64;
  const b = a + 4 * M * K;
  const c = b + 4 * K * N;
  const list = c + 4 * M * N; // of no batch dims
  new Float32Array(memory.buffer, a, M * K + K * N).fill(1);
  const strides = { aRow: K, aCol: 1, bRow: N, bCol: 1, cRow: N };
  const product = argumentsOf('gemm_f32', { c, a, b, m: M, n: N, k: K, ...strides, act: 0, dims: list }, base);

  /** Products of a tile in a millisecond, over at least `least` milliseconds. */
  const rate = (tile: Tile, least: number): number => {
    setTile(exports, tile);
    const started = performance.now();
    for (let runs = 1; ; runs++) {
      gemm(...product);
      const elapsed = performance.now() - started;
      if (elapsed >= least) return runs / elapsed;
    }
  };

  for (const tile of TILES) rate(tile, WARM);
  await new Promise((done) => setTimeout(done, COMPILE));
  // In turn, so that a disturbance does not hit one tile alone. Where the clock is coarse, a slice ends at a tick and
  // the next starts there.
  const best = new Array<number>(TILES.length).fill(0);
  for (let round = 0; round < ROUNDS; round++)
    TILES.forEach((tile, i) => {
      best[i] = Math.max(best[i] as number, rate(tile, SLICE));
    });
  let choice = 0;
  best.forEach((speed, i) => {
    if (speed > MARGIN * (best[choice] as number)) choice = i;
  });
  return TILES[choice] as Tile;
}
