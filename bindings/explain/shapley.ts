// Shapley values: what each feature adds on average over all orders in which features may come.
import { arange, zeros } from '../creation.ts';
import { gather, indexSelect } from '../functional/indexing.ts';
import { multinomial } from '../functional/sampling.ts';
import { cat } from '../functional/shape.ts';
import { argsort, sort } from '../functional/sort.ts';
import { ArgumentError } from '../memory/errors.ts';
import { rand } from '../random.ts';
import type { Tensor } from '../tensor.ts';
import { FEATURES, type FeatureOptions, Features, joined } from './features.ts';
import { attributing, BASELINE } from './method.ts';
import type { Attribution, Baseline } from './options.ts';
import type { Subject } from './subject.ts';
import { along } from './subject.ts';

/** With more features there are more than 65,536 sets of them. */
export const MOST_EXACT = 16;

/** 1 where set `from`, `from + 1`, … has a feature, which is where its number has a bit: [size, count], u8. */
export function setsOf(count: number, from: number, size: number): Tensor {
  const bits = along(
    Array.from({ length: count }, (_, k) => 2 ** k),
    0,
  ).to('i32');
  return arange(from, from + size, { dtype: 'i32' })
    .unsqueeze(1)
    .bitwiseAnd(bits.unsqueeze(0))
    .ne(0);
}

/** What each way that knows features starts from. */
export function begun(subject: Subject, baseline: Baseline, mask: Tensor | readonly Tensor[] | null) {
  const features = new Features(subject, mask);
  const baselines = subject.baselines(baseline);
  /** The numbers that are explained with the features of sets alone, [sets, n]. */
  const valuesOf = (sets: Tensor): Tensor => features.scores(sets.eq(0), baselines);
  return { features, valuesOf };
}

/**
 * The features' exact Shapley values, by all sets of features: 2^features calls of the model for each sample, for up to
 * 16 features (Shapley 1953; Captum's `ShapleyValues`).
 * @returns f32 of the shape of each input; all elements of a feature have its number
 * @throws ArgumentError for more features
 * @example
 * ```ts
 * const model = (x: Tensor) => x.select(1, 0).mul(x.select(1, 1));
 * console.log(explain.shapleyValues(model, tensor([[2, 3]])).toArray()); // [[3, 3]]
 * ```
 */
export const shapleyValues: Attribution<FeatureOptions> = attributing(
  'shapleyValues',
  `${BASELINE}${FEATURES}`,
  (subject: Subject, baseline: Baseline, mask: Tensor | readonly Tensor[] | null) => {
    const { features, valuesOf } = begun(subject, baseline, mask);
    const { count } = features;
    if (count > MOST_EXACT)
      throw new ArgumentError(
        `${subject.op}: expected at most ${MOST_EXACT} features, got ${count}; group them by featureMask, or use kernelShap() or shapleyValueSampling()`,
      );
    // Sets of s others come before it in 1 / (count · (count − 1 over s)) of the orders.
    const shares = [1 / count];
    for (let s = 1; s < count; s++) shares.push(((shares[s - 1] as number) * s) / (count - s));
    const [joins, leaves] = [along([0, ...shares], 0), along([...shares, 0], 0)];
    const parts = subject.inGroups(2 ** count, (from, size) => {
      const sets = setsOf(count, from, size);
      const sizes = sets.to('f32').sum(1).to('i32');
      const weights = sets.to('f32').mul(indexSelect(joins.add(leaves), 0, sizes).unsqueeze(1));
      const weighed = weights.sub(indexSelect(leaves, 0, sizes).unsqueeze(1));
      return weighed.transpose(0, 1).matmul(valuesOf(sets));
    });
    return features.spread(parts.reduce((sum, each) => sum.add(each)));
  },
);

/** Options of {@link shapleyValueSampling} and {@link kernelShap}. */
export interface SamplingOptions extends FeatureOptions {
  /** How many orders, or sets, of features are tried. */
  readonly nSamples?: number;
}

/** @throws ArgumentError */
export function expectSamples(op: string, nSamples: number): void {
  if (nSamples < 1 || nSamples > 1e6)
    throw new ArgumentError(`${op}: expected nSamples from 1 to 1e6, got ${nSamples}`);
}

/**
 * Shapley values by random orders of the features (Castro et al. 2009; Captum's `ShapleyValueSampling`): `nSamples`, 25
 * by default, times as many calls of the model as there are features.
 * @returns f32 of the shape of each input
 */
export const shapleyValueSampling: Attribution<SamplingOptions> = attributing(
  'shapleyValueSampling',
  `${BASELINE}${FEATURES}, nSamples: int = 25`,
  (subject: Subject, baseline: Baseline, mask: Tensor | readonly Tensor[] | null, nSamples: number) => {
    expectSamples(subject.op, nSamples);
    const { features, valuesOf } = begun(subject, baseline, mask);
    const { count } = features;
    let total = zeros([count, subject.n]);
    for (let i = 0; i < nSamples; i++) {
      const place = argsort(rand([1, count]), 1);
      const values = joined(
        subject.inGroups(count + 1, (from, size) =>
          valuesOf(place.lt(arange(from, from + size, { dtype: 'i32' }).unsqueeze(1))),
        ),
      );
      const added = values.narrow(0, 1, count).sub(values.narrow(0, 0, count));
      total = total.add(indexSelect(added, 0, place.reshape([count])));
    }
    return features.spread(total.div(nSamples));
  },
);

