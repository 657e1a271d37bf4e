// What runs kernels and programs on this thread alone; thread-pool.ts is what does so with others.
import type { EagerCall, EagerKernel } from '../kernels/eager.ts';
import type { Arena } from '../memory/arena.ts';
import type { Places, Touching } from './barriers.ts';
import type { Exports } from './instance.ts';
import type { Lists } from './lists.ts';
import { isNode } from './platform.ts';

/** What runs kernels and programs. */
export interface Threads {
  /** Threads that work now, those included that the first call worth their time would start. */
  readonly size: number;
  /** Bytes of the scratch for intermediates of loops. */
  readonly intermediateBytes: number;
  /**
   * A kernel or probe that shares its calls among the threads where that is worth their time, and comes after those
   * that are under way. @param alone calls it here
   */
  sharing(kernel: EagerKernel, alone: EagerCall): EagerCall;
  /** Of each step of a program, whether the threads have to wait before it; null: before none. */
  barriers<S extends Touching>(steps: readonly S[], places: Places<S>): readonly boolean[] | null;
  /** Runs the words of a program. @returns the address of the check that stopped it, or 0 @throws WorkerError */
  run(from: number, to: number): number;
  /** Waits, without giving way to other code, for workers that were to be started later. For threads that may sleep. */
  settle(): void;
  stop(): void;
}

export class OneThread implements Threads {
  readonly size = 1;
  readonly arena: Arena;
  readonly exports: Exports;
  readonly lists: Lists;
  /** By thread, where it packs, and where it keeps the intermediates of loops. */
  readonly workspaces: number[] = [];
  readonly scratches: number[] = [];

  constructor(arena: Arena, exports: Exports, lists: Lists) {
    this.arena = arena;
    this.exports = exports;
    this.lists = lists;
    this.makeRoom(1);
    this.takePart(1, 0);
  }

  /** Where this thread packs. */
  get workspace(): number {
    return this.workspaces[0] as number;
  }

  /** Puts a list where kernels can read it. @returns its address */
  list(words: readonly number[]): number {
    return this.lists.put(words);
  }

  /** Makes room for so many threads. @throws OutOfMemoryError */
  makeRoom(threads: number): void {
    for (let i = this.workspaces.length; i < threads; i++) {
      this.workspaces.push(this.arena.reserve(Number(this.exports.gemm_workspace_bytes?.())));
      this.scratches.push(this.arena.reserve(Number(this.exports.program_scratch_bytes?.())));
    }
  }

  /** Makes this thread the first of `count`. */
  takePart(count: number, control: number): void {
    // The main thread of a page must not sleep.
    const sleeps = isNode || typeof document === 'undefined';
    const [workspace, scratch] = [this.workspaces[0], this.scratches[0]] as [number, number];
    this.exports.thread_start?.(0, count, control, workspace, scratch, Number(sleeps));
  }

  sharing(_kernel: EagerKernel, alone: EagerCall): EagerCall {
    return alone;
  }

  barriers(): null {
    return null;
  }

  settle(): void {}

  stop(): void {}

  get intermediateBytes(): number {
    return Number(this.exports.program_intermediate_bytes?.());
  }

  run(from: number, to: number): number {
    return Number(this.exports.program_run?.(from, to)) >>> 0;
  }
}
