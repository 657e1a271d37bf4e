// Schedules of learning rates: when each makes a step, and by which figure.
import { ArgumentError, describe } from '../memory/errors.ts';
import { expectCount, LRScheduler } from '../optim/lr-scheduler/base.ts';
import { ReduceLROnPlateau } from '../optim/lr-scheduler/plateau.ts';
import type { Figures } from './callbacks/callback.ts';
import { expectKeys } from './expect.ts';

/** When a schedule makes its steps. */
export interface ScheduleConfig {
  /** The schedule. */
  scheduler: LRScheduler;
  /** After each step of the optimizer, or after each epoch and its validation. @defaultValue `'epoch'` */
  interval?: 'step' | 'epoch';
  /** After every so many of them. @defaultValue 1 */
  frequency?: number;
  /** The figure that a ReduceLROnPlateau looks at. @defaultValue `'valLoss'` */
  monitor?: string;
}

/** One schedule with all of its settings. */
export interface Schedule extends Required<ScheduleConfig> {}

/** @throws ArgumentError for what is no schedule */
export function schedulesOf(given: unknown): Schedule[] {
  const list = given === null ? [] : Array.isArray(given) ? given : [given];
  return list.map((each): Schedule => {
    const config: Partial<ScheduleConfig> = each instanceof LRScheduler ? { scheduler: each } : Object(each);
    const { scheduler, interval = 'epoch', frequency = 1, monitor = 'valLoss' } = config;
    if (!(scheduler instanceof LRScheduler))
      throw new ArgumentError(
        `Trainer: expected a schedule of optim.lrScheduler, or { scheduler, interval }, got ${describe(each)} as schedule`,
      );
    expectKeys('schedule', config, ['scheduler', 'interval', 'frequency', 'monitor']);
    if (interval !== 'step' && interval !== 'epoch')
      throw new ArgumentError(
        `Trainer: expected 'step' or 'epoch' as interval of a schedule, got ${describe(interval)}`,
      );
    expectCount('Trainer', 'frequency of a schedule', frequency);
    return { scheduler, interval, frequency, monitor };
  });
}

/** Makes the steps of schedules that are due after `count` of what they count. */
export function stepSchedules(
  schedules: readonly Schedule[],
  interval: 'step' | 'epoch',
  count: number,
  figures: Readonly<Figures>,
): void {
  for (const { scheduler, frequency, monitor, ...each } of schedules) {
    if (each.interval !== interval || count % frequency !== 0) continue;
    if (!(scheduler instanceof ReduceLROnPlateau)) scheduler.step();
    else if (figures[monitor] !== undefined) scheduler.step(figures[monitor]);
    else
      throw new ArgumentError(
        `fit: expected the figure '${monitor}' for ReduceLROnPlateau, got ${Object.keys(figures).join(', ')}; ` +
          'give fit() validation data, or the schedule another monitor',
      );
  }
}
