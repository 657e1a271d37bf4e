// What makes kernels for the loops of programs. compile() brings it, and so programs without do not load it; it is here
// when init() is over, since what runs then may never wait for anything.
import type { Arena } from '../memory/arena.ts';
import type { BuildName } from './builds.ts';
import type { LoopKernel } from './instance.ts';

/** What kernels of loops are made with. */
export interface Workshop {
  readonly arena: Arena;
  readonly build: BuildName;
  /** Whether pairs of vectors are joined. */
  readonly revectorized: boolean;
  /** Those that were made, by their numbers. */
  readonly kernels: LoopKernel[];
  /** Takes a reason for loops without one. */
  note(reason: string): void;
}

/**
 * Gives the loops among the steps of a program kernels, where all of their commands can be a part of one.
 * @param infos a step each, with the address of its words @param loops which steps are loops
 */
export type Adopt = (
  infos: readonly { readonly step: object; readonly from: number }[],
  loops: ReadonlyMap<object, object>,
) => void;

/** Loads what makes them, where the program has it. */
export const loops: { load: (() => Promise<(workshop: Workshop) => Adopt>) | null } = { load: null };
