// The register tile of matrix products. Which is fastest depends on the registers of the processor and on what the
// engine keeps in them: a wrong one spills and is half as fast. The bits are the same for all.
import { gemmKernels } from '../generated/kernel-calls.ts';
import type { EagerKernel, Export } from '../kernels/eager.ts';
import type { BuildName } from './builds.ts';
import { type Exports, makeTrial } from './instance.ts';
import { isNode, now } from './platform.ts';

/** The tiles by the numbers of gemm_set_tile, rows by columns. */
export const TILES: readonly Tile[] = ['4x8', '6x8', '4x16', '6x16'];
/** A register tile: rows by columns that a kernel of matrix products holds in registers. */
export type Tile = '4x8' | '6x8' | '4x16' | '6x16';

/** A tile, and why. */
export interface Picked {
  readonly tile: Tile;
  readonly reason: string;
}

/** A product of whole tiles that stays in the second cache: about 30 µs. */
const [M, N, K] = [48, 96, 128] as const;
/** Room for its matrices and the workspace of the kernel. */
const TRIAL_BYTES = 2 << 20;

/**
 * Milliseconds of a slice, in which a tile is timed: six ticks of Chrome's clock, which come up to one too early or too
 * late. In two of them the noise was greater than what tells the tiles apart.
 */
const SLICE = 0.6;
/** So many products end a slice that the clock does not end: some milliseconds. */
const MOST_RUNS = 128;
/** A slice that took twice its time was interrupted, and is played anew: so often. */
const TRIES = 3;
/**
 * What an engine makes of hot code is faster than what it starts with by more than this: measured, 2 to 10 times. In
 * what it starts with, tiles are within 1.6 times of the second slowest; the slowest may have been interrupted.
 */
const RISE = 1.8;
/** So many rounds in which no tile rises end the wait for those that did not. */
const QUIET = 6;
/** Rounds of compiled code. */
const COMPILED = 3;
/** How much faster than the usual tile another must be. */
const MARGIN = 1.08;

const picked = new Map<string, Promise<Picked>>();

/**
 * The fastest tile of a build here: known for V8 on x64, else by about 10 ms of timing, once in a process.
 * @param mode tells two ways to compile the build apart
 */
export function pickTile(module: WebAssembly.Module, build: BuildName, mode: 'plain' | 'wide'): Promise<Picked> {
  const tile = likelyTile(build);
  if (mode === 'plain' && isNode && globalThis.process.arch === 'x64' && !globalThis.process.versions.bun)
    return Promise.resolve({ tile, reason: 'what 16 vector registers hold' });
  const key = `${build} ${mode}`;
  let found = picked.get(key);
  if (!found) {
    found = timeTiles(module, build);
    picked.set(key, found);
  }
  return found;
}

/**
 * What fits in the 16 vector registers of x64: 12 accumulators and what is multiplied, or 8 where a product is made
 * before it is added. Measured in V8 11.3 to 14.6, the others are at most 0.9 and mostly 0.6 times as fast.
 */
const likelyTile = (build: BuildName): Tile => (build.startsWith('strict') ? '4x8' : '6x8');

/** Makes later products of an instance run in `tile`. Each instance has a choice of its own. */
export function setTile(exports: Exports, tile: Tile): void {
  exports.gemm_set_tile?.(TILES.indexOf(tile));
}

/** Times the tiles. Where that cannot be done, the likely one. */
export async function timeTiles(module: WebAssembly.Module, build: BuildName): Promise<Picked> {
  try {
    return { tile: await fastestTile(module, build), reason: 'the fastest in a short timing' };
  } catch (error) {
    return { tile: likelyTile(build), reason: `the usual one: no trial (${(error as Error).message})` };
  }
}

async function fastestTile(module: WebAssembly.Module, build: BuildName): Promise<Tile> {
  const { exports, memory, base } = await makeTrial(module, build, TRIAL_BYTES);
  const a = base + Math.ceil(Number(exports.gemm_workspace_bytes?.()) / 64) * 64;
  const b = a + 4 * M * K;
  const c = b + 4 * K * N;
  const list = c + 4 * M * N; // of no batch dims
  const [gemm] = gemmKernels as readonly [EagerKernel];
  const product = gemm.make(exports.gemm_f32 as Export, { workspace: base, list: () => list });
  const place = (ptr: number) => ({ block: { ptr, version: 0 }, byteOffset: 0 });
  const operands = { c: place(c), a: place(a), b: place(b), bias: null, m: M, n: N, k: K, act: 0 };
  new Float32Array(memory.buffer, a, M * K + K * N).fill(1);
  const call = { ...operands, aRow: K, aCol: 1, bRow: N, bCol: 1, cRow: N };

  /** Products of a tile in a millisecond. */
  const rate = (tile: Tile): number => {
    setTile(exports, tile);
    for (let tries = 1; ; tries++) {
      const started = now();
      let [runs, elapsed] = [0, 0];
      while (elapsed < SLICE) {
        if (runs++ === MOST_RUNS) throw new Error('a coarse clock');
        product(call);
        elapsed = now() - started;
      }
      if (elapsed < 2 * SLICE || tries === TRIES) return runs / elapsed;
    }
  };

  // Code as the engine starts with. It sees that it is hot, and compiles it on another thread, which on a busy machine
  // takes long: a tile is known only when it has got faster. Where all is compiled from the start, none does.
  const best = TILES.map((tile) => {
    setTile(exports, tile);
    product(call);
    return rate(tile);
  });
  const goal = RISE * ([...best].sort((a, b) => a - b)[1] as number);
  for (let quiet = 0, compiled = 0; compiled < COMPILED && quiet < QUIET; ) {
    if (compiled === 0) await new Promise((done) => setTimeout(done, 1));
    quiet++;
    // In turn, so that a disturbance does not hit one tile alone. Where the clock is coarse, a slice ends at a tick and
    // the next starts there.
    TILES.forEach((tile, i) => {
      const former = best[i] as number;
      best[i] = Math.max(former, rate(tile));
      if (best[i] > RISE * former) quiet = 0;
    });
    if (best.every((speed) => speed > goal)) compiled++;
  }
  const usual = TILES.indexOf(likelyTile(build));
  const fastest = Math.max(...best);
  return TILES[fastest > MARGIN * (best[usual] as number) ? best.indexOf(fastest) : usual] as Tile;
}
