// Where the blocks of a program lie: two share memory unless both are needed at the same time.
import type { Block } from '../memory/arena.ts';
import { assignSlots, type Lifetime, lifetimesOf, type StepOperands, shareBuffers } from './lifetimes.ts';
import { place } from './place.ts';
import type { Step, Task } from './steps.ts';

/** Where the intermediates of a loop lie in the scratch of a thread, and units a block. */
export interface LoopPlan {
  readonly offsets: ReadonlyMap<Block, number>;
  readonly units: number;
}

export interface Plan {
  /** Where each block of the program lies in its memory. */
  readonly offsets: ReadonlyMap<Block, number>;
  readonly bytes: number;
  readonly loops: ReadonlyMap<Step, LoopPlan>;
}

/** What a step touches, task by task. */
const operandsOf = ({ tasks, loop }: Step): StepOperands<Block> => {
  const [first] = tasks as [Task];
  return {
    operands: tasks.length === 1 ? first.touches : tasks.flatMap(({ touches }) => touches),
    elementwise: !loop && first.elementwise,
  };
};

/** Most elements of a block of a loop: one call's worth that leaves room for its operands in the first cache. */
const BLOCK_ELEMENTS = 2048;
/** Blocks are multiples of so many elements, where units are elements: whole cache lines. */
const BLOCK_GRAIN = 64;

/** What only a loop itself touches lies in the scratch, and leaves `lives`. @param capacity bytes of the scratch */
function planLoop({ tasks }: Step, lives: Map<Block, Lifetime>, capacity: number): LoopPlan {
  const row = tasks[0]?.slices?.row ?? 1;
  const own = new Map<Block, Lifetime>();
  tasks.forEach(({ touches }, at) => {
    for (const { block, offset, step } of touches) {
      const life = lives.get(block);
      if (!life || life.first !== life.last || step !== 4 * row || offset !== 0) continue;
      const known = own.get(block);
      if (known) known.last = at;
      else own.set(block, { first: at, last: at });
    }
  });
  const { slots, count } = assignSlots(tasks.length, own);
  const room = Math.min(BLOCK_ELEMENTS, Math.floor(capacity / 4 / Math.max(1, count)));
  const multiple = row === 1 ? BLOCK_GRAIN : Math.max(...tasks.map(({ slices }) => slices?.multiple ?? 1));
  const fitting = Math.floor(room / row);
  const units = row === 1 ? Math.max(multiple, fitting - (fitting % multiple)) : fitting - (fitting % multiple);
  // Rows that do not fit: the intermediates stay in memory.
  if (units < 1) return { offsets: new Map(), units: multiple };
  const offsets = new Map([...slots].map(([block, slot]) => [block, slot * units * row * 4]));
  for (const block of own.keys()) lives.delete(block);
  return { offsets, units };
}

/** @param inside blocks that the program has to make room for @param capacity bytes for the intermediates of loops */
export function planMemory(steps: readonly Step[], inside: (block: Block) => boolean, capacity: number): Plan {
  const operands = steps.map(operandsOf);
  const lives = lifetimesOf(operands, inside);
  const loops = new Map<Step, LoopPlan>();
  for (const step of steps) if (step.loop) loops.set(step, planLoop(step, lives, capacity));
  const { ranges, bufferOf } = shareBuffers(operands, lives);
  const { offsets, bytes } = place(ranges);
  const places = new Map<Block, number>();
  for (const [block, buffer] of bufferOf) places.set(block, offsets[buffer] as number);
  return { offsets: places, bytes, loops };
}
