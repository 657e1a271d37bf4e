// Kernels that are made while a program runs, one for each of its loops; loop-code.ts writes them. Programs without
// compile() do not load this. As thread-pool.ts, it takes what it needs of the library as an argument.
import type { LoopKernel } from '../engine/instance.ts';
import type { Adopt, Workshop } from '../engine/loops.ts';
import { type Layout, loopModule } from './loop-code.ts';
import type { LoopPlan } from './plan.ts';
import type { Step } from './steps.ts';

/** Words of a loop's header: the number of its kernel, and where other threads find the module. */
const KERNEL = 5;
const MODULE = 6;

/** Kernels that there may be, and bytes of a module: most programs have some ten, of a few kB. */
const MOST = 1000;
const MOST_BYTES = 2 ** 16;

/** A kernel that was made. */
interface Made {
  readonly number: number;
  /** Address of the length of the module, and of the module behind it; 0 where no other thread reads it. */
  readonly module: number;
}

class LoopKernels {
  readonly #workshop: Workshop & Layout;
  /** By the bytes of their modules; null: the engine refused. */
  readonly #made = new Map<string, Made | null>();
  /** Whether it refuses all. */
  #refused = false;

  constructor(workshop: Workshop & Layout) {
    this.#workshop = workshop;
  }

  /** Gives a loop its kernel, if all of its commands can be a part of one. @param address of the loop's words */
  adopt({ tasks }: Step, { offsets }: LoopPlan, address: number): void {
    if (this.#refused) return;
    const { arena, build } = this.#workshop;
    const module = loopModule({ tasks, inside: offsets, build }, this.#workshop);
    const made = module && module.length <= MOST_BYTES && this.#kernelOf(module);
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
    const { arena, build, kernels, note } = this.#workshop;
    const shared = build.endsWith('-threads');
    try {
      const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes), { env: { memory: arena.memory } });
      const module = shared ? arena.reserve(4 + bytes.length) : 0;
      if (shared) {
        arena.i32[module / 4] = bytes.length;
        arena.u8.set(bytes, module + 4);
      }
      return { number: kernels.push(exports.f as LoopKernel), module };
    } catch (error) {
      // Chrome before 115 refuses long modules alone.
      if (error instanceof RangeError) return null;
      this.#refused = true;
      note(`chains of elementwise ops run op by op: ${(error as Error).message}`);
      return null;
    }
  }
}

/** What gives the loops of programs kernels. */
export function adopting(workshop: Workshop, layout: Layout): Adopt {
  if (workshop.revectorized) {
    // What is made while it runs nobody has compared with other vectors.
    workshop.note('chains of elementwise ops run op by op: vectors of 256 bits');
    return () => {};
  }
  const kernels = new LoopKernels({ ...workshop, ...layout });
  return (infos, loops) => {
    for (const { step, from } of infos) {
      const plan = loops.get(step);
      if (plan) kernels.adopt(step as Step, plan as LoopPlan, from);
    }
  };
}
