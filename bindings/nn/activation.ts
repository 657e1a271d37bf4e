// The activations as layers, made of the functions of the same name: most by tools/generate-methods.mjs, in
// generated/activations.ts.
import * as F from '../functional/index.ts';
import { type Arguments, type Signature, signature } from '../signature.ts';
import type { Tensor } from '../tensor.ts';
import { OwnLayer } from './layer.ts';
import { COMPUTE } from './names.ts';
import { describeCall } from './parameter.ts';

/** Base class of the activations: layers without parameters, which apply a function with options. */
export abstract class Activation extends OwnLayer {
  readonly #f: (x: Tensor, ...values: readonly unknown[]) => Tensor;
  readonly #declared: Signature;
  readonly #values: readonly unknown[];

  /** @internal */
  constructor(f: (x: Tensor, ...values: readonly unknown[]) => Tensor, declared: Signature, args: readonly unknown[]) {
    super();
    this.#f = f;
    this.#declared = declared;
    const values = declared.parse(args);
    // What is as usual need not be said, and checked, at every call.
    this.#values = declared.parameters.every(({ value }, i) => value === values[i]) ? [] : values;
  }

  /** @internal */
  [COMPUTE](x: Tensor): Tensor {
    return this.#values.length === 0 ? this.#f(x) : this.#f(x, ...this.#values);
  }

  override extraRepr(): string {
    return this.#values.length === 0 ? '' : describeCall(this.#declared, this.#values);
  }
}

/** The class of layers that apply `f`; their constructor takes A, as `text` declares. @internal */
/* @__NO_SIDE_EFFECTS__ */
export function activation<A extends readonly unknown[]>(
  f: (x: Tensor, ...values: never[]) => Tensor,
  text: string,
): new (
  ...args: A
) => Activation {
  const declared = signature(text);
  return class extends Activation {
    constructor(...args: A) {
      super(f as (x: Tensor, ...values: readonly unknown[]) => Tensor, declared, args);
    }
  };
}

/** Options of {@link Softmax} and {@link LogSoftmax}. */
export interface SoftmaxOptions {
  /** The dim whose elements add up to 1; negative ones count from the end. @defaultValue -1 */
  dim?: number;
}

/** eˣ / Σ eˣ along `dim`: {@link functional.softmax}. */
export class Softmax extends activation<Arguments<[], [dim: number], SoftmaxOptions>>(
  (x: Tensor, dim = -1) => F.softmax(x, dim),
  'Softmax(dim: int = -1)',
) {}

/** log(eˣ / Σ eˣ) along `dim`: {@link functional.logSoftmax}. */
export class LogSoftmax extends activation<Arguments<[], [dim: number], SoftmaxOptions>>(
  (x: Tensor, dim = -1) => F.logSoftmax(x, dim),
  'LogSoftmax(dim: int = -1)',
) {}
