// How a model depends on the columns of a table: on average, sample by sample, and how much it needs them.
import { withoutTape } from '../autograd.ts';
import { indexSelect } from '../functional/indexing.ts';
import { cat, stack } from '../functional/shape.ts';
import { quantile } from '../functional/statistics.ts';
import { ArgumentError, describe, ShapeError } from '../memory/errors.ts';
import { randperm } from '../random.ts';
import { scope } from '../scope.ts';
import { taking } from '../signature.ts';
import { Tensor } from '../tensor.ts';
import { countOf } from './attribute.ts';
import { FEATURES, Features } from './features.ts';
import { declared } from './method.ts';
import type { AttributeOptions, Model } from './options.ts';
import { along, preserving, Subject } from './subject.ts';

/** Options of {@link partialDependence}. */
export interface PartialDependenceOptions extends AttributeOptions {
  /** The column, of inputs [n, columns]. */
  readonly feature: number;
  /** The values to put in, such as codes; null: `gridResolution` steps between the percentiles. @defaultValue null */
  readonly grid?: readonly number[] | Tensor | null;
  /** How many steps. @defaultValue 20 */
  readonly gridResolution?: number;
  /** Between which parts of the column's values. @defaultValue [0.05, 0.95] */
  readonly percentiles?: readonly number[];
}

/** What {@link partialDependence} gives. */
export interface PartialDependence {
  /** The values that were put in, [values]. */
  readonly values: Tensor;
  /** The mean output for each (partial dependence), [values]. */
  readonly average: Tensor;
  /** The output of each sample for each (ICE), [n, values]. */
  readonly individual: Tensor;
}

/** The values of a column that are tried, f32. @throws ArgumentError */
function gridOf(op: string, column: Tensor, grid: unknown, resolution: number, parts: readonly number[]): Tensor {
  if (grid instanceof Tensor) return grid.detach().to('f32').reshape([grid.size]);
  if (Array.isArray(grid) && grid.length > 0) return along(grid as number[], 0);
  if (grid !== null) throw new ArgumentError(`${op}: expected a grid of numbers, got ${describe(grid)}`);
  const [low = Number.NaN, high = Number.NaN] = parts;
  if (!(low >= 0 && low < high && high <= 1) || resolution < 2 || resolution > 1e6)
    throw new ArgumentError(
      `${op}: expected gridResolution >= 2 and percentiles between 0 and 1, got ${resolution} and ${parts.join(', ')}`,
    );
  const [from, to] = [low, high].map((part) => quantile(column, part)) as [Tensor, Tensor];
  return from.add(
    to.sub(from).mul(
      along(
        Array.from({ length: resolution }, (_, i) => i / (resolution - 1)),
        0,
      ),
    ),
  );
}

/**
 * What the output is on average, and for each sample, where a column has the same value for all (Friedman 2001;
 * Goldstein et al. 2015; scikit-learn's `partial_dependence`).
 * @param inputs f32 [n, columns]
 * @throws ArgumentError, ShapeError
 * @example
 * ```ts
 * const model = (x: Tensor) => x.select(1, 0).mul(2).add(x.select(1, 1));
 * const { values, average } = explain.partialDependence(model, rand([50, 2]), { feature: 0, grid: [0, 1] });
 * console.log(values.toArray(), average.select(0, 1).sub(average.select(0, 0)).item()); // [0, 1] 2
 * ```
 */
export const partialDependence: (model: Model, inputs: Tensor, options: PartialDependenceOptions) => PartialDependence =
  declared(
    'partialDependence',
    ', feature: int|null = null, grid: Tensor|number[]|null = null, gridResolution: int = 20, percentiles: number[] = [0.05, 0.95]',
    (asked, feature: number | null, grid: unknown, resolution: number, percentiles: readonly number[]) => {
      const { op, model } = asked;
      return preserving(model, () =>
        scope(() =>
          withoutTape(() => {
            const subject = new Subject(asked).settle();
            const [x] = subject.inputs as [Tensor];
            const columns = x.sizes[1] as number;
            if (subject.inputs.length !== 1 || x.ndim !== 2 || x.dtype !== 'f32')
              throw new ShapeError(`${op}: expected inputs f32 [n, columns], got others`);
            if (feature === null || feature < 0 || feature >= columns)
              throw new ArgumentError(`${op}: expected feature from 0 to ${columns - 1}, got ${feature}`);
            const values = gridOf(op, x.select(1, feature), grid, resolution, percentiles);
            const mask = along(
              Array.from({ length: columns }, (_, i) => +(i === feature)),
              0,
            );
            const found = subject.inGroups(values.size, (from, size) => {
              const own = values.narrow(0, from, size).reshape([size, 1, 1]).mul(mask);
              const rows = x.unsqueeze(0).mul(mask.sub(1).neg()).add(own);
              return subject.scores([rows.reshape([size * subject.n, columns])], size).reshape([size, subject.n]);
            });
            const all = cat(found);
            return { values, average: all.mean(1), individual: all.transpose(0, 1).contiguous() };
          }),
        ),
      );
    },
  );

