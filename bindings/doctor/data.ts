// What data looks like: its columns, its classes.

import { histc } from '../functional/count.ts';
import * as F from '../functional/functions.ts';
import type { Tensor } from '../tensor.ts';
import type { Batch } from './evaluate.ts';

export interface Columns {
  readonly mean: ArrayLike<number>;
  readonly std: ArrayLike<number>;
}

export interface Data {
  readonly rows: number;
  /** The shape of one input. */
  readonly shape: readonly number[];
  /** Numbers, and not the indices of an embedding. */
  readonly numeric: boolean;
  /** By number of a flattened input. */
  readonly columns: Columns;
  readonly low: number;
  readonly high: number;
  readonly finite: boolean;
  /** Whole numbers only. */
  readonly whole: boolean;
  readonly target: {
    /** The least and the largest sum of a row; null: rows are single values, or classes. */
    readonly sums: readonly [number, number] | null;
    /** Whether some row has more than one number other than 0. */
    readonly several: boolean;
    readonly shape: readonly number[];
    /** Whole numbers from 0, few of them. */
    readonly classes: number;
    readonly counts: readonly number[];
    readonly whole: boolean;
    readonly low: number;
    readonly high: number;
    readonly mean: number;
    readonly std: number;
    readonly integer: boolean;
    readonly distinct: number;
  };
}

const sameTail = (a: Tensor, b: Tensor): boolean =>
  a.ndim === b.ndim && a.sizes.every((size, d) => d === 0 || size === b.sizes[d]);

/** All batches whose inputs and targets have the shapes of the first. */
export function joined(batches: readonly Batch[]): [x: Tensor, y: Tensor] | null {
  const [first] = batches;
  if (!first) return null;
  const alike = batches.filter(([x, y]) => sameTail(x, first[0]) && sameTail(y, first[1]));
  return [F.cat(alike.map(([x]) => x)), F.cat(alike.map(([, y]) => y))];
}

/** One row a sample. */
export const flat = (x: Tensor): Tensor => F.reshape(x.to('f32'), [x.sizes[0] as number, -1]);

export function dataOf(batches: readonly Batch[]): Data | null {
  const all = joined(batches);
  if (!all || all[0].size === 0 || all[0].ndim === 0 || all[1].size === 0) return null;
  const [x, y] = all;
  const table = flat(x);
  const t = F.reshape(y.to('f32'), [-1]);
  const [low, high] = [F.min(t).item(), F.max(t).item()];
  const whole = F.mean(F.eq(t, F.round(t)).to('f32')).item() === 1;
  const values = whole && low >= 0 && high < 1000 ? high + 1 : 0;
  const counts = values > 0 ? [...histc(t, { bins: values, min: -0.5, max: high + 0.5 }).data] : [];
  return {
    rows: x.sizes[0] as number,
    shape: x.sizes.slice(1),
    numeric: x.dtype === 'f32',
    columns: {
      mean: [...F.mean(table, 0).data],
      std: [...F.std(table, 0, { correction: 0 }).data],
    },
    low: F.min(table).item(),
    high: F.max(table).item(),
    finite: Number.isFinite(F.sum(F.mul(table, 0)).item()),
    whole: F.mean(F.eq(table, F.round(table)).to('f32')).item() === 1,
    target: {
      sums: y.ndim === 2 && y.dtype === 'f32' ? [F.min(F.sum(y, 1)).item(), F.max(F.sum(y, 1)).item()] : null,
      several: y.ndim === 2 && F.max(F.sum(F.ne(y, 0).to('f32'), 1)).item() > 1,
      shape: y.sizes,
      classes: values,
      counts,
      whole,
      low,
      high,
      mean: F.mean(t).item(),
      std: F.std(t, { correction: 0 }).item(),
      integer: y.dtype !== 'f32',
      distinct: counts.filter((n) => n > 0).length,
    },
  };
}
