// Puts a runtime together: picks the build, finds it, gives it a memory, and starts its threads.
import { commandOf, slicesOf, WORTH_SHARING } from '../kernels/command.ts';
import { encode, Words } from '../kernels/encode.ts';
import { Arena } from '../memory/arena.ts';
import { BackendError, RetrogradError, WorkerError } from '../memory/errors.ts';
import {
  type BuildName,
  givenBuild,
  type Loaded,
  loadBuild,
  pickSimd,
  resolveUrl,
  type Simd,
  type UrlLike,
} from './builds.ts';
import { type Exports, type Granted, instantiateBuild, type LoopKernel, ownMemory, sharedMemory } from './instance.ts';
import { type Linked, linked } from './kernels.ts';
import { Lists } from './lists.ts';
import { type Adopt, loops, type Workshop } from './loops.ts';
import { OneThread, type Threads } from './one-thread.ts';
import type { Settings } from './options.ts';
import { isNode, now } from './platform.ts';
import type { Revectorized } from './revectorize.ts';
import { oneThread, pickThreads, THREAD_BYTES, type Wanted } from './thread-count.ts';
import { pickTile, setTile, TILES, type Tile } from './tile.ts';

/** The running instance: its memory and the two ways to its exports. @internal */
export interface Runtime extends Linked {
  readonly arena: Arena;
  readonly exports: Exports;
  readonly lists: Lists;
  readonly threads: Threads;
  /** Gives loops of programs kernels of their own, where there is what makes them. */
  readonly adopt: Adopt | null;
  readonly build: Simd;
  readonly tile: Tile;
  readonly revectorized: boolean;
  readonly reasons: readonly string[];
}

/** The reason for 128-bit vectors where nothing else was asked for. */
const PLAIN = '128-bit vectors: init({ revectorize: true }) was not asked for';

/** A browser's word on its machine, which only Chromium gives, whose V8 is the only engine that joins vectors. */
interface Agent {
  readonly userAgentData?: {
    getHighEntropyValues(hints: readonly string[]): PromiseLike<{ readonly architecture?: string }>;
  };
}

/**
 * Whether a browser joins vectors by itself: then a tile of 16 columns is the fastest also on x86, whose registers hold
 * none of plain vectors.
 */
async function joinsVectors(tile: Tile): Promise<boolean> {
  if (isNode || !tile.endsWith('16')) return false;
  const agent = (globalThis.navigator as Agent | undefined)?.userAgentData;
  // A page whose policy forbids the question still has its backend.
  const values = await agent?.getHighEntropyValues(['architecture']).then(null, () => null);
  return values?.architecture === 'x86';
}

/**
 * Loads revectorize.ts, a file of its own in the package, so that pages and bundles do not carry what only Node can do.
 */
async function widen({ bytes, module }: Loaded, build: BuildName): Promise<Revectorized> {
  const not = (lack: string) => ({ module: null, reason: `128-bit vectors: asked to revectorize, but ${lack}` });
  if (!isNode) return not('only Node has the switch for it');
  if (!bytes) return not('it compiles bytes, and was given a module');
  const loaded = await import('./revectorize.ts').catch(() => null);
  return loaded?.revectorize(bytes, module, build) ?? not('its revectorize.js did not load');
}

/** Fewer bytes than this are not worth sharing. */
const LEAST_SHARED = 2 ** 26;

/** The build that was given by init({ module }), if it does what was asked for. */
function checkGiven({ module, simd, threads }: Settings): BuildName | null {
  if (module === undefined) return null;
  const build = givenBuild(module);
  if (simd !== 'auto' && !build.startsWith(simd))
    throw new BackendError(`init: expected a module of the ${simd} build, got ${build}; leave simd out`);
  if (threads !== 'auto' && threads > 1 && !build.endsWith('-threads'))
    throw new BackendError(`init: expected a module with threads, got ${build}; give ${build}-threads, or threads: 1`);
  return build;
}

/** A memory, and how many threads it is for: one where the engine has none that can be shared. */
function makeMemory(wanted: Wanted, maxBytes: number, given: BuildName | null): Wanted & { readonly granted: Granted } {
  const shared = given ? given.endsWith('-threads') : wanted.threads > 1;
  if (!shared) return { granted: ownMemory(maxBytes), ...wanted };
  const least = Math.max(LEAST_SHARED, 2 * THREAD_BYTES * wanted.threads);
  const granted = sharedMemory(maxBytes, least);
  if (granted) return { granted, ...wanted };
  const lack = 'the engine has no shared memory to give';
  if (given)
    throw new BackendError(
      `init: expected shared memory for the module ${given}, got none: ${lack}; give another build`,
    );
  return { granted: ownMemory(maxBytes), ...oneThread(lack) };
}

