// The activations as layers, made of the functions of the same name: most by tools/generate-methods.mjs, in
// generated/activations.ts.
import * as F from '../functional/index.ts';
import { ArgumentError, formatShape, ShapeError } from '../memory/errors.ts';
import { type Arguments, type Signature, signature } from '../signature.ts';
import type { Tensor } from '../tensor.ts';
import { OwnLayer } from './layer.ts';
import { COMPUTE } from './names.ts';
import { describeCall } from './parameter.ts';

/** Base class of the activations: layers without parameters, which apply a function with options. */
export abstract class Activation extends OwnLayer {
  readonly #f: (x: Tensor, ...values: readonly unknown[]) => Tensor;
  readonly #declared: Signature;
  /** The settings with their defaults, in the order in which f takes them; they are fields of the layer. */
  readonly #settings: readonly { readonly name: string; readonly value: unknown }[];

  /** @internal */
  constructor(f: (x: Tensor, ...values: readonly unknown[]) => Tensor, declared: Signature, args: readonly unknown[]) {
    super();
    if (new.target === Activation)
      throw new ArgumentError('Activation: expected one of the classes made of it, such as ReLU, got the class itself');
    this.#f = f;
    this.#declared = declared;
    const values = declared.parse(args);
    this.#settings = declared.parameters.filter(({ absent }) => !absent);
    declared.parameters.forEach(({ name, absent }, i) => {
      if (!absent) Reflect.set(this, name, values[i]);
    });
  }

  #values(): readonly unknown[] {
    return this.#settings.map(({ name }) => Reflect.get(this, name));
  }

  /** @internal */
  [COMPUTE](x: Tensor): Tensor {
    // What is as usual need not be said, and checked, at every call.
    for (const { name, value } of this.#settings)
      if (Reflect.get(this, name) !== value) return this.#f(x, ...this.#values());
    return this.#f(x);
  }

  override extraRepr(): string {
    return describeCall(this.#declared, this.#values());
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

/** e⁻ˣ / Σ e⁻ˣ along `dim`: {@link functional.softmin}. */
export class Softmin extends activation<Arguments<[], [dim: number], SoftmaxOptions>>(
  (x: Tensor, dim = -1) => F.softmin(x, dim),
  'Softmin(dim: int = -1)',
) {}

/** {@link Softmax} over the channels of [n, channels, height, width], or without n. */
export class Softmax2d extends activation<[]>((x: Tensor) => {
  if (x.ndim !== 3 && x.ndim !== 4)
    throw new ShapeError(`Softmax2d: expected input of 3 or 4 dims, got ${formatShape(x.shape)}`);
  return F.softmax(x, -3);
}, 'Softmax2d()') {}

/** x where x > threshold, else `value`: {@link functional.threshold}. */
export class Threshold extends activation<
  Arguments<[threshold: number, value: number], [inplace: boolean], F.InplaceOptions, ['threshold', 'value']>
>(F.threshold, 'Threshold(threshold: number, value: number, inplace: bool = false)') {}
