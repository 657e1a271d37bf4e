// Layers that drop elements in training.
import * as F from '../functional/index.ts';
import { ArgumentError } from '../memory/errors.ts';
import { type Arguments, signature } from '../signature.ts';
import type { Tensor } from '../tensor.ts';
import { OwnLayer } from './layer.ts';
import { COMPUTE } from './names.ts';

/** Options of {@link Dropout}. */
export interface DropoutLayerOptions {
  /** The probability from 0 to 1 that an element becomes 0. @defaultValue 0.5 */
  p?: number;
}

const declared = signature('Dropout(p: number = 0.5, -inplace: bool = false)');

/**
 * Sets each element to 0 with probability p and scales the others by 1 / (1 − p) in training; in evaluation it does
 * nothing (PyTorch's `nn.Dropout`).
 */
export class Dropout extends OwnLayer {
  /** The probability that an element becomes 0. */
  p: number;

  /** A layer that drops elements with probability p. @throws ArgumentError for p outside of 0 … 1 */
  constructor(...args: Arguments<[], [p: number], DropoutLayerOptions>) {
    super();
    const [p] = declared.parse(args) as [number];
    if (!(p >= 0 && p <= 1)) throw new ArgumentError(`Dropout: expected p from 0 to 1, got ${p}`);
    this.p = p;
  }

  /** @internal */
  [COMPUTE](x: Tensor): Tensor {
    return F.dropout(x, { p: this.p, training: this.training });
  }

  override extraRepr(): string {
    return `p: ${this.p}`;
  }
}
