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

/** Milliseconds for each tile: until the engine has seen that it is hot, and then in each of the rounds that count. */
const WARM = 0.6;
const SLICE = 0.2;
const ROUNDS = 3;
/** So many products end a slice that the clock does not end: some milliseconds. */
const MOST_RUNS = 128;
/** Milliseconds in which engines compile the hot code on another thread. */
const COMPILE = 8;
/** How much faster a tile must be to be preferred to one before it. */
const MARGIN = 1.03;

const picked = new Map<string, Promise<Picked>>();

/**
 * The fastest tile of a build here: known for V8 on x64, else by about 5 ms of timing, once in a process.
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
  const untimed = (lack: string): Picked => ({ tile: likelyTile(build), reason: `the usual one: ${lack}` });
  try {
    const tile = await fastestTile(module, build);
    return tile ? { tile, reason: 'the fastest in a short timing' } : untimed('the clock is too coarse to time them');
  } catch (error) {
    return untimed(`no trial (${(error as Error).message})`);
  }
}

async function fastestTile(module: WebAssembly.Module, build: BuildName): Promise<Tile | null> {
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

  /** Products of a tile in a millisecond, over at least `least` milliseconds; 0 where the clock stands still. */
  const rate = (tile: Tile, least: number): number => {
    setTile(exports, tile);
    const started = now();
    for (let runs = 1; runs <= MOST_RUNS; runs++) {
      product(call);
      const elapsed = now() - started;
      if (elapsed >= least) return runs / elapsed;
    }
    return 0;
  };

  for (const tile of TILES) if (rate(tile, WARM) === 0) return null;
  await new Promise((done) => setTimeout(done, COMPILE));
  // In turn, so that a disturbance does not hit one tile alone. Where the clock is coarse, a slice ends at a tick and
  // the next starts there.
  const best = new Array<number>(TILES.length).fill(0);
  for (let round = 0; round < ROUNDS; round++)
    for (const [i, tile] of TILES.entries()) {
      const speed = rate(tile, SLICE);
      if (speed === 0) return null;
      best[i] = Math.max(best[i] as number, speed);
    }
  let choice = 0;
  best.forEach((speed, i) => {
    if (speed > MARGIN * (best[choice] as number)) choice = i;
  });
  return TILES[choice] as Tile;
}
