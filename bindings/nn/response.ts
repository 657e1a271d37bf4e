// The layer that normalises by the channels beside.
import * as F from '../functional/index.ts';
import { type Arguments, signature } from '../signature.ts';
import type { Tensor } from '../tensor.ts';
import { OwnLayer } from './layer.ts';
import { COMPUTE } from './names.ts';
import { checkSizes, describeOptions } from './parameter.ts';

/** What the constructor takes. */
export type ResponseNormArguments = Arguments<
  [size: number],
  [alpha: number, beta: number, k: number],
  F.LocalResponseNormOptions
>;
const declared = signature('LocalResponseNorm(size: int, alpha: number = 1e-4, beta: number = 0.75, k: number = 1)');

/** Normalisation by the channels beside: {@link functional.localResponseNorm} (PyTorch's `nn.LocalResponseNorm`). */
export class LocalResponseNorm extends OwnLayer {
  /** How many channels count. */
  size: number;
  /** What the mean of the squares is multiplied by. */
  alpha: number;
  /** The exponent. */
  beta: number;
  /** What is added first. */
  k: number;

  /** A layer over `size` channels around each one. @throws ArgumentError */
  constructor(...args: ResponseNormArguments) {
    super();
    const [size, alpha, beta, k] = declared.parse(args) as [number, number, number, number];
    checkSizes('LocalResponseNorm', { size });
    this.size = size;
    this.alpha = alpha;
    this.beta = beta;
    this.k = k;
  }

  /** @internal */
  [COMPUTE](x: Tensor): Tensor {
    return F.localResponseNorm(x, this.size, this.alpha, this.beta, this.k);
  }

  override extraRepr(): string {
    const { size, alpha, beta, k } = this;
    return describeOptions({ size, alpha, beta, k });
  }
}
