// Layers that drop elements in training.
import * as F from '../functional/index.ts';
import { ArgumentError } from '../memory/errors.ts';
import { type Arguments, type Signature, signature } from '../signature.ts';
import type { Tensor } from '../tensor.ts';
import { OwnLayer } from './layer.ts';
import { COMPUTE } from './names.ts';

/** Options of {@link Dropout} and its kin. */
export interface DropoutLayerOptions extends F.InplaceOptions {
  /** The probability from 0 to 1 that an element, or a channel, is dropped. @defaultValue 0.5 */
  p?: number;
}

type Drop = (x: Tensor, p: number, training: boolean, inplace: boolean) => Tensor;

/** What the layers that drop share. */
abstract class DropoutLayer extends OwnLayer {
  /** The probability that an element, or a channel, is dropped. */
  p: number;
  /** Whether it writes over what it is given. */
  inplace: boolean;
  readonly #drop: Drop;

  /** @internal */
  constructor(declared: Signature, args: readonly unknown[], drop: Drop) {
    super();
    const [p, inplace] = declared.parse(args) as [number, boolean];
    if (!(p >= 0 && p <= 1)) throw new ArgumentError(`${declared.name}: expected p from 0 to 1, got ${p}`);
    this.p = p;
    this.inplace = inplace;
    this.#drop = drop;
  }

  /** @internal */
  [COMPUTE](x: Tensor): Tensor {
    return this.#drop(x, this.p, this.training, this.inplace);
  }

  override extraRepr(): string {
    return `p: ${this.p}${this.inplace ? ', inplace: true' : ''}`;
  }
}

/* @__NO_SIDE_EFFECTS__ */
const dropping = (name: string): Signature => signature(`${name}(p: number = 0.5, inplace: bool = false)`);
const ofDropout = dropping('Dropout');
const ofDropout1d = dropping('Dropout1d');
const ofDropout2d = dropping('Dropout2d');
const ofDropout3d = dropping('Dropout3d');
const ofAlphaDropout = dropping('AlphaDropout');
const ofFeatureAlphaDropout = dropping('FeatureAlphaDropout');
/** What the constructors take. */
export type DropoutArguments = Arguments<[], [p: number, inplace: boolean], DropoutLayerOptions>;

/**
 * Sets each element to 0 with probability p and scales the others by 1 / (1 − p) in training; in evaluation it does
 * nothing (PyTorch's `nn.Dropout`).
 */
export class Dropout extends DropoutLayer {
  /** A layer that drops elements with probability p. @throws ArgumentError for p outside of 0 … 1 */
  constructor(...args: DropoutArguments) {
    super(ofDropout, args, F.dropout);
  }
}

/** {@link Dropout} of whole channels of [n, channels, length]: {@link functional.dropout1d}. */
export class Dropout1d extends DropoutLayer {
  /** A layer that drops channels with probability p. @throws ArgumentError for p outside of 0 … 1 */
  constructor(...args: DropoutArguments) {
    super(ofDropout1d, args, F.dropout1d);
  }
}

/** {@link Dropout} of whole channels of [n, channels, height, width]: {@link functional.dropout2d}. */
export class Dropout2d extends DropoutLayer {
  /** A layer that drops channels with probability p. @throws ArgumentError for p outside of 0 … 1 */
  constructor(...args: DropoutArguments) {
    super(ofDropout2d, args, F.dropout2d);
  }
}

/** {@link Dropout} of whole channels of [n, channels, depth, height, width]: {@link functional.dropout3d}. */
export class Dropout3d extends DropoutLayer {
  /** A layer that drops channels with probability p. @throws ArgumentError for p outside of 0 … 1 */
  constructor(...args: DropoutArguments) {
    super(ofDropout3d, args, F.dropout3d);
  }
}

/** Dropout for self-normalising networks: {@link functional.alphaDropout}. */
export class AlphaDropout extends DropoutLayer {
  /** A layer that drops elements with probability p. @throws ArgumentError for p outside of 0 … 1 */
  constructor(...args: DropoutArguments) {
    super(ofAlphaDropout, args, F.alphaDropout);
  }
}

/** {@link AlphaDropout} of whole channels of [n, channels, ...]: {@link functional.featureAlphaDropout}. */
export class FeatureAlphaDropout extends DropoutLayer {
  /** A layer that drops channels with probability p. @throws ArgumentError for p outside of 0 … 1 */
  constructor(...args: DropoutArguments) {
    super(ofFeatureAlphaDropout, args, F.featureAlphaDropout);
  }
}
