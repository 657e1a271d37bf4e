// The layer that normalises by the channels beside.
import { ones } from '../creation.ts';
import * as F from '../functional/index.ts';
import { tril } from '../functional/parts.ts';
import { formatShape, ShapeError } from '../memory/errors.ts';
import { type Arguments, signature } from '../signature.ts';
import type { Tensor } from '../tensor.ts';
import { OwnLayer } from './layer.ts';
import { COMPUTE } from './names.ts';
import { checkSizes, describeOptions } from './parameter.ts';

/** What the constructor takes. */
export type ResponseNormArguments = Arguments<
  [size: number],
  [alpha: number, beta: number, k: number],
  F.LocalResponseNormOptions,
  ['size']
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

const ofCrossMap = signature('CrossMapLRN2d(size: int, alpha: number = 1e-4, beta: number = 0.75, k: number = 1)');

/** The settings. @throws ArgumentError */
function read(args: readonly unknown[]): readonly [size: number, alpha: number, beta: number, k: number] {
  const values = ofCrossMap.parse(args) as [number, number, number, number];
  checkSizes('CrossMapLRN2d', { size: values[0] });
  return values;
}

/**
 * Normalisation by the channels beside, as PyTorch's older `nn.CrossMapLRN2d` has it: x / (k + alpha / size · Σ
 * x²)^beta over the channels less than ⌊(size + 1) / 2⌋ away, and everywhere the first one, which PyTorch never takes
 * out again.
 * @deprecated Use {@link LocalResponseNorm}.
 */
export class CrossMapLRN2d extends OwnLayer {
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
    const [size, alpha, beta, k] = read(args);
    this.size = size;
    this.alpha = alpha;
    this.beta = beta;
    this.k = k;
  }

  /** @internal */
  [COMPUTE](x: Tensor): Tensor {
    if (x.ndim !== 4)
      throw new ShapeError(`CrossMapLRN2d: expected [n, channels, height, width], got ${formatShape(x.sizes)}`);
    // They are fields, which may have been written.
    const [size, alpha, beta, k] = read([this.size, this.alpha, this.beta, this.k]);
    const [n, channels, height, width] = x.sizes as [number, number, number, number];
    const reach = (size + 1) >> 1;
    // Which channels count for each one.
    const all = ones([channels, channels]);
    const gone = F.pad(tril(all, -reach).slice(1, 1), [1, 0]);
    const near = tril(all, reach - 1).sub(gone);
    const sums = near.matmul(x.square().reshape([n, channels, height * width])).reshape(x.shape);
    return x.mul(
      sums
        .mul(alpha / size)
        .add(k)
        .pow(-beta),
    );
  }

  override extraRepr(): string {
    const { size, alpha, beta, k } = this;
    return describeOptions({ size, alpha, beta, k });
  }
}
