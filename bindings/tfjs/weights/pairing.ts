// What rules say of a weight: its place there and here, and how its numbers lie in both.
import { ArgumentError } from '../../memory/errors.ts';
import type { Module } from '../../nn/module.ts';
import type { Config, LayerInfo } from './topology.ts';

/** A weight there and here. */
export interface Pairing {
  /** The last part of its name in TensorFlow, behind that of the layer. */
  readonly role: string;
  /** The field of the module. */
  readonly key: string;
  /** Its shape there, but for dims of 1, where it is seen with other dims. */
  readonly shape?: readonly number[];
  /** The dims that it is seen with there. */
  readonly dims: readonly number[];
  /** The order that those have here. */
  readonly axes: readonly number[];
  /** Of a GRU: elements of a gate. The first two change places. */
  readonly swap?: number;
  /** Bias of which two are the sum: this one is zero, and added on the way back. */
  readonly rest?: string;
  /** Which half of the weight, of two. */
  readonly half?: 0 | 1;
}

/** A weight that there is only here, and what all of it has to be. */
export interface Fixed {
  readonly key: string;
  readonly value: number;
  readonly why: string;
}

/** What a module is known by: its fields, so that it may come from another copy of this package. */
export type Fields = Module & Readonly<Record<string, unknown>>;

export const shapeOf = (module: Fields, key: string): readonly number[] =>
  ((module[key] ?? {}) as { readonly shape?: readonly number[] }).shape ?? [];

/** @throws ArgumentError, which names the layer */
export type Fail = (expected: string, got: unknown, cure: string) => never;
export const failing =
  (op: string, { name, kind }: LayerInfo, path: string): Fail =>
  (expected, got, cure) => {
    throw new ArgumentError(`${op}: expected for layer ${name} (${kind}) ${expected}, got ${got} at ${path}; ${cure}`);
  };

/** What a layer is here. */
export interface Rule {
  /** What errors call the module. */
  readonly what: string;
  /** Whether it knows what to do with numbers of a joined image. */
  readonly turns?: boolean;
  fits(module: Fields): boolean;
  /** @param level which of the layers of a recurrent module */
  pairs(module: Fields, layer: LayerInfo, fail: Fail, level: number): (Pairing | Fixed)[];
}

/** The dims of n numbers, of which those of an image have channels last. */
export const split = (n: number, channels: number | null): number[] =>
  channels && n % channels === 0 ? [n / channels, channels] : [n];
/** Their order here: channels first. */
export const turned = (dims: readonly number[], from = 0): number[] => dims.map((_, d) => from + d).reverse();

export const vector = (role: string, key: string, module: Fields, channels: number | null = null): Pairing => {
  const shape = shapeOf(module, key);
  if (shape.length > 1) return { role, key, dims: shape, axes: [...shape.keys()] };
  const dims = split(shape[0] ?? 1, channels);
  return { role, key, shape, dims, axes: turned(dims) };
};
export const list = (x: unknown, n: number): number[] => (Array.isArray(x) ? x : new Array(n).fill(x ?? 1));
export const bias = (
  module: Fields,
  { use_bias: used }: Config,
  fail: Fail,
  channels: number | null = null,
): Pairing[] => {
  const has = Boolean(module.bias);
  if ((used !== false) !== has) fail(`bias: ${used !== false}`, `bias: ${has}`, 'build both with it or without');
  return has ? [vector('bias', 'bias', module, channels)] : [];
};
