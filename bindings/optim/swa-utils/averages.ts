// How averages of weights are computed anew (PyTorch's functions of swa_utils).
import { ops, withoutTape } from '../../autograd.ts';
import { add, lerp, reciprocal, to } from '../../functional/functions.ts';
import { scope } from '../../scope.ts';
import { type Callable, callable } from '../../signature.ts';
import type { Tensor } from '../../tensor.ts';
import { expectWithin } from '../lr-scheduler/base.ts';

/** The new average from the one before, the weights now, and how many there are in it, f32 []. */
export type AvgFn = (averaged: Tensor, current: Tensor, numAveraged: Tensor) => Tensor;
/** Writes the new averages of a list of weights in place. */
export type MultiAvgFn = (averaged: readonly Tensor[], current: readonly Tensor[], numAveraged: Tensor) => void;

/** Options of {@link getEmaAvgFn} and {@link getEmaMultiAvgFn}. */
export interface EmaOptions {
  /** The share of the average in the next one, from 0 to 1. @defaultValue 0.999 */
  decay?: number;
}

/** What is `share` of the way from one to the other; of integers without its fraction. */
function blend(x: Tensor, y: Tensor, share: Tensor | number): Tensor {
  if (x.dtype === 'f32') return lerp(x, y, share);
  return to(lerp(to(x, 'f32'), to(y, 'f32'), share), x.dtype);
}

/** Writes what `next` gives for each: all, or none where memory runs out. */
export function writeAll(averaged: readonly Tensor[], next: (x: Tensor, i: number) => Tensor): void {
  withoutTape(() =>
    scope(() => {
      const made = averaged.map(next);
      for (const [i, y] of averaged.entries()) ops.copy({ y, x: made[i] as Tensor });
    }),
  );
}

const each =
  (share: (n: Tensor) => Tensor | number): AvgFn =>
  (averaged, current, n) =>
    withoutTape(() => blend(averaged, current, share(n)));
const all =
  (share: (n: Tensor) => Tensor | number): MultiAvgFn =>
  (averaged, current, n) =>
    writeAll(averaged, (x, i) => blend(x, current[i] as Tensor, share(n)));

/** The share of the newest of all weights in their mean. */
const ofMean = (n: Tensor): Tensor => reciprocal(add(n, 1));
/** The same of an exponential average. @throws ArgumentError */
function ofEma(op: string, decay: number): () => number {
  expectWithin(op, 'decay', decay, 0, 1);
  return () => 1 - decay;
}

/**
 * Gives what computes the exponential average of one tensor, decay · average + (1 − decay) · weights.
 * @throws ArgumentError for a decay that is not from 0 to 1
 */
export const getEmaAvgFn = callable<Callable<[], [decay: number], EmaOptions, AvgFn>>(
  'getEmaAvgFn(decay: number = 0.999)',
  (decay: number): AvgFn => each(ofEma('getEmaAvgFn', decay)),
);
/**
 * Gives what computes the exponential averages of all tensors, decay · average + (1 − decay) · weights.
 * @throws ArgumentError for a decay that is not from 0 to 1
 */
export const getEmaMultiAvgFn = callable<Callable<[], [decay: number], EmaOptions, MultiAvgFn>>(
  'getEmaMultiAvgFn(decay: number = 0.999)',
  (decay: number): MultiAvgFn => all(ofEma('getEmaMultiAvgFn', decay)),
);
/** Gives what computes the mean of all weights so far, of one tensor. */
export const getSwaAvgFn: () => AvgFn = callable<() => AvgFn>('getSwaAvgFn()', () => each(ofMean));
/** Gives what computes the means of all weights so far, of all tensors. */
export const getSwaMultiAvgFn: () => MultiAvgFn = callable<() => MultiAvgFn>('getSwaMultiAvgFn()', () => all(ofMean));
