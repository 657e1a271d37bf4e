// LIME: the line that comes closest to a model around an input, in terms of features that are there or not.

import { eye, ones } from '../creation.ts';
import { indexSelect } from '../functional/indexing.ts';
import { cat } from '../functional/shape.ts';
import { ArgumentError } from '../memory/errors.ts';
import { rand } from '../random.ts';
import type { Tensor } from '../tensor.ts';
import { FEATURES, type FeatureOptions } from './features.ts';
import { attributing, BASELINE } from './method.ts';
import type { Attribution, Baseline } from './options.ts';
import { begun, expectSamples, MOST_EXACT, setsOf, solved } from './shapley.ts';
import { along, type Subject } from './subject.ts';

/** Options of {@link lime}. */
export interface LimeOptions extends FeatureOptions {
  /** How many sets of features are tried; where there are no more sets than that, all are. @defaultValue 1000 */
  readonly nSamples?: number;
  /**
   * How near a set has to be to all features to count: sets are weighed by exp(−d² / 2 width²), where d is 1 less the
   * cosine of what they have and all.
   * @defaultValue 0.25
   */
  readonly kernelWidth?: number;
  /** How much the squares of the line's slopes count beside its errors, as of ridge regression. @defaultValue 1 */
  readonly alpha?: number;
}

/**
 * LIME (Ribeiro et al. 2016; Captum's `Lime` with ridge regression): the slopes of the line that comes closest to the
 * model, near the input the closer, where features are at their baseline or not. For tables each number is a feature;
 * for images `featureMask` says which pixels belong together, by {@link gridFeatures} or {@link superpixels}; for text
 * tokens are, and the baseline is the token that stands for none.
 * @returns f32 of the shape of each input; all elements of a feature have its number
 * @throws ArgumentError, ShapeError, DtypeError
 * @example
 * ```ts
 * const model = (x: Tensor) => x.mul(tensor([1, 2, 3])).sum(1);
 * const parts = explain.lime(model, ones([1, 3]), { kernelWidth: 10, alpha: 0 });
 * console.log(parts.round().toArray()); // [[1, 2, 3]]
 * ```
 */
export const lime: Attribution<LimeOptions> = attributing(
  'lime',
  `${BASELINE}${FEATURES}, nSamples: int = 1000, kernelWidth: number = 0.25, alpha: number = 1`,
  (
    subject: Subject,
    baseline: Baseline,
    mask: Tensor | readonly Tensor[] | null,
    ...[nSamples, width, alpha]: [nSamples: number, width: number, alpha: number]
  ) => {
    const { op } = subject;
    expectSamples(op, nSamples);
    if (!(width > 0 && alpha >= 0))
      throw new ArgumentError(`${op}: expected kernelWidth > 0 and alpha >= 0, got ${width} and ${alpha}`);
    const { features, valuesOf } = begun(subject, baseline, mask);
    const { count } = features;
    const all = count <= MOST_EXACT && 2 ** count <= nSamples;
    const drawn = all
      ? null
      : cat([
          ones([1, count]),
          rand([nSamples - 1, count])
            .lt(0.5)
            .to('f32'),
        ]).gt(0);
    const whole = valuesOf(ones([1, count]).gt(0));
    // Of a set of s features the cosine with all is √(s / count).
    const distance = (s: number): number => 1 - Math.sqrt(s / count);
    const kernel = along(
      Array.from({ length: count + 1 }, (_, s) => Math.exp(-(distance(s) ** 2) / (2 * width ** 2))),
      0,
    );
    const sums = subject.inGroups(all ? 2 ** count : nSamples, (from, size) => {
      const sets = drawn ? drawn.narrow(0, from, size) : setsOf(count, from, size);
      const z = sets.to('f32');
      const w = indexSelect(kernel, 0, z.sum(1).to('i32')).unsqueeze(1);
      // Distances from the input itself are small numbers where it matters.
      const [absent, y] = [z.neg().add(1), valuesOf(sets).sub(whole)];
      const weighed = absent.mul(w).transpose(0, 1);
      return [weighed.matmul(absent), weighed.matmul(y), weighed.sum(1, true), w.mul(y).sum(0, true), w.sum()] as const;
    });
    const [zz, zy, z, y, total] = sums.reduce(
      ([a, b, c, d, e], [f, g, h, i, j]) => [a.add(f), b.add(g), c.add(h), d.add(i), e.add(j)] as const,
    );
    // The line need not go through the input: means are taken off.
    const a = zz.sub(z.matmul(z.transpose(0, 1)).div(total));
    const b = zy.sub(z.matmul(y).div(total));
    const ridge = eye(count).mul(alpha);
    return features.spread(solved(a.add(ridge), b, Math.min(4 * count, 128), (x) => x).neg());
  },
);