/** What is here to run, and why. */
interface Chosen {
  readonly simd: Simd;
  readonly build: BuildName;
  readonly loaded: Loaded;
  readonly granted: Granted;
  readonly threads: number;
  readonly reasons: string[];
  /** thread-pool.ts, where there shall be more threads than one. */
  readonly pool: Promise<typeof import('./thread-pool.ts') | null> | null;
  /** What makes kernels for loops, where compile() brings it. */
  readonly loading: Promise<((workshop: Workshop) => Adopt) | null> | undefined;
}

/** What is done where a file of the package does not come, such as where a page was moved without it. */
const without = (reasons: string[], file: string, lack: string) => (error: Error) => {
  reasons.push(`${lack}: ${file}.js of the package did not load (${error.message})`);
  return null;
};

async function choose(settings: Settings): Promise<Chosen> {
  const { module, maxBytes, locate } = settings;
  const given = checkGiven(settings);
  const { simd, reason } = given
    ? { simd: given.replace('-threads', '') as Simd, reason: `${given} build: the module that was given` }
    : await pickSimd(settings.simd);
  const wanted = await pickThreads(settings.threads, given, maxBytes);
  const { granted, threads, reason: why } = makeMemory(wanted, maxBytes, given);
  const build: BuildName = given ?? (threads > 1 ? `${simd}-threads` : simd);
  const reasons = [reason, why, ...granted.reasons];
  const pool =
    threads > 1 ? import('./thread-pool.ts').catch(without(reasons, 'thread-pool', 'one thread after all')) : null;
  const loading = loops.load?.().catch(without(reasons, 'loop-kernels', 'chains of elementwise ops run op by op'));
  const loaded = given ? { module: module as WebAssembly.Module, bytes: null } : await loadBuild(build, locate);
  return { simd, build, loaded, granted, threads, reasons, pool, loading };
}

/** What thread-pool.ts has of the library. */
const library = {
  ...{ isNode, worth: WORTH_SHARING, now, commandOf, encode, slicesOf },
  workerError: (message: string) => new WorkerError(message),
};

async function assemble(settings: Settings): Promise<Runtime> {
  const { simd, build, loaded, granted, threads: wanted, reasons, pool, loading } = await choose(settings);
  const wide = settings.revectorize ? await widen(loaded, build) : { module: null, reason: PLAIN };
  const module = wide.module ?? loaded.module;
  const timed = settings.tile === 'auto';
  const { tile, reason } = timed
    ? await pickTile(module, build, wide.module ? 'wide' : 'plain')
    : { tile: settings.tile as Tile, reason: 'asked for' };
  const joined = timed && (await joinsVectors(tile));
  reasons.push(joined ? '256-bit vectors: the browser joins pairs' : wide.reason, `tile ${tile}: ${reason}`);
  const kernels: LoopKernel[] = [];
  const exports = await instantiateBuild(module, granted.memory, kernels);
  setTile(exports, tile);
  const arena = new Arena(granted.memory, Number(exports.heap_base?.()) >>> 0, granted.limit);
  const lists = new Lists(arena, exports);
  const alone = new OneThread(arena, exports, lists);
  const note = (lack: string): void => void reasons.push(lack);
  const parts = { ...library, wordsAt: (address: number) => new Words(arena.views, address) };
  const team = (await pool)?.startPool(parts, alone, {
    ...{ module, wanted, tile: TILES.indexOf(tile), tried: settings.threads === 'auto' },
    worker: settings.worker ? () => String(resolveUrl(settings.worker as UrlLike)) : null,
    note,
  });
  const threads = (await team) ?? alone;
  const revectorized = joined || wide.module !== null;
  const calls = linked(exports, alone, threads);
  const adopt = (await loading)?.({ arena, build, revectorized: wide.module !== null, kernels, note }) ?? null;
  return { ...calls, arena, exports, lists, threads, adopt, build: simd, tile, revectorized, reasons };
}

/** Starts a runtime. @throws BackendError, whatever the engine says */
export async function startRuntime(settings: Settings): Promise<Runtime> {
  try {
    return await assemble(settings);
  } catch (cause) {
    if (cause instanceof RetrogradError) throw cause;
    const message = (cause as Error)?.message ?? String(cause);
    throw new BackendError(`init: expected an engine that starts, got ${message}; try simd: 'strict' and threads: 1`, {
      cause,
    });
  }
}
