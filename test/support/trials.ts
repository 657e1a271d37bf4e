// Calls of kernels made from nothing but their descriptors: numbers that fit each other, operands filled by their
// extents, and a memory in which nothing outside of the extents may change.
import type { Exports } from '../../bindings/engine/instance.ts';
import {
  type Argument,
  argumentsOf,
  BYTES,
  type Command,
  extentOf,
  operandsOf,
  type Ref,
  sizesOf,
} from '../../bindings/kernels/command.ts';
import type { BufferSpec, Kernel, ListSpec } from '../../bindings/kernels/descriptor.ts';
import { descriptorOf, type KernelName } from '../../bindings/kernels/table.ts';
import '../../bindings/kernels/trials.ts';
import type { Block } from '../../bindings/memory/arena.ts';
import { byName } from './exports.ts';

export type Numbers = Readonly<Record<string, number>>;
export type Call = Readonly<Record<string, Argument>>;

/** Operands of more elements take long, and show no more. */
export const MOST_ELEMENTS = 1 << 17;
/** Units of a cut: none, one, fewer than two slices, two whole ones, and five with a rest. */
const unitsOf = (grain: number): number[] => [0, 1, grain + 1, 2 * grain, 5 * grain + 3];

export const buffersOf = (kernel: KernelName): [string, BufferSpec][] =>
  operandsOf(kernel).filter(([, spec]) => spec.kind === 'buffer') as [string, BufferSpec][];

/** Names of numbers that are strides of some operand. */
const stridesOf = (kernel: KernelName): Set<string> =>
  new Set(buffersOf(kernel).flatMap(([, { axes }]) => axes.flatMap(({ stride }) => stride ?? [])));

/** What numbers a kernel takes: its sizes all one, and small; f32s that do something, and codes. */
export function numberNames(kernel: KernelName) {
  const strides = stridesOf(kernel);
  const operands = operandsOf(kernel);
  const sizes = operands.flatMap(([name, { kind }]) => (kind === 'size' && !strides.has(name) ? [name] : []));
  const others: Record<string, number> = {};
  let floats = 0;
  for (const [name, spec] of operands) {
    if (spec.kind === 'f32') others[name] = 0.25 + floats++;
    if (spec.kind === 'i32') others[name] = spec.words ? spec.words.length - 1 : 8;
  }
  const ones: Numbers = Object.fromEntries(sizes.map((name) => [name, 1]));
  const small: Numbers = Object.fromEntries(sizes.map((name, i) => [name, [3, 5, 7, 4, 6][i] as number]));
  return { ones, small, others, sizes, strides };
}

/** Numbers of every kind: sizes that are small but for one of them, f32s that do something, codes. */
export function numbersOf(kernel: KernelName): Numbers[] {
  const { trials } = descriptorOf(kernel);
  if (trials) return [...trials];
  const { ones, small, others, sizes, strides } = numberNames(kernel);
  const bases = [ones, small];
  for (const name of sizes)
    bases.push({ ...small, [name]: 1 }, { ...ones, [name]: 37 }, { ...small, [name]: 67 }, { ...small, [name]: 1009 });
  return bases.flatMap((base) => [0, 3].map((gap) => withStrides(kernel, { ...base, ...others }, strides, gap)));
}

/** The numbers with strides: row-major ones, or with a gap behind each. */
export function withStrides(kernel: KernelName, numbers: Numbers, strides: ReadonlySet<string>, gap: number): Numbers {
  const result: Record<string, number> = { ...numbers };
  for (const name of strides) {
    let stride = 0;
    for (const [, { axes }] of buffersOf(kernel)) {
      const at = axes.findIndex((axis) => axis.stride === name);
      if (at >= 0) stride = Math.max(stride, extentOf({ axes: axes.slice(at + 1) }, result));
    }
    if (result[name] === undefined) result[name] = stride + gap;
  }
  return result;
}

/** The lists a kernel is tried with, of one that takes none an empty one. */
export const listsOf = (kernel: KernelName): (readonly [string, readonly number[]] | null)[] => {
  const list = operandsOf(kernel).find(([, { kind }]) => kind === 'list');
  return list ? (list[1] as ListSpec).trials.map((words) => [list[0], words] as const) : [null];
};

/** Sets of optional operands that are left out: none, all, and each alone. */
export function leftOut(kernel: KernelName): string[][] {
  const names = buffersOf(kernel).flatMap(([name, { optional }]) => (optional ? [name] : []));
  const sets = [[], names, ...names.map((name) => [name])];
  return sets.filter((set, i) => sets.findIndex((other) => other.join() === set.join()) === i);
}

