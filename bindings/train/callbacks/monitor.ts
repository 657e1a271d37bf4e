// What callbacks share that watch a figure.
import { orList } from '../../kinds.ts';
import { ArgumentError } from '../../memory/errors.ts';
import type { Figures } from './callback.ts';

/** Whether less is better, or more. */
export type Mode = 'min' | 'max';

/** The figure that a callback watches. @throws ArgumentError where there is none of that name */
export function monitored(op: string, monitor: string, figures: Readonly<Figures>): number {
  const value = figures[monitor];
  if (value === undefined)
    throw new ArgumentError(
      `${op}: expected the figure '${monitor}', got ${orList(Object.keys(figures))}; give it another monitor` +
        (monitor.startsWith('val') ? ', or fit() validation data' : ''),
    );
  return value;
}

/** Whether `a` is better than `b` by more than `by`. NaN is the worst. */
export const isBetter = (mode: Mode, a: number, b: number, by = 0): boolean =>
  Number.isNaN(b) ? !Number.isNaN(a) : mode === 'min' ? a < b - by : a > b + by;
