// The activations as layers, made of the functions of the same name: most by tools/generate-methods.mjs, in
// generated/activations.ts.
import * as F from '../functional/index.ts';
import type { Tensor } from '../tensor.ts';
import { Layer } from './layer.ts';
import { describeOptions } from './parameter.ts';

/** Base class of the activations: layers without parameters, which apply a function with options. */
export abstract class Activation extends Layer {
  readonly #f: (x: Tensor) => Tensor;
  readonly #options: object;

  /** @internal */
  constructor(f: (x: Tensor) => Tensor, options: object) {
    super();
    this.#f = f;
    this.#options = options;
  }

  /** The function of x, elementwise but for softmax; of x's shape. */
  forward(x: Tensor): Tensor {
    return this.#f(x);
  }

  override extraRepr(): string {
    return describeOptions(this.#options);
  }
}

/** The class of layers that apply `f`; their constructor takes the options of `f`. @internal */
/* @__NO_SIDE_EFFECTS__ */
export function activation<A extends [options?: object | undefined]>(
  f: (x: Tensor, ...options: A) => Tensor,
): new (
  ...options: A
) => Activation {
  return class extends Activation {
    constructor(...options: A) {
      super((x) => f(x, ...options), options[0] ?? {});
    }
  };
}

/** Options of {@link Softmax} and {@link LogSoftmax}. */
export interface SoftmaxOptions {
  /** The dim whose elements add up to 1; negative ones count from the end. @defaultValue -1 */
  dim?: number;
}

/** eˣ / Σ eˣ along `dim`: {@link functional.softmax}. */
export class Softmax extends activation((x, { dim = -1 }: SoftmaxOptions = {}) => F.softmax(x, dim)) {}

/** log(eˣ / Σ eˣ) along `dim`: {@link functional.logSoftmax}. */
export class LogSoftmax extends activation((x, { dim = -1 }: SoftmaxOptions = {}) => F.logSoftmax(x, dim)) {}
