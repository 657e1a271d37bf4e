// The four wasm files: which of them the engine can run, where they are, and an instance of one.
import { instantiate } from '@assemblyscript/loader';
import { BackendError } from '../memory/errors.ts';

/** What a wasm module exports: functions of numbers. */
export type Exports = Readonly<Record<string, (...args: number[]) => number>>;

/** The instructions of a build: the same bits on every engine, or fused multiply-add. */
export type Simd = 'strict' | 'relaxed';
/** A file of build/wasm. Those with threads import a shared memory. */
export type BuildName = Simd | `${Simd}-threads`;
/** A URL: an object of the engine's class URL, or one alike. */
export interface UrlLike {
  /** The URL as text. */
  readonly href: string;
}

/** Where a wasm file of the package is, by its name. Text is relative to the page, and without a page to the module. */
export type Locate = (file: string) => string | UrlLike;

const PAGE = 65536;

// Some bundlers put a module for browsers in the place of a bare `process`, and have to install it.
export const isNode = !!globalThis.process?.versions?.node;

// The smallest module with one function that runs `op` on `operands` zero vectors and drops the result.
function probe(operands: number, ...op: number[]): Uint8Array<ArrayBuffer> {
  const zero = [0xfd, 12, ...new Array<number>(16).fill(0)];
  const body = [0, ...Array.from({ length: operands }, () => zero).flat(), ...op, 0x1a, 0x0b];
  const header = [0, 97, 115, 109, 1, 0, 0, 0, 1, 4, 1, 0x60, 0, 0, 3, 2, 1, 0, 10];
  return Uint8Array.from([...header, body.length + 2, 1, body.length, ...body]);
}
const hasSimd = (): boolean => WebAssembly.validate(probe(2, 0xfd, 0xe4, 0x01)); // f32x4.add
const hasRelaxed = (): boolean => WebAssembly.validate(probe(3, 0xfd, 0x85, 0x02)); // f32x4.relaxed_madd

/** Picks strict or relaxed, and says why. */
export async function pickSimd(simd: 'auto' | Simd): Promise<{ simd: Simd; reason: string }> {
  if (typeof WebAssembly === 'undefined' || !hasSimd())
    throw new BackendError(
      'init: expected an engine with WebAssembly SIMD, got one without; use Node 20, Chrome 91, Firefox 89, Safari 16.4 or later',
    );
  if (simd === 'strict') return { simd, reason: 'strict SIMD: asked for' };
  if (!hasRelaxed() && isNode) {
    // Node 20 has relaxed SIMD behind a flag that takes effect for modules compiled from then on.
    const v8 = await import('node:v8');
    v8.setFlagsFromString('--experimental-wasm-relaxed-simd');
  }
  if (hasRelaxed())
    return {
      simd: 'relaxed',
      reason: simd === 'relaxed' ? 'relaxed SIMD: asked for' : 'relaxed SIMD: the engine has it',
    };
  if (simd === 'relaxed')
    throw new BackendError("init: expected an engine with relaxed SIMD, got one without; use simd: 'auto' or 'strict'");
  return { simd: 'strict', reason: 'strict SIMD: the engine has no relaxed SIMD' };
}

// Literal URLs, so that bundlers see the files. They are right from bindings/engine/ and from build/lib/ alike.
const files: Record<BuildName, () => URL> = {
  strict: () => new URL('../../build/wasm/retrograd.strict.wasm', import.meta.url),
  relaxed: () => new URL('../../build/wasm/retrograd.relaxed.wasm', import.meta.url),
  'strict-threads': () => new URL('../../build/wasm/retrograd.strict-threads.wasm', import.meta.url),
  'relaxed-threads': () => new URL('../../build/wasm/retrograd.relaxed-threads.wasm', import.meta.url),
};

