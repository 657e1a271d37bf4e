// All that the next step depends on, and how it is taken over: checked as a whole before anything changes.
import { isPlain } from '../kinds.ts';
import { describe, FormatError } from '../memory/errors.ts';
import type { Module } from '../nn/module.ts';
import type { StateDict } from '../nn/state.ts';
import type { Optimizer, OptimizerState } from '../optim/optimizer.ts';
import { getRngState, setRngState } from '../random.ts';
import { decodeState, encodeState } from './checkpoint.ts';
import type { Place } from './feed.ts';
import type { Listeners } from './listeners.ts';
import type { Position, Progress } from './position.ts';
import type { Schedule } from './schedules.ts';
import type { Measured, Stepper } from './stepper.ts';

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

/** What of a trainer has a state. */
export interface Stateful {
  readonly model: Module;
  readonly optimizers: readonly Optimizer<object>[];
  readonly schedules: readonly Schedule[];
  readonly stepper: Stepper;
  readonly listeners: Listeners;
  readonly at: Position;
  scheduling: boolean;
}

/** All that the next step depends on, with the tensors themselves. */
export function savedOf(trainer: Stateful, callbacks: Saved['callbacks']): Saved {
  const { model, optimizers, schedules, stepper, at, scheduling } = trainer;
  // First: where a pass has not begun, the loader may draw its seed here.
  const place = at.place();
  return {
    model: model.stateDict(),
    optimizers: optimizers.map((each) => each.stateDict()),
    schedules: schedules.map(({ scheduler }) => scheduler.stateDict()),
    random: [...getRngState()],
    place,
    progress: at.progress(),
    scheduling,
    measured: at.ended ? null : stepper.state(),
    callbacks,
  };
}

function expectAsMany(what: string, own: readonly unknown[], saved: unknown): void {
  if (!Array.isArray(saved) || saved.length !== own.length)
    throw new FormatError(
      `decodeCheckpoint: expected the states of ${own.length} ${what}, got ${Array.isArray(saved) ? saved.length : describe(saved)}`,
    );
}

/** What a state has to have. */
const KNOWN = ['model', 'optimizers', 'schedules', 'random', 'place', 'progress', 'callbacks'];

/** Takes over what {@link savedOf} gave. @throws before anything but callbacks has changed */
export function takeOver(trainer: Stateful, saved: unknown): void {
  const { model, optimizers, schedules, stepper, listeners, at } = trainer;
  const lack = isPlain(saved) ? KNOWN.find((name) => !(name in saved)) : 'anything';
  if (lack !== undefined) throw new FormatError(`decodeCheckpoint: expected a state with ${lack}, got none`);
  const state = saved as unknown as Saved;
  expectAsMany('optimizers', optimizers, state.optimizers);
  expectAsMany('schedules', schedules, state.schedules);
  const commits = [
    model.prepareStateDict(state.model as StateDict),
    ...optimizers.map((each, i) => each.prepareStateDict(state.optimizers[i] as OptimizerState)),
    ...schedules.map(({ scheduler }, i) => scheduler.prepareState(state.schedules[i])),
  ];
  listeners.loadState(state.callbacks);
  for (const commit of commits) commit();
  setRngState(state.random);
  at.load(state.progress, state.place);
  trainer.scheduling = state.scheduling;
  stepper.begin();
  if (state.measured) stepper.loadState(state.measured);
}

/** Visits all batches of a pass, without an effect on the place in the data and on generators. */
export async function lookOver({ at }: Stateful, visit: (batch: unknown) => void): Promise<void> {
  const place = at.place();
  const random = getRngState();
  await at.feed?.visit((batch) => {
    visit(batch);
    return true;
  });
  at.resume = place;
  setRngState(random);
}

/** Visits batches, of several passes if need be, until `visit` gives false; and undoes all that it did. */
export async function rehearse(trainer: Stateful, visit: (batch: unknown) => boolean): Promise<void> {
  const before = encodeState(savedOf(trainer, {}), null);
  let [goesOn, count] = [true, 0];
  try {
    while (goesOn) {
      const seen = count;
      await trainer.at.feed?.visit((batch) => {
        count++;
        goesOn = visit(batch);
        return goesOn;
      });
      if (count === seen) break; // there are none
    }
  } finally {
    takeOver(trainer, decodeState(before).state);
  }
}
