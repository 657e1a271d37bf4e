// What makes kernels for the loops of programs. compile() brings it, and so programs without do not load it; it is here
// when init() is over, since what runs then may never wait for anything.
import type { Arena } from '../memory/arena.ts';
import type { LoopKernel } from './instance.ts';

/** What kernels of loops are made with. */
export interface Workshop {
  readonly arena: Arena;
  readonly memory: WebAssembly.Memory;
  readonly shared: boolean;
  readonly relaxed: boolean;
  /** Those that were made, by their numbers. */
  readonly kernels: LoopKernel[];
  /** Takes a reason for loops without one. */
  note(reason: string): void;
}

/** What makes them; see program/loop-kernels.ts, which says what it is given. */
export interface Loops {
  /** Gives a loop its kernel, if all of its commands can be a part of one. @param address of the loop's words */
  adopt(step: object, plan: object, address: number): void;
}

/** Loads what makes them, where the program has it. */
export const loops: { load: (() => Promise<(workshop: Workshop) => Loops>) | null } = { load: null };
