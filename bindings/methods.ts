// Makes the functions on tensors methods of Tensor: `x.add(y)` is `add(x, y)`, from one definition. Which there are,
// and how they are declared, is generated out of the functions, so that editors show their parameters and docs: npm run
// methods.
import { select } from './functional/functions.ts';
import { methods } from './generated/method-list.ts';
import type { TensorMethods } from './generated/tensor-methods.ts';
import { ShapeError } from './memory/errors.ts';
import { Tensor } from './tensor.ts';

declare module './tensor.ts' {
  interface Tensor extends TensorMethods {
    /** The views along the first dim, one after the other: `for (const row of x)`. @throws ShapeError without dims */
    [Symbol.iterator](): Generator<Tensor, void, undefined>;
  }
}

/** Makes a row when it is asked for it, so that a loop that is left early has made no more. */
function* rows(this: Tensor): Generator<Tensor, void, undefined> {
  if (this.ndim === 0)
    throw new ShapeError('for…of: expected a tensor of at least 1 dim, got a single number; item() reads it');
  for (let i = 0; i < (this.sizes[0] as number); i++) yield select(this, 0, i);
}
Object.defineProperty(Tensor.prototype, Symbol.iterator, { value: rows, configurable: true, writable: true });

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
