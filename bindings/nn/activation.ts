// The activations as layers, made of the functions of the same name: most by tools/generate-methods.mjs, in
// generated/activations.ts.
import * as F from '../functional/index.ts';
import { type Arguments, type Signature, signature } from '../signature.ts';
import type { Tensor } from '../tensor.ts';
import { Layer } from './layer.ts';
import { describeOptions } from './parameter.ts';

/** Base class of the activations: layers without parameters, which apply a function with options. */
export abstract class Activation extends Layer {
  readonly #f: (x: Tensor, ...values: readonly unknown[]) => Tensor;
  readonly #declared: Signature;
  readonly #values: readonly unknown[];

  /** @internal */
  constructor(f: (x: Tensor, ...values: readonly unknown[]) => Tensor, declared: Signature, args: readonly unknown[]) {
    super();
    this.#f = f;
    this.#declared = declared;
    this.#values = declared.parse(args);
  }

  /** The function of x, elementwise but for softmax; of x's shape. */
  forward(x: Tensor): Tensor {
    return this.#f(x, ...this.#values);
  }

  protected override describe(): string {
    const given = this.#declared.parameters.map(({ name, value }, i) => [name, value, this.#values[i]] as const);
    return describeOptions(
      Object.fromEntries(given.filter(([, usual, value]) => value !== usual).map(([name, , value]) => [name, value])),
    );
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

type SoftmaxArguments = Arguments<[], [dim: number], SoftmaxOptions>;

/** eˣ / Σ eˣ along `dim`: {@link functional.softmax}. */
export class Softmax extends activation<SoftmaxArguments>(F.softmax, 'Softmax(dim: int = -1)') {}

/** log(eˣ / Σ eˣ) along `dim`: {@link functional.logSoftmax}. */
export class LogSoftmax extends activation<SoftmaxArguments>(F.logSoftmax, 'LogSoftmax(dim: int = -1)') {}
