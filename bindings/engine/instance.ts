// Memories, and instances of the kernels over them.
import { instantiateSync } from '@assemblyscript/loader';
import { BackendError } from '../memory/errors.ts';
import type { BuildName } from './builds.ts';
import { now } from './platform.ts';

/** What a wasm module exports: functions of numbers. */
export type Exports = Readonly<Record<string, (...args: number[]) => number>>;

export const PAGE = 65536;
/** Pages that every build asks for. */
const INITIAL = 16;

/** A memory, with what the engine refused to give in its place. */
export interface Granted {
  readonly memory: WebAssembly.Memory;
  /** Bytes it may grow to. */
  readonly limit: number;
  /** Why the limit is not what was asked for, if it is not. */
  readonly reasons: readonly string[];
}

const size = (bytes: number): string => (bytes < 2 ** 30 ? `${bytes / 2 ** 20} MiB` : `${bytes / 2 ** 30} GiB`);

/**
 * A memory that may grow to `most` bytes, or to less where the engine refuses: phones do not set aside 4 GiB for one
 * that is shared. Null where they refuse even `least`.
 */
function tryMemory(most: number, least: number, shared: boolean): Granted | { memory: null; cause: unknown } {
  let cause: unknown;
  for (let limit = most; limit >= least; limit = Math.floor(limit / 2)) {
    try {
      const memory = new WebAssembly.Memory({ initial: INITIAL, maximum: Math.floor(limit / PAGE), shared });
      const reasons = limit < most ? [`${size(limit)} of memory: the engine refuses ${size(most)}`] : [];
      return { memory, limit, reasons };
    } catch (error) {
      cause = error;
    }
  }
  return { memory: null, cause };
}

/** A shared memory of at most `most` bytes and at least `least`; null where the engine has none. */
export function sharedMemory(most: number, least: number): Granted | null {
  const granted = tryMemory(most, Math.min(most, least), true);
  return granted.memory && granted;
}

/** A memory of one thread. @throws BackendError where the engine has none, however small */
export function ownMemory(most: number): Granted {
  const granted = tryMemory(most, 2 * INITIAL * PAGE, false);
  if (granted.memory) return granted;
  const { cause } = granted;
  throw new BackendError(
    `init: expected room for a WebAssembly memory, got ${(cause as Error)?.message}; close what else runs here`,
    { cause },
  );
}

/**
 * An instance by the loader of AssemblyScript. Not by its asynchronous form, which looks for Response: in Node that
 * loads all of fetch, 30 ms. Chrome before 115 makes large instances of a page asynchronously only.
 */
async function instanceOf(module: WebAssembly.Module, env: Record<string, unknown>): Promise<WebAssembly.Instance> {
  try {
    return instantiateSync(module, { env }).instance;
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return WebAssembly.instantiate(module, { env } as WebAssembly.Imports);
  }
}

/** What runs units [from, to) of the loop of a program whose words are at an address. It answers 1. */
export type LoopKernel = (words: number, from: number, to: number) => number;

/** Exports of a module over `memory`. @param loops kernels that are made while it runs, by their numbers */
export async function instantiateBuild(
  module: WebAssembly.Module,
  memory: WebAssembly.Memory,
  loops: readonly LoopKernel[] = [],
): Promise<Exports> {
  const made = (kernel: number, words: number, from: number, to: number): number =>
    (loops[kernel - 1] as LoopKernel)(words, from, to);
  // The loader's own exports wrap every function; the raw ones are the fast ones.
  const exports = (await instanceOf(module, { memory, now, made })).exports as unknown as Exports;
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

/** Pages for the module's own data. */
const DATA = 2;

/** @param bytes room behind `base` */
export async function makeTrial(module: WebAssembly.Module, build: BuildName, bytes: number): Promise<Trial> {
  // All of it at once, and no more: where memory is short, a trial asks for little.
  const pages = Math.max(INITIAL, DATA + Math.ceil(bytes / PAGE));
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: build.endsWith('-threads') });
  const exports = await instantiateBuild(module, memory);
  const base = (Number(exports.heap_base?.()) + 63) & -64;
  if (base > DATA * PAGE) throw new Error(`expected ${DATA} pages of data, got ${base} bytes; raise DATA`);
  return { exports, memory, base };
}
