// Ways that ask for gradients by the inputs alone.

import { indexSelect } from '../functional/indexing.ts';
import { ArgumentError, formatShape, ShapeError } from '../memory/errors.ts';
import { rand, randint, randn } from '../random.ts';
import type { Tensor } from '../tensor.ts';
import { adding, attributing, BASELINE, deltaOf } from './method.ts';
import type {
  AttributeOptions,
  Attribution,
  AttributionWithDelta,
  Baseline,
  BaselineOptions,
  DeltaOptions,
} from './options.ts';
import { type Rule, ruleOf } from './rules.ts';
import { along, perSample, repeated, type Subject } from './subject.ts';

/** Options of {@link saliency}. */
export interface SaliencyOptions extends AttributeOptions {
  /** Whether to leave out the signs. @defaultValue true */
  readonly abs?: boolean;
}

/**
 * The gradient of the output by the inputs: how much it changes with each number (Simonyan et al. 2014; Captum's
 * `Saliency`).
 * @returns of the shape of each input
 * @example
 * ```ts
 * const model = new nn.Sequential(new nn.Linear(4, 8), new nn.ReLU(), new nn.Linear(8, 3));
 * const map = explain.saliency(model.eval(), randn([2, 4]), { target: 1 });
 * console.log(map.shape); // [2, 4]
 * ```
 */
export const saliency: Attribution<SaliencyOptions> = attributing(
  'saliency',
  ', abs: bool = true',
  (subject: Subject, abs: boolean) => {
    const gradients = subject.gradients(subject.inputs);
    return abs ? gradients.map((g) => g.abs()) : gradients;
  },
);

/** The inputs times the gradient of the output by them (Shrikumar et al. 2016; Captum's `InputXGradient`). */
export const inputXGradient: Attribution = attributing('inputXGradient', '', (subject: Subject) =>
  subject.gradients(subject.inputs).map((g, i) => g.mul(subject.inputs[i] as Tensor)),
);

/** Options of {@link integratedGradients}. */
export interface IntegratedGradientsOptions extends BaselineOptions, DeltaOptions {
  /** How many points of the way from the baseline to the inputs. @defaultValue 50 */
  readonly nSteps?: number;
  /** The rule by which they are chosen and weighed. @defaultValue 'gausslegendre' */
  readonly method?: Rule;
}

/**
 * The mean gradient on the straight way from the baseline to `inputs`, by `fn`, which is given `times` points of it for
 * each sample, and gives a gradient for each of its results: [times · n, …].
 */
export function meanOnTheWay(
  subject: Subject,
  [from, to]: readonly [readonly Tensor[], readonly Tensor[]],
  { points, weights }: { readonly points: readonly number[]; readonly weights: readonly number[] },
  fn: (points: readonly Tensor[], times: number) => readonly Tensor[],
): Tensor[] {
  const sums = subject.inGroups(points.length, (first, size) => {
    const places = points.slice(first, first + size);
    const way = to.map((x, i) => {
      const b = from[i] as Tensor;
      const between = b.unsqueeze(0).add(along(places, x.ndim).mul(x.sub(b).unsqueeze(0)));
      return between.reshape([size * subject.n, ...x.sizes.slice(1)]);
    });
    return fn(way, size).map((g) => {
      const each = g.reshape([size, subject.n, ...g.sizes.slice(1)]);
      return each.mul(along(weights.slice(first, first + size), g.ndim)).sum(0);
    });
  });
  return sums.reduce((total, group) => total.map((x, i) => x.add(group[i] as Tensor)));
}

/** What they take by name. */
export const WAY =
  ", nSteps: int = 50, method: 'gausslegendre'|'riemannLeft'|'riemannRight'|'riemannMiddle'|'riemannTrapezoid' = 'gausslegendre'";

/** Integrated gradients of what a subject has, and where it is asked for how far they are from adding up. */
export function integrated(
  subject: Subject,
  wantsDelta: boolean,
  baseline: Baseline,
  ...[nSteps, method]: [nSteps: number, method: Rule]
): Tensor[] {
  const { inputs, op } = subject;
  const from = subject.baselines(baseline);
  const mean = meanOnTheWay(subject, [from, inputs], ruleOf(op, method, nSteps), (points, times) =>
    subject.gradients(points, times),
  );
  const parts = mean.map((g, i) => g.mul((inputs[i] as Tensor).sub(from[i] as Tensor)));
  if (!wantsDelta) return parts;
  return [...parts, deltaOf(parts, subject.difference(), perSample)];
}

/**
 * What each number of the inputs adds to the output, by the gradients on the straight way from a baseline (Sundararajan
 * et al. 2017; Captum's `IntegratedGradients`). All add up to the output less that of the baseline: `delta` says how
 * far they are from it.
 * @returns of the shape of each input; with `returnConvergenceDelta` also delta, [n]
 * @example
 * ```ts
 * const model = new nn.Sequential(new nn.Linear(4, 8), new nn.Tanh(), new nn.Linear(8, 3));
 * const options = { target: 1, returnConvergenceDelta: true } as const;
 * const [parts, delta] = explain.integratedGradients(model, randn([2, 4]), options);
 * console.log(parts.shape, delta.shape); // [2, 4] [2]
 * ```
 */
