// The one running instance: init() starts it, shutdown() ends it, backend() says what it is.
import { BackendError, RecordingError } from '../memory/errors.ts';
import { callable } from '../signature.ts';
import type { Simd } from './builds.ts';
import { type InitOptions, initSignature, parseOptions, type Settings } from './options.ts';
import { engineName } from './platform.ts';
import { type Runtime, startRuntime } from './start.ts';
import type { Tile } from './tile.ts';

export type { Runtime };

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
  /** One sentence for each choice that was made, and for each wish that could not be met. */
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

/** A start, and what the calls of init() that wait for it were given. */
interface Attempt {
  readonly settings: Settings;
  done: Promise<void>;
  readonly calls: Promise<void>[];
}

let running: Runtime | null = null;
let starting: Attempt | null = null;
const startHooks: ((runtime: Runtime) => void)[] = [];

/** Calls `hook` each time a runtime starts (for state that lives in the arena, such as the random generator's). */
export function onStart(hook: (runtime: Runtime) => void): void {
  startHooks.push(hook);
}

/** Whether there is a running instance. */
export const isRunning = (): boolean => running !== null;

/** The running instance. @throws BackendError before `await init()` */
export function runtime(): Runtime {
  if (!running) throw new BackendError('retrograd: expected a running backend, got none; call `await init()` first');
  return running;
}

/**
 * Loads the best build for this engine. Call it once, before anything else; a second call with the same options does
 * nothing. In Node, workers that were not asked for by number start with the first call that is worth their time.
 * @throws BackendError where the engine lacks WebAssembly SIMD or memory, the file cannot be read, or other options are
 *   running already; ArgumentError for an option that there is not, or out of range
 * @example
 * ```ts
 * await init(); // the best there is
 * console.log(backend().reasons); // what it picked, and why
 * ```
 */
export function init(options?: InitOptions): Promise<void>;
export function init(...args: unknown[]): Promise<void> {
  const call = request(args);
  if (!running) starting?.calls.push(call);
  return call;
}

async function request(args: readonly unknown[]): Promise<void> {
  const settings = parseOptions(args);
  if (starting) {
    const { settings: others, done } = starting;
    // Functions are made anew at each call of init(): locate may be another.
    const keys = (Object.keys(settings) as (keyof Settings)[]).filter((key) => key !== 'locate');
    const same = keys.every((key) => settings[key] === others[key]);
    if (same) return done;
    throw new BackendError('init: expected the options of the running backend, got others; call shutdown() first');
  }
  const attempt: Attempt = { settings, done: Promise.resolve(), calls: [] };
  starting = attempt;
  attempt.done = begin(attempt);
  return attempt.done;
}

initSignature.fn = init;

async function begin(attempt: Attempt): Promise<void> {
  try {
    const started = await startRuntime(attempt.settings);
    if (starting !== attempt) {
      stop(started);
      throw new BackendError('init: expected time to start, got a shutdown() before it had; call init() again');
    }
    running = started;
    for (const hook of startHooks) hook(running);
  } catch (error) {
    if (starting === attempt) end(); // a failed start may be tried again
    throw error;
  }
}

function stop({ threads, arena, unlink }: Runtime): void {
  unlink();
  threads.stop();
  arena.abandon();
}

/**
 * Stops the backend and gives its memory back. All tensors are gone; `init()` starts afresh.
 * @throws RecordingError inside of a compiled function
 */
export const shutdown: () => void = callable('shutdown()', () => {
  if (running?.arena.stand)
    throw new RecordingError(
      'shutdown: expected no end of the backend inside of a compiled function, got one; call it outside',
    );
  end();
});

/**
 * Waits until all that was called is computed. Only a stopwatch needs it: with several threads a large op may still run
 * when its call has returned, by some milliseconds, and whatever reads a result waits by itself.
 * @throws BackendError before `await init()`, WorkerError where a thread is gone
 * @example
 * ```ts
 * const x = rand(512, 512);
 * const started = performance.now();
 * const y = x.matmul(x);
 * synchronize();
 * console.log(y.shape, performance.now() > started); // [ 512, 512 ] true
 * ```
 */
export const synchronize: () => void = callable('synchronize()', () => {
  runtime().arena.underWay?.wait();
});

/** Ends what runs or starts. */
function end(): void {
  if (running) stop(running);
  // What it ends before it has started nobody has to await.
  else for (const call of starting?.calls ?? []) call.catch(() => {});
  running = null;
  starting = null;
}

/** What runs and why. @throws BackendError before `await init()` */
export const backend: () => Backend = callable('backend()', () => {
  const { arena, build, threads, tile, revectorized, reasons } = runtime();
  threads.settle();
  const { used, peak, limit, count } = arena;
  const memory = { used, peak, limit, blocks: count };
  return { engine: engineName(), build, threads: threads.size, tile, revectorized, reasons: [...reasons], memory };
});
