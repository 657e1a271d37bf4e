// How long the blocks of a program are needed, and which of them are one buffer: the result of an elementwise step
// takes the place of an operand that nobody reads after it. All in O(n) for n operands.
import type { LiveRange } from './place.ts';

/** A place that a step touches. */
export interface StepOperand<B> {
  readonly block: B;
  /** Bytes from the start of the block. */
  readonly offset: number;
  /** Bytes from one element, or slice, to the next. */
  readonly step: number;
  readonly reads: boolean;
  readonly writes: boolean;
}

export interface StepOperands<B> {
  readonly operands: readonly StepOperand<B>[];
  /** Reads element i of its operands before it writes element i of its results, and no other element. */
  readonly elementwise: boolean;
}

/** From the first to the last step that touches a block. */
export interface Lifetime {
  readonly first: number;
  last: number;
}

/** The lifetimes of blocks that `inside` holds for, by first use. */
export function lifetimesOf<B>(steps: readonly StepOperands<B>[], inside: (block: B) => boolean): Map<B, Lifetime> {
  const lifetimes = new Map<B, Lifetime>();
  steps.forEach(({ operands }, at) => {
    for (const { block } of operands) {
      const known = lifetimes.get(block);
      if (known) known.last = at;
      else if (inside(block)) lifetimes.set(block, { first: at, last: at });
    }
  });
  return lifetimes;
}

interface Buffer extends LiveRange {
  last: number;
  /** The step at which the last of its blocks took it: another result of that step may not. */
  taken: number;
}

/** An operand that the elementwise `step` reads for the last time, whose buffer its result `block` may take. */
function operandToReplace<B>(
  { operands }: StepOperands<B>,
  at: number,
  block: B,
  bytes: number,
  bufferOf: (block: B) => Buffer | undefined,
): B | undefined {
  const out = operands.find((operand) => operand.writes && operand.block === block);
  if (!out) return undefined;
  for (const operand of operands) {
    const buffer = bufferOf(operand.block);
    if (
      !buffer ||
      !operand.reads ||
      operand.writes ||
      buffer.last !== at ||
      buffer.taken === at ||
      buffer.bytes !== bytes
    )
      continue;
    // Also read in another way, say as one number for all, it would be overwritten before its last reader has it.
    const alike = operands.every(
      (other) => (other !== out && other.block !== operand.block) || (other.offset === 0 && other.step === out.step),
    );
    if (alike) return operand.block;
  }
  return undefined;
}

/**
 * Makes blocks into buffers. @param lifetimes of the blocks that need memory, by first use
 * @returns the buffers' live ranges, and of each block the number of its buffer
 */
export function shareBuffers<B extends { readonly bytes: number }>(
  steps: readonly StepOperands<B>[],
  lifetimes: ReadonlyMap<B, Lifetime>,
): { ranges: LiveRange[]; bufferOf: Map<B, number> } {
  const ranges: Buffer[] = [];
  const numbers = new Map<B, number>();
  const bufferOf = (block: B): Buffer | undefined => ranges[numbers.get(block) ?? -1];
  for (const [block, { first, last }] of lifetimes) {
    const step = steps[first] as StepOperands<B>;
    const replaced = step.elementwise ? operandToReplace(step, first, block, block.bytes, bufferOf) : undefined;
    const shared = replaced && (numbers.get(replaced) as number);
    const number = shared ?? ranges.push({ bytes: block.bytes, first, last, taken: first }) - 1;
    numbers.set(block, number);
    const buffer = ranges[number] as Buffer;
    buffer.last = Math.max(buffer.last, last);
    buffer.taken = first;
  }
  return { ranges, bufferOf: numbers };
}

/**
 * Slots for what lives between the links of one loop: a result may take the slot of an operand that is read for the
 * last time. @param lifetimes in links of the loop @returns a slot for each, and how many there are
 */
export function assignSlots<B>(
  links: number,
  lifetimes: ReadonlyMap<B, Lifetime>,
): { slots: Map<B, number>; count: number } {
  const begins: B[][] = Array.from({ length: links }, () => []);
  const ends: B[][] = Array.from({ length: links }, () => []);
  for (const [block, { first, last }] of lifetimes) {
    begins[first]?.push(block);
    if (last > first) ends[last]?.push(block);
  }
  const slots = new Map<B, number>();
  const free: number[] = [];
  let count = 0;
  for (let at = 0; at < links; at++) {
    for (const block of ends[at] as B[]) free.push(slots.get(block) as number);
    for (const block of begins[at] as B[]) slots.set(block, free.pop() ?? count++);
  }
  return { slots, count };
}
