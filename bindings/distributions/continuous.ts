// Distributions of real numbers.
import { add, div, le, log, lt, mul, square, sub } from '../functional/elementwise.ts';
import { rand, randn } from '../random.ts';
import { signature } from '../signature.ts';
import type { Shape, Tensor } from '../tensor.ts';
import { broadcast, choose, Distribution, expectWithin } from './distribution.ts';

const ofNormal = signature('Normal(loc: Tensor|number, scale: Tensor|number, -validateArgs: bool|null = null)');
const ofUniform = signature('Uniform(low: Tensor|number, high: Tensor|number, -validateArgs: bool|null = null)');

/** Normal numbers (PyTorch's `torch.distributions.Normal`). */
export class Normal extends Distribution {
  /** The means. */
  readonly loc: Tensor;
  /** The standard deviations. */
  readonly scale: Tensor;
  /** @internal */
  protected readonly smooth = true;

  /**
   * Normal numbers of mean `loc` and standard deviation `scale`, above 0; both broadcast.
   * @throws ShapeError, ArgumentError
   */
  constructor(...args: [loc: Tensor | number, scale: Tensor | number]) {
    const [loc, scale] = broadcast('Normal', ...(ofNormal.parse(args).slice(0, 2) as [Tensor, Tensor])) as [
      Tensor,
      Tensor,
    ];
    super(loc.shape);
    // The least number above 0 that is not denormal.
    expectWithin('Normal', 'scales', scale, 2 ** -126, Number.POSITIVE_INFINITY);
    this.loc = loc;
    this.scale = scale;
  }

  get mean(): Tensor {
    return this.loc;
  }

  get variance(): Tensor {
    return square(this.scale);
  }

  /** @internal */
  protected draw(shape: Shape): Tensor {
    return add(this.loc, mul(randn(shape), this.scale));
  }

  /** @internal */
  protected density(value: Tensor): Tensor {
    const z = div(sub(value, this.loc), this.scale);
    return sub(mul(square(z), -0.5), add(log(this.scale), 0.5 * Math.log(2 * Math.PI)));
  }

  /** @internal */
  protected uncertainty(): Tensor {
    return add(log(this.scale), 0.5 + 0.5 * Math.log(2 * Math.PI));
  }
}

/** Uniform numbers (PyTorch's `torch.distributions.Uniform`). */
export class Uniform extends Distribution {
  /** The least numbers. */
  readonly low: Tensor;
  /** What numbers stay below. */
  readonly high: Tensor;
  /** @internal */
  protected readonly smooth = true;

  /** Uniform numbers from `low` up to, without, `high`; both broadcast. @throws ShapeError */
  constructor(...args: [low: Tensor | number, high: Tensor | number]) {
    const [low, high] = broadcast('Uniform', ...(ofUniform.parse(args).slice(0, 2) as [Tensor, Tensor])) as [
      Tensor,
      Tensor,
    ];
    super(low.shape);
    expectWithin('Uniform', 'widths', sub(high, low), 2 ** -126, Number.POSITIVE_INFINITY);
    this.low = low;
    this.high = high;
  }

  get mean(): Tensor {
    return mul(add(this.low, this.high), 0.5);
  }

  get variance(): Tensor {
    return div(square(sub(this.high, this.low)), 12);
  }

  /** @internal */
  protected draw(shape: Shape): Tensor {
    return add(this.low, mul(rand(shape), sub(this.high, this.low)));
  }

  /** @internal */
  protected density(value: Tensor): Tensor {
    const inside = mul(le(this.low, value), lt(value, this.high));
    return sub(choose(inside, 0, Number.NEGATIVE_INFINITY), log(sub(this.high, this.low)));
  }

  /** @internal */
  protected uncertainty(): Tensor {
    return log(sub(this.high, this.low));
  }
}
