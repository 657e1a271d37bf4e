// A command is a kernel with the operands of one call: what programs are made of, and what threads share.
import type { Block } from '../memory/arena.ts';
import type { AlgorithmSpec, BufferSpec, Operand, Spec } from './descriptor.ts';
import { descriptorOf, type KernelName, type ProbeName } from './table.ts';

/** A place in a block; shape and dtype are for people. */
export interface Ref {
  readonly block: Block;
  /** Bytes from the start of the block. */
  readonly offset: number;
  readonly shape: readonly number[];
  readonly dtype: string;
}

/** What stands for an operand: a place, null where an optional one is absent, a number, or a list of them. */
export type Argument = Ref | null | number | readonly number[];

export interface Command {
  readonly kernel: KernelName | ProbeName;
  /** By the operands' names; without the workspace. */
  readonly call: Readonly<Record<string, Argument>>;
}

/** A place that a command touches. */
export interface Touch {
  readonly operand: string;
  readonly ref: Ref;
  readonly reads: boolean;
  readonly writes: boolean;
}

type Named<S> = readonly [name: string, spec: S];

/** The operands of a kernel that stand in a command, in order. */
export function operandsOf(kernel: KernelName | ProbeName): readonly Named<Spec>[] {
  let operands = operandsByKernel.get(kernel);
  if (!operands) {
    operands = Object.entries(descriptorOf(kernel).operands).filter(([, spec]) => spec.kind !== 'workspace');
    operandsByKernel.set(kernel, operands);
  }
  return operands;
}
const operandsByKernel = new Map<string, readonly Named<Spec>[]>();

/** Asks an export which algorithm computes a call. @param given numbers, and a list */
export type Select = (select: string, given: readonly (number | readonly number[])[]) => number;

/** The call of a kernel as a command. @param select finds the algorithm, which slices have to be told */
export function commandOf(
  kernel: KernelName | ProbeName,
  call: Readonly<Record<string, unknown>>,
  select: Select,
): Command {
  const result: Record<string, Argument> = {};
  for (const [name, spec] of operandsOf(kernel)) {
    if (spec.kind === 'algorithm') result[name] = select(spec.select, given(spec, call));
    else if (spec.kind === 'buffer') result[name] = refOf(call[name] as RefSource | null);
    else result[name] = call[name] as number | readonly number[];
  }
  return { kernel, call: result };
}

const given = (spec: AlgorithmSpec, call: Readonly<Record<string, unknown>>): (number | readonly number[])[] =>
  spec.with.map((x) => (typeof x === 'number' ? x : (call[x] as number | readonly number[])));

type RefSource = Operand & { readonly shape?: readonly number[]; readonly dtype?: string };

function refOf(operand: RefSource | null): Ref | null {
  if (!operand) return null;
  const { block, byteOffset, shape = [], dtype = '' } = operand;
  return { block: block as Block, offset: byteOffset, shape, dtype };
}

/** All places that a command touches. */
export function touchesOf({ kernel, call }: Command): Touch[] {
  const touches: Touch[] = [];
  for (const [operand, spec] of operandsOf(kernel)) {
    const ref = call[operand];
    if (spec.kind === 'buffer' && ref)
      touches.push({ operand, ref: ref as Ref, reads: spec.reads, writes: spec.writes });
  }
  return touches;
}

/** How a command is cut: slices of units, which are the same kernel with other numbers. */
export interface Slices {
  readonly units: number;
  /** Slices begin at multiples of it. */
  readonly grain: number;
  /** The operand that holds the number of units, or the list and, negative, ~which of its words. */
  readonly count: number;
  /** What that number is for each unit: 1, or the elements of a row where units are rows of a contiguous call. */
  readonly scale: number;
  /** What one unit adds to each operand; absent ones have none. */
  readonly steps: Readonly<Record<string, number>>;
  /** Only large slices pay. */
  readonly repeats?: boolean | undefined;
  /** Units are elements, or rows of them, that depend on nothing but each other. */
  readonly elementwise: boolean;
  /** Elements of a unit. */
  readonly row: number;
  /** Blocks of a fused chain begin at multiples of so many units: numbers are drawn for several elements at once. */
  readonly multiple: number;
}

/** Elements that the kernels of random numbers draw at once, at most. */
const DRAWN = 16;

/** Bytes of an element. */
export const BYTES = { f32: 4, i32: 4, b32: 4, u8: 1 } as const;

/** The numbers of a command by name: its own, the words of its list, and what follows from them. */
export function sizesOf({ kernel, call }: Command): Record<string, number> {
  const sizes: Record<string, number> = {};
  for (const [name, spec] of operandsOf(kernel)) {
    const value = call[name];
    if (typeof value === 'number') sizes[name] = value;
    else if (spec.kind === 'list') {
      const words = value as readonly number[];
      for (let i = 0; i < spec.words.length; i++) sizes[spec.words[i] as string] = words[i] ?? 0;
      Object.assign(sizes, spec.derive(words));
    }
  }
  return sizes;
}

