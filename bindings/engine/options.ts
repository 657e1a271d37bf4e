// What init() takes.
import { ArgumentError } from '../memory/errors.ts';
import { signature } from '../signature.ts';
import type { CompiledModule, Locate, Simd, UrlLike } from './builds.ts';
import { PAGE } from './instance.ts';
import { THREAD_BYTES } from './thread-count.ts';
import { TILES, type Tile } from './tile.ts';

const MAX_BYTES = 65536 * PAGE;
const MIN_BYTES = 32 * PAGE;
/** More threads than this gain nothing that anybody has measured. */
const MAX_THREADS = 64;

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
   * processors for, up to 16, and fewer where a short check finds that they are not faster than one. Pages have threads
   * where they are cross-origin isolated, otherwise one. Workers that do not start within 2 s are done without. It
   * changes the speed, never the bits.
   * @defaultValue 'auto'
   */
  threads?: number | 'auto';
  /**
   * The register tile of matrix products; `'auto'` takes the one that is known to be the fastest, or times them. It
   * changes the speed, never the bits.
   * @defaultValue 'auto'
   */
  tile?: 'auto' | Tile;
  /**
   * Lets V8 join pairs of vectors into 256 bits, an experiment of the engine (Node 24 and later, on x64): about 0.7 s
   * at start, and products up to twice as fast. It is tried in a process of its own first, and every kernel is checked
   * against the plain build, which runs where the engine or a kernel fails.
   * @defaultValue false
   */
  revectorize?: boolean;
  /** The most bytes the arena may use, at most 4 GiB; less where the engine refuses so much. @defaultValue 2 ** 32 */
  maxBytes?: number;
  /**
   * A compiled `WebAssembly.Module` of one of the files of the package, for engines that compile no bytes and for
   * bundlers that import wasm: `import wasm from 'retrograd/wasm/strict.wasm'`. What it is built for (relaxed SIMD,
   * threads) is what runs.
   * @defaultValue none: a file is loaded
   */
  module?: CompiledModule;
  /**
   * Where a wasm file is found, or what is in it, for bundlers that move it: gets the name of a file, and gives a URL,
   * a Response, bytes or a `WebAssembly.Module`, or a promise of one.
   * @defaultValue in build/wasm/ of the package
   */
  locate?: Locate;
  /**
   * The URL of the package's `build/lib/worker.js` on the page's own origin, for pages whose Content-Security-Policy
   * forbids workers made of text (`worker-src blob:`). Outside of pages they always are.
   * @defaultValue none: workers are made of text
   */
  worker?: string | UrlLike;
}

/** What init() was asked for, with the defaults filled in. */
export interface Settings {
  readonly simd: 'auto' | Simd;
  readonly threads: number | 'auto';
  readonly tile: 'auto' | Tile;
  readonly revectorize: boolean;
  readonly maxBytes: number;
  readonly module: CompiledModule | undefined;
  readonly locate: Locate | undefined;
  readonly worker: string | UrlLike | undefined;
}

export const initSignature = signature(
  `init(*, simd: 'auto'|'strict'|'relaxed' = 'auto', threads: int|'auto' = 'auto', tile: 'auto'|${TILES.map((tile) => `'${tile}'`).join('|')} = 'auto', revectorize: bool = false, maxBytes: int = ${MAX_BYTES}, module?: object, locate?: function, worker?: string|object)`,
);

/** What the arguments of init() ask for. @throws ArgumentError */
export function parseOptions(args: readonly unknown[]): Settings {
  const [simd, threads, tile, revectorize, maxBytes, module, locate, worker] = initSignature.parse(args) as [
    ...[Settings['simd'], Settings['threads'], Settings['tile'], boolean, number],
    ...[Settings['module'], Settings['locate'], Settings['worker']],
  ];
  if (threads !== 'auto' && !(threads >= 1 && threads <= MAX_THREADS))
    throw new ArgumentError(`init: expected threads 'auto' or a whole number from 1 to ${MAX_THREADS}, got ${threads}`);
  if (!(maxBytes >= MIN_BYTES && maxBytes <= MAX_BYTES))
    throw new ArgumentError(`init: expected maxBytes from ${MIN_BYTES} to ${MAX_BYTES}, got ${maxBytes}`);
  if (threads !== 'auto' && maxBytes < threads * THREAD_BYTES)
    throw new ArgumentError(
      `init: expected maxBytes from ${threads * THREAD_BYTES} for ${threads} threads, got ${maxBytes}; ask for fewer threads or more memory`,
    );
  return { simd, threads, tile, revectorize, maxBytes, module, locate, worker };
}
