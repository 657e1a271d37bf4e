// Makes the functions on tensors methods of Tensor: `x.add(y)` is `add(x, y)`, from one definition. Which there are,
// and how they are declared, is generated out of the functions, so that editors show their parameters and docs: npm run
// methods.
import { methods } from './generated/method-list.ts';
import type { TensorMethods } from './generated/tensor-methods.ts';
import { Tensor } from './tensor.ts';

declare module './tensor.ts' {
  interface Tensor extends TensorMethods {}
}

for (const [name, fn] of Object.entries(methods satisfies Record<keyof TensorMethods, unknown>) as [
  string,
  (...args: unknown[]) => unknown,
][])
  Object.defineProperty(Tensor.prototype, name, {
    value(this: Tensor, ...rest: unknown[]) {
      return fn(this, ...rest);
    },
    configurable: true,
    writable: true,
  });