/** The bytes of a file and their plain compilation. @throws BackendError where there is no such file */
export async function loadBuild(
  build: BuildName,
  locate?: Locate,
): Promise<{ bytes: Uint8Array<ArrayBuffer>; module: WebAssembly.Module }> {
  // Relative to the page where there is one: bundlers may turn import.meta.url into a path of the machine they ran on.
  const here = import.meta.url;
  const located = locate?.(`retrograd.${build}.wasm`);
  const url =
    located === undefined
      ? files[build]()
      : new URL(typeof located === 'string' ? located : located.href, globalThis.location?.href ?? here);
  try {
    const bytes = await read(url);
    return { bytes, module: await WebAssembly.compile(bytes) };
  } catch (cause) {
    throw new BackendError(
      `init: expected a wasm module at ${url}, got: ${(cause as Error).message}; serve build/wasm beside build/lib, or pass init({ locate })`,
      { cause },
    );
  }
}

async function read(url: URL): Promise<Uint8Array<ArrayBuffer>> {
  if (url.protocol === 'file:' && isNode) {
    const { readFile } = await import('node:fs/promises');
    return new Uint8Array(await readFile(url));
  }
  const response = await fetch(url);
  if (!response.ok) throw new Error(`HTTP status ${response.status}`);
  return new Uint8Array(await response.arrayBuffer());
}

/** Exports of a module over `memory`. */
export async function instantiateBuild(module: WebAssembly.Module, memory: WebAssembly.Memory): Promise<Exports> {
  // The loader's own exports wrap every function; the raw ones are the fast ones.
  const { instance } = await instantiate(module, {
    env: { memory, now: () => performance.now() } as Record<string, unknown>,
  });
  const exports = instance.exports as unknown as Exports;
  exports._initialize?.();
  return exports;
}

/** An instance apart from the running one, with a memory of its own to try kernels in. */
export interface Trial {
  readonly exports: Exports;
  readonly memory: WebAssembly.Memory;
  /** First address behind the module's own data, a multiple of 64. */
  readonly base: number;
}

/** @param bytes room behind `base` */
export async function makeTrial(module: WebAssembly.Module, build: BuildName, bytes: number): Promise<Trial> {
  // A page holds the module's own data.
  const initial = 1 + Math.ceil(bytes / PAGE);
  const memory = new WebAssembly.Memory({
    initial: Math.max(initial, 16),
    maximum: 65536,
    shared: build.endsWith('-threads'),
  });
  const exports = await instantiateBuild(module, memory);
  const base = (Number(exports.heap_base?.()) + 63) & -64;
  const missing = base + bytes - memory.buffer.byteLength;
  if (missing > 0) memory.grow(Math.ceil(missing / PAGE));
  return { exports, memory, base };
}

type Versions = Readonly<Record<string, string | undefined>>;

/** The engine and what it is part of: 'V8 11.3 (Node 20.20)', 'SpiderMonkey (Firefox 128)'. */
export function engineName(versions: Versions = isNode ? globalThis.process.versions : {}): string {
  const short = (version: string | undefined): string => (version ?? '').split('.').slice(0, 2).join('.');
  const { v8, node, bun, deno } = versions;
  if (bun) return `JavaScriptCore (Bun ${short(bun)})`;
  if (node) return `V8 ${short(v8)} (${deno ? `Deno ${short(deno)}` : `Node ${short(node)}`})`;
  const agent = globalThis.navigator?.userAgent ?? '';
  // Chrome's agent names Safari as well, and Edge's names Chrome.
  const known: readonly (readonly [engine: string, product: string, pattern: RegExp])[] = [
    ['SpiderMonkey', 'Firefox', /Firefox\/(\d+)/],
    ['V8', 'Edge', /Edg\/(\d+)/],
    ['V8', 'Chrome', /Chrome\/(\d+)/],
    ['JavaScriptCore', 'Safari', /Version\/(\d+(?:\.\d+)?).*Safari/],
  ];
  for (const [engine, product, pattern] of known) {
    const version = pattern.exec(agent)?.[1];
    if (version) return `${engine} (${product} ${version})`;
  }
  return agent || 'unknown engine';
}
