// How a trainer shares its work with other processes. Those who know how say so by a name: this layer knows none.
import { isPlain } from '../kinds.ts';
import { ArgumentError, describe } from '../memory/errors.ts';
import type { Module } from '../nn/module.ts';
import type { Figures } from './callbacks/callback.ts';
import type { StepParts, StrategyConfig } from './options.ts';

/** What a trainer does together with others; all ranks call the same in the same order. */
export interface Sharing {
  /** Whether this rank prints and writes. */
  readonly first: boolean;
  /** Whether `pass` has to take batches apart. */
  readonly cuts: boolean;
  /**
   * Begins a pass over batches. @param source what gives them @param length how many; undefined: it does not say
   * @throws where others have more of them, or all the same
   */
  begin(source: unknown, length: number | undefined): void;
  /** Before each batch, from 1 on, and at the end of a pass. @throws where it goes on for some, and for others not */
  turn(goesOn: boolean, batch: number): void;
  /**
   * Computes gradients of a batch.
   * @param one does so for a batch, or a part of it, and gives what the step gives
   * @param last whether a step of the optimizer follows: before, gradients may be those of this rank alone
   */
  pass(one: (batch: unknown) => StepParts, batch: unknown, last: boolean): StepParts;
  /** Makes gradients those of all ranks, where a step follows batches of which none was the last. */
  gather(): void;
  /** Means of all ranks, and the sum of their weights. */
  means(figures: Figures, weight: number): { readonly figures: Figures; readonly weight: number };
  /** Sums of all ranks. */
  sums(figures: Figures): Figures;
  /** What the first rank that has a reason gives. */
  agreeOn(reason: string | null): string | null;
  /** What the first rank says. */
  decide(value: boolean): boolean;
  /** Has all have the first rank's buffers, when batches are done. */
  settle(): void;
  /** Waits for all. */
  barrier(): void;
}

const ALONE: Sharing = {
  first: true,
  cuts: false,
  begin: () => {},
  turn: () => {},
  pass: (one, batch) => one(batch),
  gather: () => {},
  means: (figures, weight) => ({ figures, weight }),
  sums: (figures) => figures,
  agreeOn: (reason) => reason,
  decide: (value) => value,
  settle: () => {},
  barrier: () => {},
};

/** What makes a model one that ranks share. */
export type Strategy = (model: Module, options: Readonly<Record<string, unknown>>) => Sharing;

const strategies = new Map<string, Strategy>();

/** Makes a strategy known. */
export function registerStrategy(name: string, strategy: Strategy): void {
  strategies.set(name, strategy);
}

/** @throws ArgumentError where nobody has made a strategy of that name known */
export function sharingOf(model: Module, given: unknown): Sharing {
  if (given === null) return ALONE;
  const { name, ...options } = (isPlain(given) ? given : { name: given }) as StrategyConfig;
  const strategy = strategies.get(name);
  if (strategy) return strategy(model, options);
  const cure =
    name === 'ddp'
      ? "import 'retrograd/distributed' first, which has it"
      : "'ddp' is there once 'retrograd/distributed' is imported";
  throw new ArgumentError(`Trainer: expected a strategy that is known, got ${describe(name)}; ${cure}`);
}