export const integratedGradients: AttributionWithDelta<IntegratedGradientsOptions> = adding(
  'integratedGradients',
  `${BASELINE}${WAY}`,
  integrated,
);

/** Options of {@link gradientShap}. */
export interface GradientShapOptions extends AttributeOptions, DeltaOptions {
  /**
   * Samples that stand for "no information", [m, …]: each draw takes one of them; or a number.
   * @defaultValue 0
   */
  readonly baseline?: Baseline;
  /** How many draws. @defaultValue 50 */
  readonly nSamples?: number;
  /** The standard deviation of noise on the inputs; one for all or for each input. @defaultValue 0 */
  readonly stdevs?: number | readonly number[];
}

/** A standard deviation for each input. @throws ArgumentError */
export function deviations(op: string, stdevs: number | readonly number[], inputs: readonly Tensor[]): number[] {
  const list = typeof stdevs === 'number' ? inputs.map(() => stdevs) : [...stdevs];
  if (list.length !== inputs.length || list.some((each) => !(each >= 0)))
    throw new ArgumentError(`${op}: expected ${inputs.length} stdevs >= 0, got ${list.join(', ')}`);
  return list;
}

/** A set of baselines for each input. @throws ArgumentError, ShapeError */
function sets(op: string, baseline: Baseline, inputs: readonly Tensor[]): (number | Tensor)[] {
  const list: (number | Tensor)[] = Array.isArray(baseline)
    ? [...baseline]
    : inputs.map(() => baseline as number | Tensor);
  if (list.length !== inputs.length)
    throw new ArgumentError(
      `${op}: expected ${inputs.length} sets of baselines, one for each input, got ${list.length}`,
    );
  const counts = new Set<number>();
  list.forEach((set, i) => {
    if (typeof set === 'number') return;
    const x = inputs[i] as Tensor;
    if (set.ndim !== x.ndim || set.sizes[0] === 0 || set.sizes.some((size, d) => d > 0 && size !== x.sizes[d]))
      throw new ShapeError(
        `${op}: expected baselines [m, ${x.sizes.slice(1).join(', ')}], got ${formatShape(set.sizes)}`,
      );
    counts.add(set.sizes[0] as number);
  });
  if (counts.size > 1)
    throw new ShapeError(`${op}: expected as many baselines for each input, got ${[...counts].join(' and ')}`);
  return list;
}

/**
 * Expected gradients: integrated gradients on average over baselines that are drawn from a set, one point of the way
 * for each draw, which come to SHAP values (Lundberg and Lee 2017, Erion et al. 2021; Captum's `GradientShap`).
 * @returns of the shape of each input; with `returnConvergenceDelta` also delta, [n], the mean over the draws
 */
export const gradientShap: AttributionWithDelta<GradientShapOptions> = adding(
  'gradientShap',
  `${BASELINE}, nSamples: int = 50, stdevs: number|number[] = 0`,
  (subject: Subject, wantsDelta: boolean, baseline: Baseline, nSamples: number, stdevs: number | readonly number[]) => {
    const { inputs, op, n } = subject;
    if (typeof baseline !== 'number') subject.expectInputs('sets of baselines');
    const from = sets(op, baseline, inputs);
    const noise = deviations(op, stdevs, inputs);
    const m = from.find((set) => typeof set !== 'number')?.sizes[0] ?? 1;
    if (nSamples < 1 || nSamples > 1e6)
      throw new ArgumentError(`${op}: expected nSamples from 1 to 1e6, got ${nSamples}`);
    const sums = subject.inGroups(nSamples, (_, size) => {
      const rows = size * n;
      const chosen = randint(0, m, [rows]);
      const place = rand([rows]);
      const starts = from.map((set, i) =>
        typeof set === 'number' ? (inputs[i] as Tensor).mul(0).add(set) : indexSelect(set.detach(), 0, chosen),
      );
      const versions = inputs.map((x, i) => {
        const all = repeated(x, size);
        return noise[i] === 0 ? all : all.add(randn(all.sizes).mul(noise[i] as number));
      });
      const begins = starts.map((b) => (b.sizes[0] === rows ? b : repeated(b, size)));
      const ways = versions.map((x, i) => x.sub(begins[i] as Tensor));
      const points = ways.map((way, i) =>
        (begins[i] as Tensor).add(way.mul(place.reshape([rows, ...new Array<number>(way.ndim - 1).fill(1)]))),
      );
      const total = (x: Tensor): Tensor => x.reshape([size, n, ...x.sizes.slice(1)]).sum(0);
      const parts = subject.gradients(points, size).map((g, i) => total(g.mul(ways[i] as Tensor)));
      if (!wantsDelta) return parts;
      return [...parts, total(subject.values(versions, size).sub(subject.values(begins, size)))];
    });
    const means = sums.reduce((all, group) => all.map((x, i) => x.add(group[i] as Tensor))).map((x) => x.div(nSamples));
    if (!wantsDelta) return means;
    const parts = means.slice(0, -1);
    return [...parts, deltaOf(parts, means.at(-1) as Tensor, perSample)];
  },
);
