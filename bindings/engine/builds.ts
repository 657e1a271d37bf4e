// The four builds of the kernels: which of them the engine can run, where they are, and how one gets here.
import { STAMP } from '../generated/kernel-calls.ts';

import { BackendError, describe, typeName } from '../memory/errors.ts';
import { builtin, isNode } from './platform.ts';

/** The instructions of a build: the same bits on every engine, or fused multiply-add. */
export type Simd = 'strict' | 'relaxed';
/** A file of build/wasm. Those with threads import a shared memory. */
export type BuildName = Simd | `${Simd}-threads`;
/** A URL: an object of the engine's class URL, or one alike. */
export interface UrlLike {
  /** The URL as text. */
  readonly href: string;
}

/** An answer to fetch(): an object of the engine's class Response, or one alike. */
export interface ResponseLike {
  /** Whether it came. */
  readonly ok: boolean;
  /** The status of HTTP. */
  readonly status: number;
  /** What came. */
  arrayBuffer(): PromiseLike<ArrayBuffer>;
}

/** A compiled `WebAssembly.Module`. */
export type CompiledModule = object;

/** A wasm file: where it is, or what it holds. Text is relative to the page, and without a page to the module. */
export type Located = string | UrlLike | ResponseLike | ArrayBuffer | ArrayBufferView | CompiledModule;

/** Finds a wasm file of the package by its name, such as `'retrograd.relaxed.wasm'`. */
export type Locate = (file: string) => Located | PromiseLike<Located>;

/** A build that is here. */
export interface Loaded {
  readonly module: WebAssembly.Module;
  /** What it was compiled from; null where it came compiled. */
  readonly bytes: Uint8Array<ArrayBuffer> | null;
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

/** Picks strict or relaxed, and says why. */
export async function pickSimd(simd: 'auto' | Simd): Promise<{ simd: Simd; reason: string }> {
  if (typeof WebAssembly === 'undefined' || !hasSimd())
    throw new BackendError(
      'init: expected an engine with WebAssembly SIMD, got one without; use Node 20, Chrome 91, Firefox 89, Safari 16.4 or later',
    );
  if (simd === 'strict') return { simd, reason: 'strict SIMD: asked for' };
  if (!hasRelaxed() && isNode) {
    // Node 20 has relaxed SIMD behind a flag that takes effect for modules compiled from then on.
    const v8 = await builtin('node:v8', () => import('node:v8'));
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

/** The section in which tools/compile-kernels.ts says what a file is. */
const SECTION = 'retrograd';

const isModule = (x: unknown): x is WebAssembly.Module =>
  Object.prototype.toString.call(x) === '[object WebAssembly.Module]';

/**
 * Which build a module is. A file that asc wrote by itself, while kernels are worked on, does not say: null.
 * @throws BackendError where it belongs to another version of the package
 */
function nameOf(module: WebAssembly.Module): BuildName | null {
  const [section] = WebAssembly.Module.customSections(module, SECTION);
  if (!section) return null;
  const [name, stamp] = String.fromCharCode(...new Uint8Array(section)).split(' ');
  if (stamp !== STAMP)
    throw new BackendError(
      `init: expected wasm files of the package's own version (${STAMP}), got ${stamp}; copy build/wasm/ of this version`,
    );
  return name as BuildName;
}

/** The build that init({ module }) was given. @throws BackendError where it is none */
export function givenBuild(module: unknown): BuildName {
  const name = isModule(module) ? nameOf(module) : null;
  if (name) return name;
  const got = isModule(module) ? 'a module of something else' : typeName(module);
  throw new BackendError(
    `init: expected module to be a WebAssembly.Module compiled from a file of build/wasm/, got ${got}; text and bytes are for init({ locate })`,
  );
}

// Literal URLs, so that bundlers see the files. They are right from bindings/engine/ and from build/lib/ alike.
const files: Record<BuildName, () => URL> = {
  strict: () => new URL('../../build/wasm/retrograd.strict.wasm', import.meta.url),
  relaxed: () => new URL('../../build/wasm/retrograd.relaxed.wasm', import.meta.url),
  'strict-threads': () => new URL('../../build/wasm/retrograd.strict-threads.wasm', import.meta.url),
  'relaxed-threads': () => new URL('../../build/wasm/retrograd.relaxed-threads.wasm', import.meta.url),
};

const isObject = (x: unknown): x is object => typeof x === 'object' && x !== null;
const isUrl = (x: unknown): x is string | UrlLike => typeof x === 'string' || (isObject(x) && 'href' in x);

/** Text is relative to the page where there is one: bundlers may turn import.meta.url into a path of their machine. */
export const resolveUrl = (at: string | UrlLike): URL =>
  new URL(typeof at === 'string' ? at : at.href, globalThis.location?.href ?? import.meta.url);

/** Loads a file of build/wasm/. @throws BackendError where there is no such file */
export async function loadBuild(build: BuildName, locate?: Locate): Promise<Loaded> {
  const file = `retrograd.${build}.wasm`;
  let place = `${file} where locate() says`;
  let loaded: Loaded;
  try {
    const located = await locate?.(file);
    if (isModule(located)) loaded = { module: located, bytes: null };
    else {
      if (located === undefined) place = String(files[build]());
      else if (isUrl(located)) place = String(resolveUrl(located));
      const bytes = await bytesOf(located === undefined ? place : located, place);
      loaded = { bytes, module: await WebAssembly.compile(bytes) };
    }
  } catch (cause) {
    const message = (cause as Error)?.message ?? String(cause);
    throw new BackendError(`init: expected a wasm module at ${place}, got ${message}; ${cureOf(message)}`, { cause });
  }
  const name = nameOf(loaded.module);
  if (name && name !== build)
    throw new BackendError(
      `init: expected locate('${file}') to give that file, got retrograd.${name}.wasm; tell them apart, or pass init({ module })`,
    );
  return loaded;
}

/** What is in a file that was located, or at the URL `place`. */
async function bytesOf(located: Located, place: string): Promise<Uint8Array<ArrayBuffer>> {
  if (ArrayBuffer.isView(located))
    return new Uint8Array(located.buffer as ArrayBuffer, located.byteOffset, located.byteLength);
  if (located instanceof ArrayBuffer) return new Uint8Array(located);
  if (isObject(located) && 'arrayBuffer' in located) return bodyOf(located as ResponseLike);
  if (!isUrl(located)) throw new Error(`${describe(located)}, which is no URL, Response, bytes or module`);
  if (place.startsWith('file:') && isNode) {
    const { readFileSync } = await builtin('node:fs', () => import('node:fs')); // a third of the time of its like
    return new Uint8Array(readFileSync(new URL(place)));
  }
  return bodyOf(await fetch(place));
}

async function bodyOf(response: ResponseLike): Promise<Uint8Array<ArrayBuffer>> {
  if (!response.ok) throw new Error(`HTTP status ${response.status}`);
  return new Uint8Array(await response.arrayBuffer());
}

/** What a user can do about a file that did not load. */
function cureOf(message: string): string {
  if (/disallowed by embedder/.test(message))
    return 'this engine compiles no bytes: import the file as a module, and pass init({ module })';
  if (/unsafe-eval|Content.Security.Policy|\bCSP\b/i.test(message))
    return "the page's Content-Security-Policy forbids WebAssembly: allow 'wasm-unsafe-eval' in script-src";
  return 'serve build/wasm beside build/lib, or pass init({ locate })';
}
