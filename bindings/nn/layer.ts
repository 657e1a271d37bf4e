// What layers of one input are made of.
import { ArgumentError } from '../runtime/errors.ts';
import { Tensor } from '../tensor.ts';
import * as init from './init.ts';
import { Module } from './module.ts';

/** A module from one tensor to one tensor, as Sequential takes them. */
export abstract class Layer extends Module {
  abstract override forward(x: Tensor): Tensor;
}

/** A trained tensor of `shape`, which lasts until disposed of. Contents are set by an initialiser. */
export function parameter(shape: readonly number[]): Tensor {
  return Tensor.allocate(shape, 'f32', 'parameter').keep().requiresGrad_();
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

/** `, name: value` for each option that is given. */
export function describeOptions(options: object): string {
  return Object.entries(options)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `, ${name}: ${Array.isArray(value) ? `[${value.join(', ')}]` : value}`)
    .join('');
}