/** With another number of units along `along`; null where results would overlap, or the rest would no longer fit. */
export function withUnits(kernel: KernelName, call: Call, along: string, units: number): Call | null {
  if (along in call) return { ...call, [along]: units };
  const [name, spec] = operandsOf(kernel).find(([, { kind }]) => kind === 'list') as [string, ListSpec];
  const sizes = sizesOf({ kernel, call });
  for (const [, { axes, writes }] of buffersOf(kernel)) {
    const at = axes.findIndex(({ size }) => size === along);
    if (at > 0) return null;
    const stride = axes[0]?.stride;
    const inner = extentOf({ axes: axes.slice(1) }, sizes);
    if (at === 0 && writes && stride && (sizes[stride] as number) < inner) return null;
  }
  const words = [...(call[name] as readonly number[])];
  words[spec.words.indexOf(along)] = units;
  return { ...call, [name]: words };
}

/** The numbers and lists of the calls that a kernel is tried with: each size it may be cut along in several lengths. */
export function callsOf(kernel: KernelName): { readonly call: Call; readonly along: string }[] {
  const descriptor = descriptorOf(kernel) as Kernel;
  const calls = new Map<string, { call: Call; along: string }>();
  const add = (call: Call): { along: string; grain: number } | null => {
    const sizes = sizesOf({ kernel, call });
    const cut = descriptor.cut?.(sizes) ?? null;
    if (buffersOf(kernel).some(([, spec]) => extentOf(spec, sizes) > MOST_ELEMENTS)) return cut;
    if (cut) calls.set(JSON.stringify(call), { call, along: cut.along });
    return cut;
  };
  for (const numbers of numbersOf(kernel))
    for (const list of listsOf(kernel)) {
      const call: Call = list ? { ...numbers, [list[0]]: list[1] } : numbers;
      const cut = add(call);
      if (!cut || descriptor.trials) continue;
      for (const units of unitsOf(cut.grain)) {
        const other = withUnits(kernel, call, cut.along, units);
        // The rest of the numbers has to fit the new one.
        if (other) add(restride(kernel, other));
      }
    }
  return [...calls.values()].flatMap(({ call, along }) =>
    leftOut(kernel).map((names) => ({
      along,
      call: { ...call, ...Object.fromEntries(names.map((name) => [name, null])) },
    })),
  );
}

/** Makes strides that are numbers of the call long enough. */
function restride(kernel: KernelName, call: Call): Call {
  const strides = [...stridesOf(kernel)].filter((name) => typeof call[name] === 'number');
  const numbers = { ...(call as Numbers) };
  for (const name of strides) delete (numbers as Record<string, number>)[name];
  return { ...call, ...Object.fromEntries(Object.entries(withStrides(kernel, numbers, new Set(strides), 3))) };
}

/** Reproducible values that are no simple sequence: from -2 to 2, and every other 32 of them from 0 to 1. */
function floats(n: number, seed: number, positive: boolean): Float32Array {
  return Float32Array.from({ length: n }, (_, i) => {
    const x = Math.sin(seed + i * i * 1.37);
    return positive ? Math.abs(x) + 0.1 : i & 32 ? Math.abs(x) : 2 * x;
  });
}

/** What an operand starts with. */
function fill({ type, writes, reads, below }: BufferSpec, n: number, seed: number, sizes: Numbers): ArrayBufferView {
  if (type === 'u8') return Uint8Array.from({ length: n }, (_, i) => (writes ? 7 : (i * i + seed) % 5));
  if (type === 'i32') {
    const bound = below === null ? 1000 : (sizes[below] as number);
    return Int32Array.from({ length: n }, (_, i) => (writes && !reads ? 7 : (i * 31 + seed) % bound));
  }
  return writes && !reads ? new Float32Array(n).fill(7) : floats(n, seed, writes);
}

/** NaN, infinities, zeros, denormals, and what lies at the ends of f32. */
const SPECIAL = [
  Number.NaN,
  Number.POSITIVE_INFINITY,
  Number.NEGATIVE_INFINITY,
  0,
  -0,
  1e-45,
  -1e-40,
  3.4e38,
  -88.5,
  90,
];

/** Puts special numbers among what is read. */
function strew(view: ArrayBufferView, seed: number): void {
  if (view instanceof Float32Array)
    for (let i = seed; i < view.length; i += 3) view[i] = SPECIAL[(i * 7 + seed) % SPECIAL.length] as number;
}

/** What lies in the operands that a call wrote, as bits. */
export type Written = Readonly<Record<string, Int32Array | Uint8Array>>;

const GUARD = 64;
const GUARD_BYTE = 0xa5;

/** A memory with the operands of one call at a time, guarded on both sides. */
export class TrialMemory {
  readonly exports: Exports;
  readonly memory: WebAssembly.Memory;
  readonly workspace: number;
  readonly #list: number;
  readonly #code: number;
  readonly #from: number;
  readonly #scratch: number;
  #buffers: { readonly name: string; readonly spec: BufferSpec; readonly at: number; readonly content: Uint8Array }[] =
    [];
  #top = 0;

