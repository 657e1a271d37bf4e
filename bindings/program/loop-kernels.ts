// Kernels that are made while a program runs, one for each of its loops; loop-code.ts writes them. Programs without
// compile() do not load this. As thread-pool.ts, it takes what it needs of the library as an argument.
import type { LoopKernel } from '../engine/instance.ts';
import type { Loops, Workshop } from '../engine/loops.ts';
import { type Layout, loopModule } from './loop-code.ts';
import type { LoopPlan } from './plan.ts';
import type { Step } from './steps.ts';

/** Words of a loop's header: the number of its kernel, and where other threads find the module. */
const KERNEL = 5;
const MODULE = 6;

/** Kernels that there may be: most programs have some ten. */
const MOST = 1000;

/** A kernel that was made. */
interface Made {
  readonly number: number;
  /** Address of the length of the module, and of the module behind it; 0 where no other thread reads it. */
  readonly module: number;
}

export class LoopKernels implements Loops {
  readonly #workshop: Workshop & Layout;
  /** By the bytes of their modules; null: the engine refused. */
  readonly #made = new Map<string, Made | null>();
  #refused = false;

  constructor(workshop: Workshop & Layout) {
    this.#workshop = workshop;
  }

  /** How many there are. */
  get size(): number {
    return this.#workshop.kernels.length;
  }

  /** Gives a loop its kernel, if all of its commands can be a part of one. @param address of the loop's words */
  adopt({ tasks }: Step, { offsets }: LoopPlan, address: number): void {
    if (this.#refused) return;
    const { arena, shared, relaxed } = this.#workshop;
    const module = loopModule({ tasks, inside: offsets, shared, relaxed }, this.#workshop);
    const made = module && this.#kernelOf(module);
    if (!made) return;
    arena.i32[address / 4 + KERNEL] = made.number;
    arena.i32[address / 4 + MODULE] = made.module;
  }

  #kernelOf(module: Uint8Array<ArrayBuffer>): Made | null {
    const key = String.fromCharCode(...module);
    let made = this.#made.get(key);
    if (made === undefined && this.#made.size < MOST) {
      made = this.#make(module);
      this.#made.set(key, made);
    }
    return made ?? null;
  }

  #make(bytes: Uint8Array<ArrayBuffer>): Made | null {
    const { arena, memory, kernels, shared, note } = this.#workshop;
    try {
      const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes), { env: { memory } });
      const module = shared ? arena.reserve(4 + bytes.length) : 0;
      if (shared) {
        arena.i32[module / 4] = bytes.length;
        arena.u8.set(bytes, module + 4);
      }
      return { number: kernels.push(exports.f as LoopKernel), module };
    } catch (error) {
      this.#refused = true;
      note(`chains of elementwise ops run op by op: ${(error as Error).message}`);
      return null;
    }
  }
}
