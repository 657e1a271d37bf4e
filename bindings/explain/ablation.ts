// Ways that change parts of the inputs, and look at what becomes of the output.
import { arange, ones } from '../creation.ts';
import { where } from '../functional/elementwise.ts';
import { indexSelect } from '../functional/indexing.ts';
import { stack } from '../functional/shape.ts';
import { ArgumentError } from '../memory/errors.ts';
import { randperm } from '../random.ts';
import type { Tensor } from '../tensor.ts';
import { FEATURES, type FeatureOptions, Features, joined, type PermutationOptions } from './features.ts';
import { attributing, BASELINE } from './method.ts';
import type { Attribution, AttributionWith, Baseline, BaselineOptions } from './options.ts';
import { repeated, type Subject } from './subject.ts';

/**
 * How much lower the output is where a feature is at its baseline (Captum's `FeatureAblation`). It asks for no
 * gradient, so that inputs may be whole numbers and the model anything.
 * @returns f32 of the shape of each input; all elements of a feature have its number
 * @throws ArgumentError, ShapeError, DtypeError
 * @example
 * ```ts
 * const model = (x: Tensor) => x.mul(tensor([1, 2, 3])).sum(1);
 * const featureMask = tensor([0, 1, 1], { dtype: 'i32' });
 * console.log(explain.featureAblation(model, ones([1, 3]), { featureMask }).toArray()); // [[1, 5, 5]]
 * ```
 */
export const featureAblation: Attribution<FeatureOptions> = attributing(
  'featureAblation',
  `${BASELINE}${FEATURES}`,
  (subject: Subject, baseline: Baseline, mask: Tensor | readonly Tensor[] | null) => {
    const features = new Features(subject, mask);
    const baselines = subject.baselines(baseline);
    const whole = subject.scores(subject.inputs);
    const groups = subject.inGroups(features.count, (from, size) =>
      whole.unsqueeze(0).sub(features.scores(features.oneByOne(from, size), baselines)),
    );
    return features.spread(joined(groups));
  },
);

/**
 * How much lower the output is where a feature is that of another sample, drawn by chance (Captum's
 * `FeaturePermutation`).
 * @returns f32 of the shape of each input
 * @throws ArgumentError where there is only one sample
 */
export const featurePermutation: Attribution<PermutationOptions> = attributing(
  'featurePermutation',
  FEATURES,
  (subject: Subject, mask: Tensor | readonly Tensor[] | null) => {
    const { inputs, n, op } = subject;
    if (n < 2) throw new ArgumentError(`${op}: expected at least 2 samples to exchange features, got ${n}`);
    const features = new Features(subject, mask);
    const whole = subject.scores(inputs);
    const groups = subject.inGroups(features.count, (from, size) => {
      const orders = Array.from({ length: size }, () => randperm(n));
      const others = inputs.map((x) => stack(orders.map((order) => indexSelect(x, 0, order))));
      const rows = features.without(features.oneByOne(from, size), others);
      return whole.unsqueeze(0).sub(subject.scores(rows, size).reshape([size, n]));
    });
    return features.spread(joined(groups));
  },
);

/** Options of {@link occlusion}. */
export interface OcclusionOptions extends BaselineOptions {
  /**
   * The size of the window, without the samples: `[1, 3, 3]` for images [n, 1, height, width]. For several inputs, a
   * list of such lists.
   */
  readonly slidingWindowShapes: readonly number[] | readonly (readonly number[])[];
  /**
   * How far it moves along each dim, likewise, at most its size; one number for all, of which no more counts; null: 1.
   * @defaultValue null
   */
  readonly strides?: number | readonly number[] | readonly (readonly number[])[] | null;
}

/** How the window moves over an input. */
interface Windows {
  readonly shape: readonly number[];
  readonly strides: readonly number[];
  /** Places along each dim. */
  readonly places: readonly number[];
  readonly count: number;
}