  constructor({ exports, memory, base }: { exports: Exports; memory: WebAssembly.Memory; base: number }) {
    this.exports = byName(exports);
    this.memory = memory;
    let top = base;
    const reserve = (bytes: number): number => {
      const at = top;
      top += (bytes + 63) & -64;
      return at;
    };
    this.workspace = reserve(Number(exports.gemm_workspace_bytes?.()));
    this.#scratch = reserve(Number(exports.program_scratch_bytes?.()));
    this.#list = reserve(4096);
    this.#code = reserve(4096);
    this.#from = top;
  }

  /** Where the words of a program go. */
  get code(): number {
    return this.#code;
  }

  get views(): { readonly i32: Int32Array; readonly f32: Float32Array } {
    return { i32: new Int32Array(this.memory.buffer), f32: new Float32Array(this.memory.buffer) };
  }

  putList(words: readonly number[]): number {
    this.views.i32.set(words, this.#list / 4);
    return this.#list;
  }

  /** The command of a call, with an operand for each buffer. @param special whether with numbers of every kind */
  command(kernel: KernelName, call: Call, special = false): Command {
    const sizes = sizesOf({ kernel, call });
    const result: Record<string, Argument> = {};
    this.#buffers = [];
    this.#top = this.#from;
    for (const [name, spec] of operandsOf(kernel)) {
      if (spec.kind === 'buffer') result[name] = call[name] === null ? null : this.#buffer(name, spec, sizes, special);
      else if (spec.kind === 'algorithm') {
        const given = spec.with.map((x) => (typeof x === 'number' ? x : call[x]));
        result[name] = Number(
          this.exports[spec.select]?.(...given.map((x) => (typeof x === 'number' ? x : this.putList(x as number[])))),
        );
      } else result[name] = call[name] as number | readonly number[];
    }
    return { kernel, call: result };
  }

  #buffer(name: string, spec: BufferSpec, sizes: Numbers, special: boolean): Ref {
    const n = extentOf(spec, sizes);
    const view = fill(spec, n, this.#buffers.length, sizes);
    if (special && spec.reads) strew(view, this.#buffers.length);
    const content = new Uint8Array(view.buffer, view.byteOffset, n * BYTES[spec.type]);
    const at = ((this.#top + 63) & -64) + GUARD;
    this.#top = at + content.length + GUARD;
    const missing = this.#top - this.memory.buffer.byteLength;
    if (missing > 0) this.memory.grow(Math.ceil(missing / 65536));
    this.#buffers.push({ name, spec, at, content });
    return { block: { ptr: at } as Block, offset: 0, shape: [n], dtype: spec.type };
  }

  /** Calls the export at once. @param offsets bytes behind their places at which operands begin */
  call({ kernel, call }: Command, offsets: Readonly<Record<string, number>> = {}): void {
    const operands: Record<string, number> = {};
    for (const [name, argument] of Object.entries(call)) {
      if (typeof argument === 'number') operands[name] = argument;
      else if (Array.isArray(argument)) operands[name] = this.putList(argument);
      else if (argument) operands[name] = (argument as Ref).block.ptr + (offsets[name] ?? 0);
    }
    this.exports[kernel]?.(...argumentsOf(kernel, operands, this.workspace));
  }

  /** Puts operands and guards as they were before any call. */
  reset(): void {
    const u8 = new Uint8Array(this.memory.buffer);
    for (const { at, content } of this.#buffers) {
      u8.fill(GUARD_BYTE, at - GUARD, at + content.length + GUARD);
      u8.set(content, at);
    }
  }

  /**
   * What lies in the operands that are written, as bits; any NaN is as good as another.
   * @throws where another place changed
   */
  written(): Written {
    const result: Record<string, Int32Array | Uint8Array> = {};
    const u8 = new Uint8Array(this.memory.buffer);
    for (const { name, spec, at, content } of this.#buffers) {
      for (let i = 0; i < GUARD; i++) {
        if (u8[at - 1 - i] !== GUARD_BYTE) throw new Error(`${name}: written ${i + 1} bytes before it`);
        if (u8[at + content.length + i] !== GUARD_BYTE) throw new Error(`${name}: written ${i} bytes behind it`);
      }
      const bytes = u8.slice(at, at + content.length);
      if (!spec.writes) {
        if (Buffer.compare(bytes, content) !== 0) throw new Error(`${name}: written, though it is read only`);
      } else if (BYTES[spec.type] === 1) result[name] = bytes;
      else {
        const words = new Int32Array(bytes.buffer);
        for (let i = 0; i < words.length; i++) {
          if (spec.type === 'f32' && ((words[i] as number) & 0x7fff_ffff) > 0x7f80_0000) words[i] = 0x7fc0_0000;
        }
        result[name] = words;
      }
    }
    return result;
  }

  /** Runs words of a program as `count` threads would, one after the other. */
  run(from: number, to: number, count: number): void {
    const { thread_start: start, program_run: run } = this.exports;
    for (let thread = 0; thread < count; thread++) {
      start?.(thread, count, 0, this.workspace, this.#scratch, 1);
      run?.(from, to);
    }
    start?.(0, 1, 0, this.workspace, this.#scratch, 1);
  }
}
