// What a layer gives while a model runs: read, or something else in its place.
import { ArgumentError, describe } from '../memory/errors.ts';
import type { Module } from '../nn/module.ts';
import { Tensor } from '../tensor.ts';
import type { Neuron } from './options.ts';

/** Calls `fn`, in which `layer` runs once, and has `visit` say what goes on of its output. @throws ArgumentError */
export function visited<T>(op: string, layer: Module, visit: (y: Tensor) => Tensor, fn: () => T): T {
  let runs = 0;
  const name = layer.constructor.name;
  const handle = layer.registerForwardHook((_module, _args, output: unknown) => {
    runs++;
    if (!(output instanceof Tensor))
      throw new ArgumentError(`${op}: expected a layer that gives a tensor, got ${describe(output)} from ${name}`);
    return visit(output);
  });
  try {
    const result = fn();
    if (runs !== 1)
      throw new ArgumentError(
        `${op}: expected a layer that the model runs once, got ${name}, which ran ${runs} times; ${runs === 0 ? 'pass a module of the model' : 'use a layer of its own for each call'}`,
      );
    return result;
  } finally {
    handle.remove();
  }
}

/** What `layer` gives, while `fn` runs it once. @throws ArgumentError */
export function kept(op: string, layer: Module, fn: () => unknown): Tensor {
  let found: Tensor | undefined;
  const keep = (y: Tensor): Tensor => {
    found = y;
    return y;
  };
  visited(op, layer, keep, fn);
  return found as Tensor;
}

/** @throws ArgumentError */
export function neuronOf(op: string, y: Tensor, neuron: Neuron | null): Tensor {
  const rows = y.sizes[0] as number;
  const picked: unknown =
    typeof neuron === 'function'
      ? neuron(y)
      : [neuron ?? []].flat().reduce<Tensor>((x, at) => {
          if (x.ndim > 1) return x.select(1, at as number);
          throw new ArgumentError(`${op}: expected at most ${y.ndim - 1} indices of a neuron, got more`);
        }, y);
  if (picked instanceof Tensor && picked.size === rows) return picked.reshape([rows]);
  throw new ArgumentError(
    `${op}: expected the neuron of a layer, { neuron: [channel, row, column] } or a function that picks it, got ${describe(neuron)}`,
  );
}
