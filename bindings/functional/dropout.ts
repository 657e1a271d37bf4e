// Dropout.
import { ops } from '../autograd.ts';
import { ArgumentError } from '../memory/errors.ts';
import { defaultGenerator } from '../random.ts';
import { type Callable, callable } from '../signature.ts';
import type { Tensor } from '../tensor.ts';
import { type InplaceOptions, overwrite } from './overwrite.ts';

/** Options of {@link dropout}. */
export interface DropoutOptions extends InplaceOptions {
  /** The probability from 0 to 1 that an element becomes 0. @defaultValue 0.5 */
  p?: number;
  /** Whether anything is dropped at all. @defaultValue true */
  training?: boolean;
}

/** A function that drops elements. */
export type DropoutFunction = Callable<
  [x: Tensor],
  [p: number, training: boolean, inplace: boolean],
  DropoutOptions,
  Tensor
>;

const drop = (x: Tensor, p: number): Tensor => ops.dropout({ x, state: defaultGenerator() }, { p });

/**
 * Sets each element to 0 with probability p and scales the others by 1 / (1 − p) (Srivastava et al. 2014); x itself
 * when not training.
 * @throws ArgumentError for p outside of 0 … 1
 */
export const dropout = callable<DropoutFunction>(
  'dropout(x: Tensor, p: number = 0.5, training: bool = true, inplace: bool = false)',
  (x: Tensor, p: number, training: boolean, inplace: boolean) => {
    if (!(p >= 0 && p <= 1)) throw new ArgumentError(`dropout: expected p from 0 to 1, got ${p}`);
    if (!training || p === 0) return x;
    return inplace ? overwrite(x, drop, [p]) : drop(x, p);
  },
);
