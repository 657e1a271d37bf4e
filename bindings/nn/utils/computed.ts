// Fields of modules that are computed.
import { ArgumentError } from '../../memory/errors.ts';
import type { Arguments } from '../../signature.ts';
import type { Tensor } from '../../tensor.ts';
import { ConvTranspose1d, ConvTranspose2d } from '../conv.ts';
import type { Module } from '../module.ts';
import { FORGET } from '../names.ts';
import { Parameter } from '../parameter.ts';

/** A function that changes a module and gives it back, with optional arguments P or options O. */
export type Changes<P extends readonly unknown[], O> = <M extends Module>(...args: Arguments<[module: M], P, O>) => M;

/**
 * The parameter in a field of a module, which gives it up.
 * @throws ArgumentError where there is none
 */
export function takeOut(op: string, module: Module, name: string): Parameter {
  const x = (module as unknown as Record<string, unknown>)[name];
  if (!(Object.hasOwn(module, name) && x instanceof Parameter))
    throw new ArgumentError(`${op}: expected the name of a parameter of ${module.constructor.name}, got '${name}'`);
  module[FORGET](name);
  delete (module as unknown as Record<string, unknown>)[name];
  return x;
}

/** Makes a field of a module one that is computed: no parameter, and no part of its state. */
export function compute(module: Module, name: string, get: () => Tensor, set: (value: Tensor) => void): void {
  Object.defineProperty(module, name, { get, set, configurable: true, enumerable: false });
}

/** Makes a field that was computed a parameter again. */
export function putBack(module: Module, name: string, x: Parameter): void {
  delete (module as unknown as Record<string, unknown>)[name];
  module.registerParameter(name, x);
}

/** The parameter of a module, to look at. @throws ArgumentError where there is none */
export function parameterOf(op: string, module: Module, name: string): Tensor {
  const found = module.namedParameters({ recurse: false }).map(([, x]) => x);
  const x = (module as unknown as Record<string, Tensor>)[name];
  if (!found.includes(x as Tensor))
    throw new ArgumentError(`${op}: expected the name of a parameter of ${module.constructor.name}, got '${name}'`);
  return x as Tensor;
}

/** The dim of the results of a layer. */
export const resultDim = (module: Module, dim: number | null): number =>
  dim ?? (module instanceof ConvTranspose1d || module instanceof ConvTranspose2d ? 1 : 0);
