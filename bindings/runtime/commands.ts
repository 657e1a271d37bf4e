// A kernel call is a command: a kernel and its operands. Op rows see only the `Kernels` interface. Here is the maker that
// runs a command at once; a recorder is a second maker of the same interface.
import type { Arena, Block } from './arena.ts';
import { type OperandKind, probeSignatures, signatures } from './kernels.ts';

/** What a kernel reads or writes: something with a block and an address in it. */
export interface Operand {
  readonly block: Block;
  /** Byte address of the first element. */
  readonly address: number;
}

type Argument<K> = K extends 'out' | 'in' | 'inout'
  ? Operand
  : K extends 'out?' | 'in?' | 'inout?'
    ? Operand | null
    : K extends 'dims'
      ? readonly number[]
      : number;
type Arguments<S extends readonly unknown[]> = S extends readonly [infer H, ...infer R]
  ? H extends 'workspace'
    ? Arguments<R>
    : [Argument<H>, ...Arguments<R>]
  : [];

/** Every kernel by its name, with typed operands. The only way from an op row to a kernel. */
export type Kernels = {
  readonly [K in keyof typeof signatures]: (...operands: Arguments<(typeof signatures)[K]>) => void;
};
/** Checks of values, which answer with a number. */
export type Probes = {
  readonly [K in keyof typeof probeSignatures]: (...operands: Arguments<(typeof probeSignatures)[K]>) => number;
};

export type Exports = Readonly<Record<string, (...args: number[]) => number>>;

/** Room for the `dims` lists of one call: two lists of 8 dims by 5 rows would fit. */
const DIMS_BYTES = 1024;

/** The maker that calls each kernel at once. */
export function eagerCommands(exports: Exports, arena: Arena, workspace: number): { kernels: Kernels; probes: Probes } {
  const dims = arena.reserve(DIMS_BYTES);

  function bind(name: string, kinds: readonly OperandKind[]): (...operands: unknown[]) => number {
    const call = exports[name];
    if (!call) throw new Error(`the wasm build lacks the kernel ${name}; run npm run build`);
    const { length } = kinds;
    const args: number[] = new Array(length).fill(0);
    return (...operands) => {
      let at = dims >>> 2;
      for (let i = 0, next = 0; i < length; i++) {
        const kind = kinds[i] as OperandKind;
        if (kind === 'workspace') {
          args[i] = workspace;
          continue;
        }
        const operand = operands[next++];
        if (typeof operand === 'number') args[i] = operand;
        else if (operand === null) args[i] = 0;
        else if (kind === 'dims') {
          const list = operand as readonly number[];
          args[i] = at << 2;
          const { i32 } = arena;
          for (let d = 0; d < list.length; d++) i32[at++] = list[d] as number;
        } else {
          const { block, address } = operand as Operand;
          args[i] = address;
          if (kind !== 'in' && kind !== 'in?') block.version++;
        }
      }
      return call(...args);
    };
  }
  const make = <S extends Record<string, readonly OperandKind[]>>(table: S): Record<string, unknown> =>
    Object.fromEntries(Object.entries(table).map(([name, kinds]) => [name, bind(name, kinds)]));
  return { kernels: make(signatures) as Kernels, probes: make(probeSignatures) as Probes };
}
