// Distributions whose batches are one event.
import { sum } from '../functional/reduction.ts';
import { ArgumentError } from '../memory/errors.ts';
import { signature } from '../signature.ts';
import type { Shape, Tensor } from '../tensor.ts';
import { Distribution } from './distribution.ts';

const declared = signature(
  'Independent(baseDistribution: Distribution, reinterpretedBatchNdims: int, -validateArgs: bool|null = null)',
);

/** `x` summed over its last dims. */
export const sumLast = (x: Tensor, dims: number): Tensor =>
  dims === 0
    ? x
    : sum(
        x,
        Array.from({ length: dims }, (_, d) => -1 - d),
      );

/**
 * A distribution whose last dims of parameters are those of one event (PyTorch's `torch.distributions.Independent`):
 * its probabilities are the products along them.
 * @example
 * ```ts
 * const policy = new distributions.Independent(new distributions.Normal(zeros([8, 2]), ones([8, 2])), 1);
 * console.log(policy.logProb(policy.sample()).shape); // [8]
 * ```
 */
export class Independent<D extends Distribution = Distribution> extends Distribution {
  /** The distribution of each part. */
  readonly baseDist: D;
  /** How many dims are those of an event. */
  readonly reinterpretedBatchNdims: number;

  /** `baseDistribution`, of which the last `reinterpretedBatchNdims` dims are one event. @throws ArgumentError */
  constructor(...args: [baseDistribution: D, reinterpretedBatchNdims: number]) {
    const [base, dims] = declared.parse(args) as unknown as [D, number];
    const { batchShape, eventShape } = base;
    if (!(dims >= 0 && dims <= batchShape.length))
      throw new ArgumentError(
        `Independent: expected reinterpretedBatchNdims from 0 to ${batchShape.length}, the dims of the parameters, got ${dims}`,
      );
    const at = batchShape.length - dims;
    super(batchShape.slice(0, at), [...batchShape.slice(at), ...eventShape]);
    this.baseDist = base;
    this.reinterpretedBatchNdims = dims;
  }

  /** As what it is: its members are not for users. */
  get #base(): Independent {
    return this.baseDist as unknown as Independent;
  }

  /** @internal */
  protected get smooth(): boolean {
    return this.#base.smooth;
  }

  get mean(): Tensor {
    return this.baseDist.mean;
  }

  get variance(): Tensor {
    return this.baseDist.variance;
  }

  /** @internal */
  protected draw(shape: Shape): Tensor {
    return this.#base.draw(shape);
  }

  /** @internal */
  protected density(value: Tensor): Tensor {
    return sumLast(this.baseDist.logProb(value), this.reinterpretedBatchNdims);
  }

  /** @internal */
  protected uncertainty(): Tensor {
    return sumLast(this.baseDist.entropy(), this.reinterpretedBatchNdims);
  }
}
