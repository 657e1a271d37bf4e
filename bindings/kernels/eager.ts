// Kernels that are called at once: bindings/generated/kernel-calls.ts has how, for each family of descriptors.
import type { Kernel, Operand } from './descriptor.ts';

/** An export of the kernels. */
export type Export = (...args: number[]) => number;

/** What the calls need of the running instance. */
export interface Caller {
  /** Where this thread packs. */
  readonly workspace: number;
  /** Puts a list where kernels can read it. @returns its address */
  list(words: readonly number[]): number;
}

/** A kernel, called with an object of its operands by name. What it answers, a probe means. */
// biome-ignore lint/suspicious/noExplicitAny: Kernels in table.ts has the type of each
export type EagerCall = (call: any) => number;
/** The call of each kernel with the same operands. */
export type MakeCall = (f: Export, caller: Caller) => EagerCall;

/** The name of the table with the kernels of a module, each at its number. */
export const KERNELS = 'kernels';
/** The kernel of a module with a number. */
export const kernelOf = (exports: object, number: number): Export =>
  (exports as Readonly<Record<string, WebAssembly.Table>>)[KERNELS]?.get(number);

/** All that a bundle has of a kernel. */
export interface EagerKernel {
  readonly name: string;
  readonly kernel: Kernel;
  /** In programs. */
  readonly number: number;
  readonly make: MakeCall;
}

/** The address of what is read. */
export const at = (x: Operand): number => x.block.ptr + x.byteOffset;
/** The address of what is written, whose version goes up. */
export const write = (x: Operand): number => {
  x.block.version++;
  return x.block.ptr + x.byteOffset;
};

/** The kernels of a family. @param first the number of the first of them */
export const eager = (family: object, first: number, makes: readonly MakeCall[]): readonly EagerKernel[] =>
  Object.entries(family as Readonly<Record<string, Kernel>>).map(([name, kernel], i) => ({
    name,
    kernel,
    number: first + i,
    make: makes[i] as MakeCall,
  }));
