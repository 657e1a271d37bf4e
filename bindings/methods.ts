// Makes the functions on tensors methods of Tensor: `x.add(y)` is `add(x, y)`, from one definition.
import { type BackwardOptions, backward } from './autograd.ts';
import * as functions from './functions/index.ts';
import { Tensor } from './tensor.ts';

const { concat: _concat, stack: _stack, where: _where, ...ofTensor } = functions;
const methods = {
  ...ofTensor,
  /** Adds the gradient of x (a single number, or with `gradient` given) to every leaf's `.grad`. */
  backward: (x: Tensor, gradient?: Tensor, options?: BackwardOptions): void => backward(x, gradient, options),
};

type Methods = typeof methods;
type Method<F> = F extends (x: Tensor, ...rest: infer R) => infer Y ? (...rest: R) => Y : never;
type TensorMethods = { [K in keyof Methods]: Method<Methods[K]> };

declare module './tensor.ts' {
  interface Tensor extends TensorMethods {}
}

for (const [name, fn] of Object.entries(methods) as [string, (...args: unknown[]) => unknown][])
  Object.defineProperty(Tensor.prototype, name, {
    value(this: Tensor, ...rest: unknown[]) {
      return fn(this, ...rest);
    },
    configurable: true,
    writable: true,
  });
