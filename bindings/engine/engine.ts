// Finds the best build the engine can run, loads it, and holds the one running instance.
import { eagerKernels, eagerProbes } from '../generated/kernel-calls.ts';
import type { Kernels, Probes } from '../kernels/table.ts';
import { Arena } from '../memory/arena.ts';
import { ArgumentError, BackendError, RecordingError } from '../memory/errors.ts';
import {
  type BuildName,
  type Exports,
  engineName,
  instantiateBuild,
  isNode,
  type Locate,
  loadBuild,
  pickSimd,
  type Simd,
} from './builds.ts';
import { Lists } from './lists.ts';
import type { Revectorized } from './revectorize.ts';
import { availableThreads, checkThreads, missingForThreads, ThreadPool } from './thread-pool.ts';
import { pickTile, setTile, TILES, type Tile } from './tile.ts';

const PAGE = 65536;
const MAX_BYTES = 65536 * PAGE;

/** Options of {@link init}. */
export interface InitOptions {
  /**
   * `'strict'`: the same bits on every engine. `'relaxed'`: fused multiply-add, faster. `'auto'`: relaxed where the
   * engine has it.
   * @defaultValue 'auto'
   */
  simd?: 'auto' | Simd;
  /**
   * Threads that share large kernels and compiled programs, this one included; `'auto'`: as many as the engine has
   * processors for, up to 16. Pages have threads where they are cross-origin isolated, otherwise one. It changes the
   * speed, never the bits.
   * @defaultValue 'auto'
   */
  threads?: number | 'auto';
  /**
   * The register tile of matrix products; `'auto'` times them. It changes the speed, never the bits.
   * @defaultValue 'auto'
   */
  tile?: 'auto' | Tile;
  /**
   * Lets V8 join pairs of vectors into 256 bits, an experiment of the engine (Node 24): about 0.5 s at start, and
   * products up to twice as fast. Every kernel is checked against the plain build first, which runs where one differs.
   * @defaultValue false
   */
  revectorize?: boolean;
  /** The most bytes the arena may use, at most 4 GiB. @defaultValue 2 ** 32 */
  maxBytes?: number;
  /** Where a wasm file is found, for bundlers that move it. @defaultValue beside the module, in ../wasm/ */
  locate?: Locate;
}

type Settings = Required<Omit<InitOptions, 'locate'>>;

/** What runs and why; see {@link backend}. */
export interface Backend {
  /** Such as 'V8 11.3 (Node 20.20)'. */
  readonly engine: string;
  /** Which of the builds runs. */
  readonly build: Simd;
  /** Threads that compute, the calling one included. */
  readonly threads: number;
  /** The register tile of matrix products. */
  readonly tile: Tile;
  /** Whether pairs of vectors are joined into 256 bits. */
  readonly revectorized: boolean;
  /** One sentence for each choice that was made. */
  readonly reasons: readonly string[];
  /** How full the arena is. */
  readonly memory: MemoryUsage;
}

/** How full the arena is; see {@link backend}. */
export interface MemoryUsage {
  /** Bytes in living tensors. */
  readonly used: number;
  /** The most bytes that were in living tensors so far. */
  readonly peak: number;
  /** The most bytes that there may be. */
  readonly limit: number;
  /** The number of living blocks; views share one. */
  readonly blocks: number;
}

/** The running instance: its memory and the two ways to its exports. @internal */
export interface Runtime {
  readonly arena: Arena;
  readonly kernels: Kernels;
  readonly probes: Probes;
  readonly exports: Exports;
  readonly lists: Lists;
  readonly threads: ThreadPool;
  readonly build: Simd;
  readonly tile: Tile;
  readonly revectorized: boolean;
  readonly reasons: readonly string[];
}

let running: Runtime | null = null;
let starting: { settings: string; done: Promise<void> } | null = null;
const startHooks: ((runtime: Runtime) => void)[] = [];

/** Calls `hook` each time a runtime starts (for state that lives in the arena, such as the random generator's). */
export function onStart(hook: (runtime: Runtime) => void): void {
  startHooks.push(hook);
}

/** The running instance. @throws BackendError before `await init()` */
export function runtime(): Runtime {
  if (!running) throw new BackendError('retrograd: expected a running backend, got none; call `await init()` first');
  return running;
}

/**
 * Loads the best build for this engine. Call it once, before anything else; a second call with the same options does
 * nothing.
 * @throws BackendError where the engine lacks WebAssembly SIMD, the file cannot be read, or other options are running
 *   already; ArgumentError for an option out of range
 * @example
 * ```ts
 * await init(); // the best there is
 * console.log(backend().reasons); // what it picked, and why
 * ```
 */
export async function init(options: InitOptions = {}): Promise<void> {
  const { simd = 'auto', threads = 'auto', tile = 'auto', revectorize = false, maxBytes = MAX_BYTES } = options;
  if (!['auto', 'strict', 'relaxed'].includes(simd))
    throw new ArgumentError(`init: expected simd 'auto', 'strict' or 'relaxed', got '${simd}'`);
  checkThreads(threads);
  if (tile !== 'auto' && !TILES.includes(tile))
    throw new ArgumentError(`init: expected tile 'auto', '${TILES.join("', '")}', got '${tile}'`);
  if (typeof revectorize !== 'boolean')
    throw new ArgumentError(`init: expected revectorize true or false, got ${revectorize}`);
  if (!(maxBytes >= 32 * PAGE && maxBytes <= MAX_BYTES))
    throw new ArgumentError(`init: expected maxBytes from ${32 * PAGE} to ${MAX_BYTES}, got ${maxBytes}`);
  if (threads !== 'auto' && maxBytes < threads * THREAD_BYTES)
    throw new ArgumentError(
      `init: expected maxBytes from ${threads * THREAD_BYTES} for ${threads} threads, got ${maxBytes}; ask for fewer threads or more memory`,
    );
  const settings = { simd, threads, tile, revectorize, maxBytes };
  const named = Object.values(settings).join(' ');
  if (starting) {
    if (starting.settings !== named)
      throw new BackendError('init: expected the options of the running backend, got others; call shutdown() first');
    return starting.done;
  }
  const attempt = { settings: named, done: start(settings, options.locate) };
  starting = attempt;
  attempt.done.catch(() => {
    if (starting === attempt) starting = null; // a failed start may be tried again
  });
  return attempt.done;
}

