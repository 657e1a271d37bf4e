// A trace laid out in memory, as assembly/program/program.ts reads it, and run by one call.
import { dtypes, type TypedArray } from '../dtypes.ts';
import type { Runtime } from '../engine/engine.ts';
import { loops } from '../engine/loops.ts';
import { operandsOf, type Ref } from '../kernels/command.ts';
import { encode, encodeLoop, LOOP_WORDS, Words, wordsOf } from '../kernels/encode.ts';
import type { Block } from '../memory/arena.ts';
import type { Constant } from './graph.ts';
import type { Lowered } from './lower.ts';
import { type Plan, planMemory } from './plan.ts';
import { type Step, stepsOf, type Task } from './steps.ts';
import type { Node } from './trace.ts';

/** What a step is, for people. */
export interface StepInfo {
  readonly step: Step;
  /** Byte addresses of its first word and of that behind its last. */
  readonly from: number;
  readonly to: number;
}

/** Which words hold addresses in a block that is not the program's: they change when it moves. */
export interface Place {
  readonly words: { at: number; offset: number }[];
  pointer: number;
}

loops.load = async () => {
  const { adopting } = await import('./loop-kernels.ts');
  return (workshop) => adopting(workshop, { operandsOf, wordsOf });
};

/** Runs after which loops get kernels of their own: to make one takes as long as a few runs. */
const EARLY = 3;

const ALIGN = 64;
const alignUp = (bytes: number): number => Math.ceil(bytes / ALIGN) * ALIGN;

/** What a program is made of, and what of it lasts. */
export interface Source {
  /** The graph of ops, for people. */
  readonly nodes: readonly Node[];
  readonly commands: readonly Lowered[];
  /** What holds the same in every run. */
  readonly constants: readonly Constant[];
  /** Whether a block is known to the program alone. */
  readonly inside: (block: Block) => boolean;
  /** Blocks whose memory comes with each run, or may move: move() says where they are. */
  readonly outside: ReadonlySet<Block>;
  /** Whether a block is read after a run. */
  readonly alive: (block: Block) => boolean;
}

export class Program {
  /** The graph of ops that it was made of. */
  readonly nodes: readonly Node[];
  readonly infos: StepInfo[] = [];
  /** Bytes of the intermediates together. */
  readonly planned: number;
  readonly #places = new Map<Block, Place>();
  readonly #runtime: Runtime;
  readonly #code: Block;
  readonly #memory: Block | null;
  readonly #plan: Plan;
  /** Addresses of blocks that hold the same in every run. */
  readonly #constants = new Map<Block, number>();
  readonly #begin: number;
  readonly #end: number;
  #runs = 0;

  /** @throws OutOfMemoryError */
  constructor(runtime: Runtime, { nodes, commands, constants, inside, outside, alive }: Source) {
    this.#runtime = runtime;
    const { arena, threads } = runtime;
    this.nodes = nodes;
    const made = new Set(constants.map(({ x }) => x.block));
    const planned = (block: Block): boolean => inside(block) && !made.has(block);
    const steps = stepsOf(commands, inside, alive);
    const plan = planMemory(steps, planned, threads.intermediateBytes);
    this.planned = plan.bytes;
    this.#plan = plan;
    const bytesOfConstants = constants.reduce((sum, { x }) => sum + x.block.bytes, 0);
    const total = alignUp(plan.bytes) + bytesOfConstants;
    this.#memory = total > 0 ? arena.lasting(total, 'compile') : null;
    this.#placeConstants(constants, alignUp(plan.bytes));
    const lengths = steps.map(({ tasks, loop }) =>
      tasks.reduce((sum, { command }) => sum + wordsOf(command), loop ? LOOP_WORDS : 0),
    );
    const bytes = 4 * lengths.reduce((a, b) => a + b, 0);
    try {
      this.#code = arena.lasting(bytes, 'compile');
    } catch (error) {
      this.#memory?.free();
      throw error;
    }
    this.#begin = this.#code.ptr;
    this.#end = this.#begin + bytes;
    this.#write(steps, lengths, outside);
  }

