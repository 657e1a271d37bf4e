// All that the next step depends on, and how it is taken over: checked as a whole before anything changes.
import { isPlain } from '../kinds.ts';
import { describe, FormatError } from '../memory/errors.ts';
import type { Module } from '../nn/module.ts';
import type { StateDict } from '../nn/state.ts';
import type { Optimizer, OptimizerState } from '../optim/optimizer.ts';
import { getRngState, setRngState } from '../random.ts';
import type { Place } from './feed.ts';
import type { Progress } from './position.ts';
import type { Schedule } from './schedules.ts';
import type { Measured } from './stepper.ts';

/** What a checkpoint has. */
export interface Saved {
  readonly model: unknown;
  readonly optimizers: readonly unknown[];
  readonly schedules: readonly unknown[];
  readonly random: readonly number[];
  readonly place: Place;
  readonly progress: Progress;
  readonly scheduling: boolean;
  readonly measured: Measured | null;
  readonly callbacks: Readonly<Record<string, unknown>>;
}

/** What has a state of its own. */
interface Parts {
  readonly model: Module;
  readonly optimizers: readonly Optimizer<object>[];
  readonly schedules: readonly Schedule[];
}

/** What is saved of the parts that have a state of their own. */
export const partsState = ({
  model,
  optimizers,
  schedules,
}: Parts): Pick<Saved, 'model' | 'optimizers' | 'schedules' | 'random'> => ({
  model: model.stateDict(),
  optimizers: optimizers.map((each) => each.stateDict()),
  schedules: schedules.map(({ scheduler }) => scheduler.stateDict()),
  random: [...getRngState()],
});

function expectAsMany(what: string, own: readonly unknown[], saved: unknown): void {
  if (!Array.isArray(saved) || saved.length !== own.length)
    throw new FormatError(
      `decodeCheckpoint: expected the states of ${own.length} ${what}, got ${Array.isArray(saved) ? saved.length : describe(saved)}`,
    );
}

/** Checks a state. @returns what takes over its parts, and cannot fail */
export function prepareParts({ model, optimizers, schedules }: Parts, saved: unknown): () => void {
  const known = ['model', 'optimizers', 'schedules', 'random', 'place', 'progress', 'callbacks'];
  const lack = isPlain(saved) ? known.find((name) => !(name in saved)) : 'state';
  if (lack !== undefined) throw new FormatError(`decodeCheckpoint: expected a state with ${lack}, got none`);
  const state = saved as unknown as Saved;
  expectAsMany('optimizers', optimizers, state.optimizers);
  expectAsMany('schedules', schedules, state.schedules);
  const commits = [
    model.prepareStateDict(state.model as StateDict),
    ...optimizers.map((each, i) => each.prepareStateDict(state.optimizers[i] as OptimizerState)),
    ...schedules.map(({ scheduler }, i) => scheduler.prepareState(state.schedules[i])),
  ];
  return () => {
    for (const commit of commits) commit();
    setRngState(state.random);
  };
}