/**
 * Stops the backend and gives its memory back. All tensors are gone; `init()` starts afresh.
 * @throws RecordingError inside of a compiled function
 */
export function shutdown(): void {
  if (running?.arena.stand)
    throw new RecordingError('shutdown: expected no end of the backend inside of a compiled function; call it outside');
  running?.threads.stop();
  running?.arena.abandon();
  running = null;
  starting = null;
}

/** What runs and why. @throws BackendError before `await init()` */
export function backend(): Backend {
  const { arena, build, threads, tile, revectorized, reasons } = runtime();
  const { used, peak, limit, count } = arena;
  const memory = { used, peak, limit, blocks: count };
  return { engine: engineName(), build, threads: threads.size, tile, revectorized, reasons, memory };
}

/** The reason for 128-bit vectors where nothing else was asked for. */
const PLAIN = '128-bit vectors: init({ revectorize: true }) was not asked for';

/** What each thread needs to pack in, and more threads than 'auto' starts. */
const THREAD_BYTES = 2 ** 21;
const MOST_BY_ITSELF = 16;

/** How many threads, and why. */
async function pickThreads(threads: number | 'auto', maxBytes: number): Promise<{ threads: number; reason: string }> {
  const one = (reason: string) => ({ threads: 1, reason: `one thread: ${reason}` });
  const missing = missingForThreads();
  if (threads === 1) return one('asked for');
  if (missing) return one(missing);
  if (threads !== 'auto') return { threads, reason: `${threads} threads: asked for` };
  const processors = await availableThreads();
  const room = Math.floor(maxBytes / (8 * THREAD_BYTES));
  const count = Math.min(processors, MOST_BY_ITSELF, room);
  if (processors === 1) return one('the engine has one processor');
  if (count <= 1) return one(`maxBytes ${maxBytes} has no room for more`);
  const limit =
    count === processors
      ? 'as many as processors'
      : count === room
        ? 'as many as maxBytes has room for'
        : 'more have to be asked for';
  return { threads: count, reason: `${count} threads: ${limit}` };
}

/** A page may forbid workers: then it works alone, and says so. */
async function startThreads(threads: ThreadPool, reasons: string[]): Promise<void> {
  try {
    await threads.start();
  } catch (error) {
    reasons.push(`one thread after all: no worker started (${(error as Error).message})`);
  }
}

/**
 * Loads revectorize.ts, a file of its own in the package, so that pages and bundles do not carry what only Node can do.
 */
async function widen(
  bytes: Uint8Array<ArrayBuffer>,
  plain: WebAssembly.Module,
  build: BuildName,
): Promise<Revectorized> {
  const not = (lack: string) => ({ module: null, reason: `128-bit vectors: asked to revectorize, but ${lack}` });
  if (!isNode) return not('only Node has the switch for it');
  const loaded = await import('./revectorize.ts').catch(() => null);
  return loaded?.revectorize(bytes, plain, build) ?? not('revectorize.js of the package is not beside the bundle');
}

async function start(settings: Settings, locate?: Locate): Promise<void> {
  const { simd, reason } = await pickSimd(settings.simd);
  const wanted = await pickThreads(settings.threads, settings.maxBytes);
  const build: BuildName = wanted.threads > 1 ? `${simd}-threads` : simd;
  const { bytes, module: plain } = await loadBuild(build, locate);
  const wide = settings.revectorize ? await widen(bytes, plain, build) : { module: null, reason: PLAIN };
  const module = wide.module ?? plain;
  const revectorized = wide.module !== null;
  const asked = settings.tile !== 'auto';
  const tile = settings.tile === 'auto' ? await pickTile(module, build, wide.module ? 'wide' : 'plain') : settings.tile;
  const maximum = Math.floor(settings.maxBytes / PAGE);
  const memory = new WebAssembly.Memory({ initial: 16, maximum, shared: wanted.threads > 1 });
  const exports = await instantiateBuild(module, memory);
  setTile(exports, tile);
  const arena = new Arena(memory, Number(exports.heap_base?.()) >>> 0, settings.maxBytes);
  const reasons = [
    reason,
    wanted.reason,
    wide.reason,
    `tile ${tile}: ${asked ? 'asked for' : 'the fastest in a short timing'}`,
  ];
  const lists = new Lists(arena, exports);
  const threads = new ThreadPool(arena, exports, lists, module, TILES.indexOf(tile), wanted.threads);
  if (wanted.threads > 1) await startThreads(threads, reasons);
  const kernels = eagerKernels(exports, threads);
  const probes = eagerProbes(exports);
  running = { arena, kernels, probes, exports, lists, threads, build: simd, tile, revectorized, reasons };
  for (const hook of startHooks) hook(running);
}
