// What a SummaryWriter was told and has not written yet.
import type { Module } from '../../nn/module.ts';
import type { Dtype, Shape, Tensor, TypedArray } from '../../tensor.ts';
import type { Hyperparameters } from '../loggers/logger.ts';

/** The numbers of a tensor as they were. */
export interface Snapshot {
  readonly shape: Shape;
  readonly dtype: Dtype;
  readonly values: TypedArray;
}

/** One value, by the kind of what it is. */
export type Value =
  | { readonly kind: 'scalar'; readonly tag: string; readonly value: number }
  | {
      readonly kind: 'histogram';
      readonly tag: string;
      readonly values: Snapshot;
      readonly bins: 'tensorflow' | number;
    }
  | { readonly kind: 'image'; readonly tag: string; readonly image: Snapshot; readonly dataformats: string }
  | { readonly kind: 'text'; readonly tag: string; readonly text: string }
  | { readonly kind: 'graph'; readonly model: Module; readonly inputs: readonly Snapshot[] }
  | { readonly kind: 'start' }
  | {
      readonly kind: 'experiment';
      readonly hparams: Hyperparameters;
      readonly metrics: readonly string[];
      readonly domains: Readonly<Record<string, readonly (string | number | boolean)[]>>;
    }
  | { readonly kind: 'sessionStart'; readonly hparams: Hyperparameters }
  | { readonly kind: 'sessionEnd' };

/** A value, and when it was. */
export interface Pending {
  /** The folder within that of the writer; '' for that itself. */
  readonly run: string;
  /** In seconds since 1970. */
  readonly walltime: number;
  readonly step: number;
  readonly value: Value;
}

export const snapshotOf = (x: Tensor): Snapshot => ({ shape: x.shape, dtype: x.dtype, values: x.data });
