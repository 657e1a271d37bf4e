// Makes the functions on tensors methods of Tensor: `x.add(y)` is `add(x, y)`, from one definition. Which there are,
// and how they are declared, is generated out of the functions, so that editors show their parameters and docs: npm run
// methods.
import { inplace } from './functional/overwrite.ts';
import { others, overwritten } from './generated/method-list.ts';
import type { TensorMethods } from './generated/tensor-methods.ts';
import { signatures } from './signature.ts';
import { Tensor } from './tensor.ts';

declare module './tensor.ts' {
  interface Tensor extends TensorMethods {}
}

type Method = (x: Tensor, ...rest: never[]) => Tensor;

function define(name: string, fn: (x: Tensor, ...rest: never[]) => unknown): void {
  Object.defineProperty(Tensor.prototype, name, {
    value(this: Tensor, ...rest: unknown[]) {
      return fn(this, ...(rest as never[]));
    },
    configurable: true,
    writable: true,
  });
}

for (const fn of [...overwritten, ...others]) define(fn.name, fn);

const texts = new Map(signatures.map(({ fn, text }) => [fn, text]));
for (const fn of overwritten as readonly Method[]) define(`${fn.name}_`, inplace(fn, texts.get(fn) as string));