/** @throws ArgumentError */
function windowsOf(op: string, x: Tensor, shape: readonly number[], given: number | readonly number[]): Windows {
  const sizes = x.sizes.slice(1);
  const strides = typeof given === 'number' ? shape.map((each) => Math.min(given, each)) : given;
  const wrong = (list: readonly number[]): boolean =>
    list.length !== sizes.length || !list.every((each) => Number.isSafeInteger(each) && each >= 1);
  if (wrong(shape) || shape.some((each, d) => each > (sizes[d] as number)))
    throw new ArgumentError(
      `${op}: expected slidingWindowShapes of ${sizes.length} sizes from 1 to ${sizes.join(', ')}, got ${shape.join(', ')}`,
    );
  if (wrong(strides) || strides.some((each, d) => each > (shape[d] as number)))
    throw new ArgumentError(
      `${op}: expected strides of ${sizes.length} numbers from 1 to the window's ${shape.join(', ')}, got ${strides.join(', ')}`,
    );
  const places = sizes.map((size, d) => Math.ceil((size - (shape[d] as number)) / (strides[d] as number)) + 1);
  return { shape, strides, places, count: places.reduce((a, b) => a * b, 1) };
}

/** 1 inside of the windows `from`, `from + 1`, …, f32 [size, …]. */
function masksOf(x: Tensor, { shape, strides, places }: Windows, from: number, size: number): Tensor {
  const indices = arange(from, from + size);
  let step = 1;
  return x.sizes.slice(1).reduceRight<Tensor>(
    (mask, length, d) => {
      const place = indices.div(step).floor();
      const along = place.sub(
        place
          .div(places[d] as number)
          .floor()
          .mul(places[d] as number),
      );
      step *= places[d] as number;
      const start = along.mul(strides[d] as number).unsqueeze(1);
      const at = arange(length).unsqueeze(0).sub(start);
      const inside = at
        .ge(0)
        .to('f32')
        .mul(at.lt(shape[d] as number).to('f32'));
      return mask.mul(inside.reshape([size, ...x.sizes.slice(1).map((_, i) => (i === d ? length : 1))]));
    },
    ones([size, ...x.sizes.slice(1).map(() => 1)]),
  );
}

/**
 * How much lower the output is where a window over the inputs is at its baseline, on average over the windows that
 * cover an element (Zeiler and Fergus 2014; Captum's `Occlusion`).
 * @returns f32 of the shape of each input
 * @throws ArgumentError, ShapeError, DtypeError
 */
export const occlusion: AttributionWith<OcclusionOptions> = attributing(
  'occlusion',
  `${BASELINE}, slidingWindowShapes: any[]|null = null, strides: int|any[]|null = null`,
  (
    subject: Subject,
    baseline: Baseline,
    shapes: OcclusionOptions['slidingWindowShapes'] | null,
    strides: OcclusionOptions['strides'],
  ) => {
    const { inputs, op, n } = subject;
    if (!shapes) throw new ArgumentError(`${op}: expected slidingWindowShapes, the size of the window, got none`);
    const baselines = subject.baselines(baseline);
    const whole = subject.scores(inputs).unsqueeze(0);
    const listed = (list: unknown, i: number): never =>
      (Array.isArray(list) && Array.isArray(list[0]) ? (list[i] ?? []) : list) as never;
    return inputs.map((x, i) => {
      const windows = windowsOf(op, x, listed(shapes, i), listed(strides ?? 1, i));
      const sums = subject.inGroups(windows.count, (from, size) => {
        const inside = masksOf(x, windows, from, size).unsqueeze(1);
        const rows = where(inside.ne(0), (baselines[i] as Tensor).unsqueeze(0), x.unsqueeze(0));
        const versions = inputs.map((other, j) =>
          i === j ? rows.reshape([size * n, ...x.sizes.slice(1)]) : repeated(other, size),
        );
        const lower = whole.sub(subject.scores(versions, size).reshape([size, n]));
        const each = inside.mul(lower.reshape([size, n, ...new Array<number>(x.ndim - 1).fill(1)]));
        return [each.sum(0), inside.sum(0)] as const;
      });
      const [total, times] = sums.reduce(([a, b], [c, d]) => [a.add(c), b.add(d)] as const);
      return total.div(times);
    });
  },
);
