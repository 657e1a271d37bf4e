// Finds the best build the engine can run, loads it, and holds the one running instance.
import { Arena } from './arena.ts';
import { type BuildName, engineName, instantiateBuild, type Locate, loadBuild, pickSimd, type Simd } from './builds.ts';
import { type Exports, eagerCommands, type Kernels, type Probes } from './commands.ts';
import { ArgumentError, BackendError } from './errors.ts';
import type { Recorder } from './recorder.ts';
import { revectorize } from './revectorize.ts';
import { availableThreads, checkThreads, missingForThreads, Team } from './threads.ts';
import { pickTile, setTile, TILES, type Tile } from './tile.ts';

const PAGE = 65536;
const MAX_BYTES = 65536 * PAGE;

/** Options of {@link init}. */
export interface InitOptions {
  /**
   * `'strict'`: the same bits on every engine. `'relaxed'`: fused multiply-add, faster. `'auto'` (default): relaxed where
   * the engine has it.
   */
  simd?: 'auto' | Simd;
  /**
   * Threads that share large kernels and compiled programs, this one included; `'auto'` (default): as many as the engine has
   * processors for, up to 16. Pages have threads where they are cross-origin isolated, otherwise one. It changes the speed, never the bits.
   */
  threads?: number | 'auto';
  /** The register tile of matrix products; `'auto'` (default) times them. It changes the speed, never the bits. */
  tile?: 'auto' | Tile;
  /**
   * Lets V8 join pairs of vectors into 256 bits, an experiment of the engine (Node 24): about 0.5 s at start, and products
   * up to twice as fast. Every kernel is checked against the plain build first, which runs where one differs. Default false.
   */
  revectorize?: boolean;
  /** Most bytes the arena may use; default and maximum 4 GiB. */
  maxBytes?: number;
  /** Where a wasm file is found, for bundlers that move it; default beside the module. */
  locate?: Locate;
}

type Settings = Required<Omit<InitOptions, 'locate'>>;

/** What runs and why; see {@link backend}. */
export interface Backend {
  /** Such as 'V8 11.3 (Node 20.20)'. */
  readonly engine: string;
  readonly build: Simd;
  readonly threads: number;
  /** The register tile of matrix products. */
  readonly tile: Tile;
  /** Whether pairs of vectors are joined into 256 bits. */
  readonly revectorized: boolean;
  /** One sentence per choice that was made. */
  readonly reasons: readonly string[];
  /** Bytes in living tensors, their highest so far, and the most there may be; and the number of living blocks. */
  readonly memory: { readonly used: number; readonly peak: number; readonly limit: number; readonly blocks: number };
}

/** The running instance: its memory and the two ways to its exports. */
export interface Runtime {
  readonly arena: Arena;
  readonly kernels: Kernels;
  readonly probes: Probes;
  readonly exports: Exports;
  readonly team: Team;
  /** While compile() records: what `kernels` and `probes` append to. */
  readonly recorder: Recorder | null;
  /** The instance that computes, while compile() records. */
  readonly eager: Runtime | null;
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

/** The recorder, while compile() records. */
export function recording(): Recorder | null {
  return running?.recorder ?? null;
}

/** Calls `fn` with `change` made to the running instance. */
function changed<T>(change: Partial<Runtime>, fn: () => T): T {
  const before = runtime();
  const { arena, recorder } = before;
  running = { ...before, ...change };
  arena.stand = running.recorder;
  try {
    return fn();
  } finally {
    running = before;
    arena.stand = recorder;
  }
}

/** Calls `fn` so that all it does goes to `recorder`, and nothing is computed. */
export function record<T>(recorder: Recorder, fn: () => T): T {
  return changed({ recorder, kernels: recorder.kernels, probes: recorder.probes, eager: runtime() }, fn);
}

/** Calls `fn` at once also while compile() records, without being a part of the program. */
export function aside<T>(fn: () => T): T {
  const { recorder, eager } = runtime();
  return recorder ? changed(eager as Runtime, fn) : fn();
}

/**
 * Loads the best build for this engine. Call it once, before anything else; a second call with the same options does nothing.
 * @throws BackendError where the engine lacks WebAssembly SIMD, the file cannot be read, or other options are running already
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

/** Stops the backend and gives its memory back. All tensors are gone; `init()` starts afresh. */
export function shutdown(): void {
  running?.team.stop();
  running?.arena.abandon();
  running = null;
  starting = null;
}

/** What runs and why. @throws BackendError before `await init()` */
export function backend(): Backend {
  const { arena, build, team, tile, revectorized, reasons } = runtime();
  const { used, peak, limit, count } = arena;
  const memory = { used, peak, limit, blocks: count };
  return { engine: engineName(), build, threads: team.size, tile, revectorized, reasons, memory };
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
async function startTeam(team: Team, reasons: string[]): Promise<void> {
  try {
    await team.start();
  } catch (error) {
    reasons.push(`one thread after all: no worker started (${(error as Error).message})`);
  }
}

async function start(settings: Settings, locate?: Locate): Promise<void> {
  const { simd, reason } = await pickSimd(settings.simd);
  const crew = await pickThreads(settings.threads, settings.maxBytes);
  const build: BuildName = crew.threads > 1 ? `${simd}-threads` : simd;
  const { bytes, module: plain } = await loadBuild(build, locate);
  const wide = settings.revectorize ? await revectorize(bytes, plain, build) : { module: null, reason: PLAIN };
  const module = wide.module ?? plain;
  const revectorized = wide.module !== null;
  const asked = settings.tile !== 'auto';
  const tile = settings.tile === 'auto' ? await pickTile(module, build, wide.module ? 'wide' : 'plain') : settings.tile;
  const maximum = Math.floor(settings.maxBytes / PAGE);
  const memory = new WebAssembly.Memory({ initial: 16, maximum, shared: crew.threads > 1 });
  const exports = await instantiateBuild(module, memory);
  setTile(exports, tile);
  const arena = new Arena(memory, Number(exports.heap_base?.()) >>> 0, settings.maxBytes);
  const reasons = [
    reason,
    crew.reason,
    wide.reason,
    `tile ${tile}: ${asked ? 'asked for' : 'the fastest in a short timing'}`,
  ];
  const team = new Team(arena, exports, module, TILES.indexOf(tile), crew.threads);
  const { kernels, probes } = eagerCommands(exports, arena, team.workspace);
  if (crew.threads > 1) await startTeam(team, reasons);
  const shared = crew.threads > 1 ? team.share(kernels) : kernels;
  const common = { arena, exports, team, recorder: null, eager: null, build: simd, tile, revectorized, reasons };
  running = { ...common, kernels: shared, probes };
  for (const hook of startHooks) hook(running);
}
