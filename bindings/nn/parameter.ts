// What layers are made of: parameters and buffers, and the checks and descriptions of their options.
import { ArgumentError } from '../memory/errors.ts';
import { Tensor } from '../tensor.ts';
import * as init from './init.ts';

/** A trained tensor of `shape`, which lasts until disposed of. Contents are set by an initialiser. */
export function parameter(shape: readonly number[]): Tensor {
  return Tensor.allocate(shape, 'f32', 'parameter').keep().requiresGrad_();
}

/** A trained tensor of `shape`, uniform in ±bound. */
export function uniformParameter(shape: readonly number[], bound: number): Tensor {
  return init.uniform_(parameter(shape), -bound, bound);
}

/** A tensor of `shape` full of `value`, saved but not trained, which lasts until disposed of. */
export function buffer(shape: readonly number[], value: number): Tensor {
  return init.constant_(Tensor.allocate(shape, 'f32', 'buffer').keep(), value);
}

/** @throws ArgumentError unless each of `sizes` is a whole number >= 1 */
export function checkSizes(layer: string, sizes: Record<string, number>): void {
  for (const [name, size] of Object.entries(sizes))
    if (!(Number.isSafeInteger(size) && size >= 1))
      throw new ArgumentError(`${layer}: expected ${name} to be a whole number >= 1, got ${size}`);
}

/** `name: value, name: value`: the options that are given. */
export function describeOptions(options: object): string {
  return Object.entries(options)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}: ${Array.isArray(value) ? `[${value.map(String).join(', ')}]` : value}`)
    .join(', ');
}