/** The length of an axis. */
const lengthOf = (size: string | number, sizes: Readonly<Record<string, number>>): number =>
  typeof size === 'number' ? size : (sizes[size] as number);

/**
 * Elements from the first to the last of an operand, both included; 0 where an axis has none. Strides may be 0, and
 * leave gaps.
 */
export function extentOf({ axes }: Pick<BufferSpec, 'axes'>, sizes: Readonly<Record<string, number>>): number {
  let stride = 1;
  let last = 0;
  for (let i = axes.length - 1; i >= 0; i--) {
    const axis = axes[i] as BufferSpec['axes'][number];
    const length = lengthOf(axis.size, sizes);
    if (length === 0) return 0;
    if (axis.stride !== null) stride = sizes[axis.stride] as number;
    last += (length - 1) * stride;
    stride *= length;
  }
  return last + 1;
}

/** What one unit along `along` adds to the address of an operand, in bytes; 0 where it has no such axis. */
export function stepOf({ axes, type }: BufferSpec, along: string, sizes: Readonly<Record<string, number>>): number {
  let stride = 1;
  for (let i = axes.length - 1; i >= 0; i--) {
    const axis = axes[i] as BufferSpec['axes'][number];
    if (axis.stride !== null) stride = sizes[axis.stride] as number;
    if (axis.size === along) return stride * BYTES[type];
    stride *= lengthOf(axis.size, sizes);
  }
  return 0;
}

/** Where the number of units stands: at an operand, or ~ at a word of the list. */
function countOf(kernel: KernelName | ProbeName, along: string): number {
  const operands = operandsOf(kernel);
  for (let i = 0; i < operands.length; i++) {
    const [name, spec] = operands[i] as Named<Spec>;
    if (name === along) return i;
    if (spec.kind === 'list' && spec.words.includes(along)) return ~spec.words.indexOf(along);
  }
  throw new Error(`${kernel}: expected a number or a word of its list called ${along}, got none`);
}

/** How a command may be cut; null: not at all. */
export function slicesOf(command: Command): Slices | null {
  const descriptor = descriptorOf(command.kernel);
  if (!descriptor.cut) return null;
  const sizes = sizesOf(command);
  const cut = descriptor.cut(sizes);
  if (!cut) return null;
  const { along } = cut;
  const steps: Record<string, number> = {};
  let multiple = 1;
  for (const [name, spec] of operandsOf(command.kernel)) {
    if (spec.kind === 'buffer') steps[name] = command.call[name] ? stepOf(spec, along, sizes) : 0;
    else if ('moves' in spec && spec.moves === along) {
      steps[name] = 1;
      multiple = DRAWN;
    }
  }
  const elementwise = descriptor.elementwise?.(sizes) ?? false;
  const units = sizes[along] as number;
  const count = countOf(command.kernel, along);
  return { ...cut, units, count, scale: 1, steps, elementwise, row: sizes.row ?? 1, multiple };
}

/** The same slices by rows of `row` units each: of a contiguous elementwise command beside one that goes by rows. */
export function byRows(slices: Slices, row: number): Slices {
  const steps = Object.fromEntries(Object.entries(slices.steps).map(([name, step]) => [name, step * row]));
  const grain = Math.max(1, Math.ceil(slices.grain / row));
  let { multiple } = slices;
  while (multiple > 1 && ((multiple / 2) * row) % slices.multiple === 0) multiple /= 2;
  return { ...slices, units: slices.units / row, grain, scale: row, steps, row, multiple };
}

/** About how many nanoseconds one thread takes for a command. */
export const costOf = ({ kernel, call }: Command): number => descriptorOf(kernel).cost?.(call as never) ?? 0;

/** Nanoseconds that a call has to take for threads to share it. */
export const WORTH_SHARING = 20_000;

/**
 * The arguments of an export in order, for calls with bare addresses: timings, trials and tests.
 * @param operands addresses and numbers by name; optional ones and the algorithm may be left out
 */
export function argumentsOf(
  kernel: KernelName | ProbeName,
  operands: Readonly<Record<string, number>>,
  workspace: number,
): number[] {
  return Object.entries(descriptorOf(kernel).operands).map(([name, spec]) => {
    if (spec.kind === 'workspace') return operands[name] ?? workspace;
    const value = operands[name];
    if (value !== undefined) return value;
    if (spec.kind === 'algorithm' || (spec.kind === 'buffer' && spec.optional)) return 0;
    throw new Error(`${kernel}: expected operand ${name}, got none`);
  });
}
