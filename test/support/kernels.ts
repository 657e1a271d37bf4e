// A kernel under test, alone with its buffers: a fresh memory, and a guard of signalling words on both sides of
// every buffer, so that one element written too far is seen.
import { readFileSync } from 'node:fs';
import v8 from 'node:v8';
import { RawKernels } from '../../bench/sides/raw-kernels.ts';
import { byName } from './exports.ts';

/** The two single-threaded builds; every kernel is tested in both. */
export const builds = ['strict', 'relaxed'] as const;
export type Build = (typeof builds)[number];

const GUARD_BYTES = 64;
const GUARD_WORD = 0x7fa5_5a7f; // a NaN as f32, so that reading it as data shows in the result

function moduleOf(build: Build): WebAssembly.Module {
  // Node 20 knows relaxed SIMD only behind its flag.
  if (build === 'relaxed' && Number.parseInt(process.versions.node, 10) < 22)
    v8.setFlagsFromString('--experimental-wasm-relaxed-simd');
  return new WebAssembly.Module(
    readFileSync(new URL(`../../build/wasm/retrograd.${build}.wasm`, import.meta.url)) as BufferSource,
  );
}

/** One instance of a build whose buffers are guarded. */
export class KernelBench extends RawKernels {
  readonly #release: () => void;
  readonly #guards: number[] = [];

  constructor(build: Build) {
    super(build, moduleOf(build), byName);
    this.#release = this.mark();
  }

  /** Forgets all buffers. */
  reset(): void {
    this.#release();
    this.#guards.length = 0;
  }

  /** Fresh bytes between guards. */
  override allocate(bytes: number): number {
    const start = super.allocate(bytes + 2 * GUARD_BYTES) + GUARD_BYTES;
    const end = start + bytes;
    const view = new DataView(this.memory.buffer);
    for (let at = start - GUARD_BYTES; at < start; at += 4) view.setUint32(at, GUARD_WORD, true);
    // The guard behind starts at the very next byte, whatever the length.
    for (let at = end; at < end + GUARD_BYTES; at++) view.setUint8(at, 0xa5);
    this.#guards.push(start - GUARD_BYTES, end);
    return start;
  }

  /** A guarded f32 buffer holding `values`, or that many NaN. */
  override f32(values: ArrayLike<number> | number): number {
    const n = typeof values === 'number' ? values : values.length;
    const ptr = this.allocate(n * 4);
    const view = new Float32Array(this.memory.buffer, ptr, n);
    if (typeof values === 'number') view.fill(Number.NaN);
    else view.set(values);
    return ptr;
  }

  /** A guarded i32 buffer holding `values`, or that many 0x5a5a5a5a. */
  i32(values: ArrayLike<number> | number): number {
    const n = typeof values === 'number' ? values : values.length;
    const ptr = this.allocate(n * 4);
    const view = new Int32Array(this.memory.buffer, ptr, n);
    if (typeof values === 'number') view.fill(0x5a5a5a5a);
    else view.set(values);
    return ptr;
  }

  /** A guarded u8 buffer holding `values`, or that many 0x5a. */
  u8(values: ArrayLike<number> | number): number {
    const n = typeof values === 'number' ? values : values.length;
    const ptr = this.allocate(n);
    const view = new Uint8Array(this.memory.buffer, ptr, n);
    if (typeof values === 'number') view.fill(0x5a);
    else view.set(values);
    return ptr;
  }

  readF32(ptr: number, n: number): Float32Array {
    return new Float32Array(this.memory.buffer, ptr, n).slice();
  }
  readI32(ptr: number, n: number): Int32Array {
    return new Int32Array(this.memory.buffer, ptr, n).slice();
  }
  readU8(ptr: number, n: number): Uint8Array {
    return new Uint8Array(this.memory.buffer, ptr, n).slice();
  }

  /** Runs the export `name` and throws if it wrote outside its buffers. */
  run(name: string, ...args: number[]): number | undefined {
    const result = this.kernel(name)(...args);
    const view = new DataView(this.memory.buffer);
    for (let i = 0; i < this.#guards.length; i += 2) {
      const before = this.#guards[i] as number;
      const end = this.#guards[i + 1] as number;
      for (let at = before; at < before + GUARD_BYTES; at += 4)
        if (view.getUint32(at, true) !== GUARD_WORD)
          throw new Error(`${name} wrote ${before + GUARD_BYTES - at} bytes before buffer ${i / 2}`);
      for (let at = end; at < end + GUARD_BYTES; at++)
        if (view.getUint8(at) !== 0xa5) throw new Error(`${name} wrote ${at - end} bytes behind buffer ${i / 2}`);
    }
    return result;
  }
}

/** To compare exactly: NaN equals itself and -0 differs from 0. */
export const bits = (x: Float32Array): Uint32Array => new Uint32Array(x.buffer, x.byteOffset, x.length);

/** The members of an enum that a build exports, by name and number. */
export function algorithmsOf({ exports }: KernelBench, name: string): [member: string, number: number][] {
  return Object.entries(exports as Record<string, unknown>).flatMap(([key, value]) =>
    key.startsWith(`${name}.`) && value instanceof WebAssembly.Global
      ? [[key.slice(name.length + 1), value.value]]
      : [],
  );
}

/**
 * Sizes every elementwise kernel is tried at: none, one, around one vector W = 4 and its unrolled block 16, a prime.
 */
export const sizes = [0, 1, 3, 4, 5, 8, 15, 16, 17, 31, 32, 33, 1009];

/**
 * Distance of `actual` from `expected` in units of the last place of f32 at `expected`; 0 for two NaN or equal values.
 */
export function ulps(actual: number, expected: number): number {
  if (Number.isNaN(expected)) return Number.isNaN(actual) ? 0 : Number.POSITIVE_INFINITY;
  const rounded = Math.fround(expected);
  if (Object.is(actual, rounded) || actual === rounded) return 0;
  if (!Number.isFinite(actual) || !Number.isFinite(rounded)) return Number.POSITIVE_INFINITY;
  const exponent = Math.max(-126, Math.floor(Math.log2(Math.abs(expected))));
  return Math.abs(actual - expected) / 2 ** (exponent - 23);
}