/** Options of {@link permutationImportance}. */
export interface PermutationImportanceOptions {
  /** How good an output is: a number, or a tensor of one, higher where it is better. */
  readonly score: (output: Tensor, targets: Tensor) => Tensor | number;
  /** How often each feature is shuffled. @defaultValue 5 */
  readonly nRepeats?: number;
  /** As that of {@link FeatureOptions}: columns that are shuffled together. @defaultValue null */
  readonly featureMask?: Tensor | readonly Tensor[] | null;
  /** What the model takes behind the inputs. @defaultValue null */
  readonly additionalForwardArgs?: readonly unknown[] | null;
  /** How many samples the model gets at once, at most, but all of one shuffle. @defaultValue null */
  readonly internalBatchSize?: number | null;
}

/** What {@link permutationImportance} gives, for each feature how much lower the score is without it. */
export interface PermutationImportance {
  /** The mean over the repeats, [features]. */
  readonly mean: Tensor;
  /** The standard deviation, [features]. */
  readonly std: Tensor;
  /** All of them, [features, repeats]. */
  readonly each: Tensor;
}

/**
 * How much worse a model is where a feature is shuffled among the samples, so that it says nothing (Breiman 2001;
 * scikit-learn's `permutation_importance`).
 * @param targets what the score compares outputs to
 * @throws ArgumentError
 * @example
 * ```ts
 * const model = (x: Tensor) => x.select(1, 0);
 * const x = randn([100, 2]);
 * const score = (output: Tensor, y: Tensor) => output.sub(y).square().mean().neg();
 * const { mean } = explain.permutationImportance(model, x, x.select(1, 0), { score });
 * console.log(mean.select(0, 1).item() === 0); // true
 * ```
 */
export const permutationImportance: (
  model: Model,
  inputs: Tensor | readonly Tensor[],
  targets: Tensor,
  options: PermutationImportanceOptions,
) => PermutationImportance = taking(
  `permutationImportance(model: Module|function, inputs: Tensor|Tensor[], targets: Tensor, *, score: function|null = null, nRepeats: int = 5${FEATURES}, additionalForwardArgs: any[]|null = null, internalBatchSize: int|null = null)`,
  (
    model: Model,
    inputs: Tensor | readonly Tensor[],
    targets: Tensor,
    score: PermutationImportanceOptions['score'] | null,
    repeats: number,
    ...[mask, extra, limit]: [Tensor | readonly Tensor[] | null, readonly unknown[] | null, number | null]
  ) => {
    const op = 'permutationImportance';
    if (!score) throw new ArgumentError(`${op}: expected a score, higher where an output is better, got none`);
    const count = countOf(op, 'nRepeats', repeats);
    const scoreOf = (output: Tensor): Tensor => {
      const found: unknown = score(output, targets);
      if (typeof found === 'number') return along([found], 0).reshape([]);
      if (found instanceof Tensor && found.size === 1) return found.to('f32').reshape([]);
      throw new ArgumentError(`${op}: expected score to give a number, got ${describe(found)}`);
    };
    return preserving(model, () =>
      scope(() =>
        withoutTape(() => {
          const subject = new Subject({ op, model, inputs, target: null, extra, limit });
          const { n } = subject;
          const features = new Features(subject, mask);
          const base = scoreOf(subject.outputs(subject.inputs, 1));
          const losses = subject.inGroups(features.count * count, (from, size) => {
            const orders = Array.from({ length: size }, () => randperm(n));
            const others = subject.inputs.map((x) => stack(orders.map((order) => indexSelect(x, 0, order))));
            const at = along(
              Array.from({ length: size }, (_, i) => Math.floor((from + i) / count)),
              0,
            ).to('i32');
            const rows = features.without(indexSelect(features.oneByOne(0, features.count), 0, at), others);
            const output = subject.outputs(rows, size);
            const shaped = output.reshape([size, n, ...output.sizes.slice(1)]);
            return stack(Array.from({ length: size }, (_, i) => base.sub(scoreOf(shaped.select(0, i)))));
          });
          const each = cat(losses).reshape([features.count, count]);
          const mean = each.mean(1);
          return { mean, std: each.sub(mean.unsqueeze(1)).square().mean(1).sqrt(), each };
        }),
      ),
    );
  },
);