  /** Puts constants behind the memory that was planned. @param from bytes from the start of the memory */
  #placeConstants(constants: readonly Constant[], from: number): void {
    const { arena } = this.#runtime;
    let offset = from;
    for (const constant of constants) {
      const { block, dtype, size } = constant.x;
      if ('same' in constant) {
        this.#constants.set(block, constant.same.ptr);
        continue;
      }
      const address = (this.#memory as Block).ptr + offset;
      const first = address / dtypes[dtype].bytes;
      (arena[dtype] as TypedArray).fill(constant.value, first, first + size);
      this.#constants.set(block, address);
      offset += block.bytes;
    }
  }

  #write(steps: readonly Step[], lengths: readonly number[], outside: ReadonlySet<Block>): void {
    const plan = this.#plan;
    const words = new Words(this.#runtime.arena, this.#begin);
    const waits = this.#runtime.threads.barriers(steps, plan);
    const addressOf = ({ block, offset }: Ref, at: number): number => {
      const inside = plan.offsets.get(block);
      if (inside !== undefined) return (this.#memory as Block).ptr + inside + offset;
      const constant = this.#constants.get(block);
      if (constant !== undefined) return constant + offset;
      if (!outside.has(block)) return block.ptr + offset;
      let place = this.#places.get(block);
      if (!place) {
        place = { words: [], pointer: 0 };
        this.#places.set(block, place);
      }
      place.words.push({ at, offset });
      return 0;
    };
    steps.forEach((step, i) => {
      const from = words.address;
      const sync = waits?.[i] ?? false;
      const loop = plan.loops.get(step);
      const [first] = step.tasks as [Task];
      if (loop) {
        const units = first.slices?.units as number;
        const body = step.tasks.length;
        encodeLoop(words, { length: lengths[i] as number, units, block: loop.units, body, sync });
      }
      for (const { command, slices } of step.tasks)
        encode(words, command, slices, !loop && sync, addressOf, loop?.offsets);
      this.infos.push({ step, from, to: words.address });
    });
  }

  /** Where the program names an outside block; undefined: nowhere. */
  placeOf(block: Block): Place | undefined {
    return this.#places.get(block);
  }

  /** Says where an outside block is now. */
  move(place: Place | undefined, pointer: number): void {
    if (!place || place.pointer === pointer) return;
    place.pointer = pointer;
    const { i32 } = this.#runtime.arena;
    for (const { at, offset } of place.words) i32[at] = pointer + offset;
  }

  /**
   * Runs it.
   * @param stopped gets each check that stops it, and throws, or does what a step of the host does: then it goes on
   */
  run(stopped: (check: Lowered) => void, from = this.#begin, to = this.#end): void {
    if (from === this.#begin && ++this.#runs === EARLY) this.#runtime.adopt?.(this.infos, this.#plan.loops);
    for (let at = from; at < to; ) {
      const answer = this.#runtime.threads.run(at, to);
      if (answer === 0) return;
      const found = this.infos.find((info) => info.from === answer) as StepInfo;
      stopped((found.step.tasks[0] as Task).command);
      at = found.to;
    }
  }

  /** Runs it step by step. @param timed gets each step before it runs, and runs it */
  runTimed(stopped: (check: Lowered) => void, timed: (step: Step, run: () => void) => void): void {
    for (const { step, from, to } of this.infos) timed(step, () => this.run(stopped, from, to));
  }

  /** Where a block lies during a run. */
  addressOf(block: Block): number {
    const offset = this.#plan.offsets.get(block);
    if (offset !== undefined) return (this.#memory as Block).ptr + offset;
    return this.#constants.get(block) ?? this.#places.get(block)?.pointer ?? block.ptr;
  }

  dispose(): void {
    this.#code.free();
    this.#memory?.free();
  }
}
