// Layers that drop elements in training.
import * as F from '../functional/index.ts';
import { ArgumentError } from '../memory/errors.ts';
import type { Tensor } from '../tensor.ts';
import { Layer } from './layer.ts';

/**
 * Sets each element to 0 with probability p and scales the others by 1 / (1 − p) in training; in evaluation it does
 * nothing (PyTorch's `nn.Dropout`).
 */
export class Dropout extends Layer {
  /** The probability that an element becomes 0. */
  readonly p: number;

  /**
   * @param p the probability from 0 to 1 that an element becomes 0
   * @throws ArgumentError for p outside of 0 … 1
   */
  constructor(p = 0.5) {
    super();
    if (!(p >= 0 && p <= 1)) throw new ArgumentError(`Dropout: expected p from 0 to 1, got ${p}`);
    this.p = p;
  }

  forward(x: Tensor): Tensor {
    return F.dropout(x, { p: this.p, training: this.training });
  }

  override extraRepr(): string {
    return `p: ${this.p}`;
  }
}