/** The mean over the features taken off, so that all add up to 0. */
const levelled = (x: Tensor): Tensor => x.sub(x.mean(0, true));

/**
 * The numbers that come closest to A · x = b among those that `onto` leaves alone, by conjugate gradients. On them A is
 * nearly a multiple of the identity, so that a few turns do.
 */
export function solved(a: Tensor, b: Tensor, turns: number, onto: (x: Tensor) => Tensor): Tensor {
  let x = zeros(b.sizes);
  let rest = onto(b);
  let way = rest;
  let size = rest.square().sum(0, true);
  const start = size.add(1e-30);
  for (let i = 0; i < turns; i++) {
    const image = onto(a.matmul(way));
    // Where it is as exact as f32 can be it stays.
    const moves = size.div(start).gt(1e-13).to('f32');
    const step = size.div(way.mul(image).sum(0, true).add(1e-30)).mul(moves);
    x = x.add(way.mul(step));
    // What rounding leaves off them would be divided by next to nothing.
    rest = onto(rest.sub(image.mul(step)));
    const next = rest.square().sum(0, true);
    way = rest.add(way.mul(next.div(size.add(1e-30))));
    size = next;
  }
  return x;
}

/** Sets of features by chance, as often of each size as SHAP's kernel weighs it, each with what it lacks. */
function drawnSets(count: number, pairs: number): Tensor {
  const odds = Array.from({ length: count - 1 }, (_, i) => 1 / ((i + 1) * (count - 1 - i)));
  const sizes = multinomial(along(odds, 0), pairs, true);
  const keys = rand([pairs, count]);
  const last = gather(sort(keys, 1).values, 1, sizes.unsqueeze(1));
  return cat([keys.le(last), keys.gt(last)]);
}

/**
 * Shapley values by a weighted regression over sets of features (Lundberg and Lee 2017; Captum's `KernelShap`, shap's
 * `KernelExplainer`). Where `nSamples`, 2048 by default, are enough for all sets, these are all taken, and the values
 * are exact. They always add up to the output less that of the baseline.
 * @returns f32 of the shape of each input
 * @example
 * ```ts
 * const model = (x: Tensor) => x.select(1, 0).mul(x.select(1, 1)).add(x.select(1, 2));
 * console.log(explain.kernelShap(model, tensor([[2, 3, 1]])).shape); // [1, 3]
 * ```
 */
export const kernelShap: Attribution<SamplingOptions> = attributing(
  'kernelShap',
  `${BASELINE}${FEATURES}, nSamples: int = 2048`,
  (subject: Subject, baseline: Baseline, mask: Tensor | readonly Tensor[] | null, nSamples: number) => {
    expectSamples(subject.op, nSamples);
    const { features, valuesOf } = begun(subject, baseline, mask);
    const { count } = features;
    const ends = valuesOf(setsOf(1, 0, 2).expand([2, count]));
    const base = ends.narrow(0, 0, 1);
    const whole = ends.narrow(0, 1, 1).sub(base);
    if (count === 1) return features.spread(whole);
    const all = count <= MOST_EXACT && 2 ** count - 2 <= nSamples;
    const pairs = Math.ceil(nSamples / 2);
    const drawn = all ? null : drawnSets(count, pairs);
    const number = all ? 2 ** count - 2 : 2 * pairs;
    const kernel = kernelOf(count);
    const sums = subject.inGroups(number, (from, size) => {
      const sets = drawn ? drawn.narrow(0, from, size) : setsOf(count, from + 1, size);
      const z = sets.to('f32');
      const weighed = drawn ? z : z.mul(indexSelect(kernel, 0, z.sum(1).to('i32')).unsqueeze(1));
      const turned = weighed.transpose(0, 1);
      return [turned.matmul(z), turned.matmul(valuesOf(sets).sub(base))] as const;
    });
    const [a, b] = sums.reduce(([p, q], [r, s]) => [p.add(r), q.add(s)] as const);
    const even = whole.div(count).expand([count, subject.n]);
    const scale = a.mean();
    const rest = solved(a.div(scale), b.sub(a.matmul(even)).div(scale), Math.min(count, 32), levelled);
    return features.spread(even.add(rest));
  },
);

/** The weight of a set by its size in SHAP's kernel, so that those of all sets of a size are 1 / (s (count − s)). */
function kernelOf(count: number): Tensor {
  let sets = 1;
  const weights = [0];
  for (let s = 1; s < count; s++) {
    sets *= (count - s + 1) / s;
    weights.push((count - 1) / (sets * s * (count - s)));
  }
  return along([...weights, 0], 0);
}
