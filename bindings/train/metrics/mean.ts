// The mean of figures that batches have, such as their losses.
import { withoutTape } from '../../autograd.ts';
import { onesLike, tensor } from '../../creation.ts';
import { mul, stack, sum, to } from '../../functional/functions.ts';
import { scope } from '../../scope.ts';
import { signature } from '../../signature.ts';
import type { Tensor } from '../../tensor.ts';
import { weightOf } from './labels.ts';
import { StreamingMetric } from './streaming.ts';

const takes = signature('MeanMetric()');
const takesUpdate = signature('MeanMetric.update(value: Tensor|number, weight: Tensor|number = 1)');

/** The weighted mean of all numbers that it is given (torchmetrics' `MeanMetric`). */
export class MeanMetric extends StreamingMetric<number> {
  constructor(...args: []) {
    takes.parse(args);
    super();
  }

  /**
   * Adds numbers.
   * @param args one, or a tensor of them, and what each counts, or all; by default 1
   * @throws ShapeError
   */
  override update(...args: [value: Tensor | number, weight?: Tensor | number | null]): void {
    const [value, weight] = takesUpdate.parse(args) as [Tensor | number, Tensor | number];
    withoutTape(() =>
      scope(() => {
        const x = typeof value === 'number' ? tensor([value]) : to(value, 'f32');
        const each = onesLike(x);
        this.add(x, each, typeof weight === 'number' ? mul(each, weight) : weight);
      }),
    );
  }

  /** @internal */
  protected add(x: Tensor, like: Tensor, given: Tensor): void {
    const weight = weightOf(given, like) as Tensor;
    this.sum('sums', [2]).add(stack([sum(mul(x, weight)), sum(weight)]));
  }

  /** @internal */
  protected result(): number {
    const [sum = Number.NaN, count = 0] = this.read('sums');
    return sum / count;
  }
}
