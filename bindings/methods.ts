// Makes the functions on tensors methods of Tensor: `x.add(y)` is `add(x, y)`, from one definition. Which there are,
// and how they are declared, is generated out of the functions, so that editors show their parameters and docs: npm run
// methods.
import { inplace, overwriting } from './functional/overwrite.ts';
import { methods } from './generated/method-list.ts';
import type { TensorMethods } from './generated/tensor-methods.ts';
import { signatures } from './signature.ts';
import { Tensor } from './tensor.ts';

declare module './tensor.ts' {
  interface Tensor extends TensorMethods {}
}

type Method = (x: Tensor, ...rest: never[]) => unknown;

function define(name: string, fn: Method): void {
  Object.defineProperty(Tensor.prototype, name, {
    value(this: Tensor, ...rest: unknown[]) {
      return fn(this, ...(rest as never[]));
    },
    configurable: true,
    writable: true,
  });
}

type Overwriting = (typeof overwriting)[number];
const list: Record<Exclude<keyof TensorMethods, `${Overwriting}_`>, Method> = methods;
for (const [name, fn] of Object.entries(list)) define(name, fn);

const texts = new Map(signatures.map(({ fn, text }) => [fn, text]));
for (const name of overwriting) define(`${name}_`, inplace(methods[name], texts.get(methods[name]) as string));
