// Finds the best build the engine can run, loads it, and holds the one running instance.
import { instantiate } from '@assemblyscript/loader';
import { Arena } from './arena.ts';
import { type Exports, eagerCommands, type Kernels, type Probes } from './commands.ts';
import { ArgumentError, BackendError } from './errors.ts';

const PAGE = 65536;
const MAX_BYTES = 65536 * PAGE;

/** Options of {@link init}. */
export interface InitOptions {
  /**
   * `'strict'`: the same bits on every engine. `'relaxed'`: fused multiply-add, faster. `'auto'` (default): relaxed where
   * the engine has it.
   */
  simd?: 'auto' | 'strict' | 'relaxed';
  /** Most bytes the arena may use; default and maximum 4 GiB. */
  maxBytes?: number;
  /** Where a wasm file is found, for bundlers that move it; default beside the module. */
  locate?: (file: string) => string | URL;
}

/** What runs and why; see {@link backend}. */
export interface Backend {
  readonly engine: string;
  readonly build: 'strict' | 'relaxed';
  readonly threads: number;
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
  readonly build: 'strict' | 'relaxed';
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
 * Loads the best build for this engine. Call it once, before anything else; a second call with the same options does nothing.
 * @throws BackendError where the engine lacks WebAssembly SIMD, the file cannot be read, or other options are running already
 */
export async function init(options: InitOptions = {}): Promise<void> {
  const { simd = 'auto', maxBytes = MAX_BYTES } = options;
  if (!['auto', 'strict', 'relaxed'].includes(simd))
    throw new ArgumentError(`init: expected simd 'auto', 'strict' or 'relaxed', got '${simd}'`);
  if (!(maxBytes >= 32 * PAGE && maxBytes <= MAX_BYTES))
    throw new ArgumentError(`init: expected maxBytes from ${32 * PAGE} to ${MAX_BYTES}, got ${maxBytes}`);
  const settings = `${simd} ${maxBytes}`;
  if (starting) {
    if (starting.settings !== settings)
      throw new BackendError('init: expected the options of the running backend, got others; call shutdown() first');
    return starting.done;
  }
  const attempt = { settings, done: start(simd, maxBytes, options.locate) };
  starting = attempt;
  attempt.done.catch(() => {
    if (starting === attempt) starting = null; // a failed start may be tried again
  });
  return attempt.done;
}

/** Stops the backend and gives its memory back. All tensors are gone; `init()` starts afresh. */
export function shutdown(): void {
  running?.arena.abandon();
  running = null;
  starting = null;
}

/** What runs and why. @throws BackendError before `await init()` */
export function backend(): Backend {
  const { arena, build, reasons } = runtime();
  const { used, peak, limit, count } = arena;
  return { engine: 'WebAssembly SIMD', build, threads: 1, reasons, memory: { used, peak, limit, blocks: count } };
}

// The smallest module with one function that runs `op` on `operands` zero vectors and drops the result.
function probe(operands: number, ...op: number[]): Uint8Array<ArrayBuffer> {
  const zero = [0xfd, 12, ...new Array<number>(16).fill(0)];
  const body = [0, ...Array.from({ length: operands }, () => zero).flat(), ...op, 0x1a, 0x0b];
  const header = [0, 97, 115, 109, 1, 0, 0, 0, 1, 4, 1, 0x60, 0, 0, 3, 2, 1, 0, 10];
  return Uint8Array.from([...header, body.length + 2, 1, body.length, ...body]);
}
const hasSimd = (): boolean => WebAssembly.validate(probe(2, 0xfd, 0xe4, 0x01)); // f32x4.add
const hasRelaxed = (): boolean => WebAssembly.validate(probe(3, 0xfd, 0x85, 0x02)); // f32x4.relaxed_madd

const isNode = typeof process !== 'undefined' && !!process.versions?.node;

/** Picks strict or relaxed, and says why. */
async function pickBuild(
  simd: 'auto' | 'strict' | 'relaxed',
): Promise<{ build: 'strict' | 'relaxed'; reason: string }> {
  if (typeof WebAssembly === 'undefined' || !hasSimd())
    throw new BackendError(
      'init: expected an engine with WebAssembly SIMD, got one without; use Node 20, Chrome 91, Firefox 89, Safari 16.4 or later',
    );
  if (simd === 'strict') return { build: 'strict', reason: 'strict SIMD: asked for' };
  if (!hasRelaxed() && isNode) {
    // Node 20 has relaxed SIMD behind a flag that takes effect for modules compiled from then on.
    const v8 = await import('node:v8');
    v8.setFlagsFromString('--experimental-wasm-relaxed-simd');
  }
  if (hasRelaxed())
    return {
      build: 'relaxed',
      reason: simd === 'relaxed' ? 'relaxed SIMD: asked for' : 'relaxed SIMD: the engine has it',
    };
  if (simd === 'relaxed')
    throw new BackendError("init: expected an engine with relaxed SIMD, got one without; use simd: 'auto' or 'strict'");
  return { build: 'strict', reason: 'strict SIMD: the engine has no relaxed SIMD' };
}

// Literal URLs, so that bundlers see the files. They are right from bindings/runtime/ and from build/lib/ alike.
const files = {
  strict: () => new URL('../../build/wasm/retrograd.strict.wasm', import.meta.url),
  relaxed: () => new URL('../../build/wasm/retrograd.relaxed.wasm', import.meta.url),
};

async function load(build: 'strict' | 'relaxed', locate?: (file: string) => string | URL): Promise<WebAssembly.Module> {
  // Relative to the page where there is one: bundlers may turn import.meta.url into a path of the machine they ran on.
  const here = import.meta.url;
  const url = locate ? new URL(locate(`retrograd.${build}.wasm`), globalThis.location?.href ?? here) : files[build]();
  try {
    if (url.protocol === 'file:' && isNode) {
      const { readFile } = await import('node:fs/promises');
      return await WebAssembly.compile(await readFile(url));
    }
    const response = await fetch(url);
    if (!response.ok) throw new Error(`HTTP status ${response.status}`);
    return await WebAssembly.compile(await response.arrayBuffer());
  } catch (cause) {
    throw new BackendError(
      `init: expected a wasm module at ${url}, got: ${(cause as Error).message}; serve build/wasm beside build/lib, or pass init({ locate })`,
      { cause },
    );
  }
}

async function start(
  simd: 'auto' | 'strict' | 'relaxed',
  maxBytes: number,
  locate?: (file: string) => string | URL,
): Promise<void> {
  const { build, reason } = await pickBuild(simd);
  const module = await load(build, locate);
  const memory = new WebAssembly.Memory({ initial: 16, maximum: Math.floor(maxBytes / PAGE) });
  // The loader's own exports wrap every function; the raw ones are the fast ones.
  const { instance } = await instantiate(module, { env: { memory } });
  const exports = instance.exports as unknown as Exports;
  exports._initialize?.();
  const arena = new Arena(memory, Number(exports.heap_base?.()) >>> 0, maxBytes);
  const reasons = [reason, 'one thread'];
  running = { arena, ...eagerCommands(exports, arena), build, reasons };
  for (const hook of startHooks) hook(running);
}
