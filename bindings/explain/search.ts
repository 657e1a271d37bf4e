// Inputs that are looked for by gradients: those that a model answers most strongly, and those that change its answer.
import { withoutTape, withTape } from '../autograd.ts';
import { full, ones, zeros } from '../creation.ts';
import { where } from '../functional/elementwise.ts';
import { roll } from '../functional/rearrange.ts';
import { ArgumentError, ShapeError } from '../memory/errors.ts';
import { randint } from '../random.ts';
import { scope } from '../scope.ts';
import type { Tensor } from '../tensor.ts';
import { countOf } from './attribute.ts';
import { declared } from './method.ts';
import type { AttributeOptions, Model } from './options.ts';
import { perSample, preserving, Subject } from './subject.ts';

/** Options of {@link activationMaximization}. */
export interface MaximizationOptions extends AttributeOptions {
  /** How many steps. @defaultValue 100 */
  readonly nSteps?: number;
  /** How far a step goes, in the root mean square of all numbers. @defaultValue 0.1 */
  readonly lr?: number;
  /** The part by which each step draws all numbers to 0. @defaultValue 0.01 */
  readonly decay?: number;
  /** How much differences of neighbours along the last two dims count against it. @defaultValue 0 */
  readonly totalVariation?: number;
  /** By how many places, at most, inputs are moved along the last two dims before each step. @defaultValue 0 */
  readonly jitter?: number;
  /** The least value. @defaultValue -Infinity */
  readonly low?: number;
  /** The greatest value. @defaultValue Infinity */
  readonly high?: number;
}

/** The sum of the squares of differences of neighbours along the last two dims. */
function roughness(x: Tensor): Tensor {
  const along = (d: number): Tensor => {
    const size = x.sizes[d] as number;
    return x
      .narrow(d, 1, size - 1)
      .sub(x.narrow(d, 0, size - 1))
      .square()
      .sum();
  };
  return [x.ndim - 2, x.ndim - 1]
    .filter((d) => d > 0)
    .map(along)
    .reduce((a, b) => a.add(b));
}

const rms = (x: Tensor): Tensor =>
  perSample(x.square())
    .div(x.size / (x.sizes[0] as number))
    .sqrt()
    .reshape([x.sizes[0] as number, ...x.sizes.slice(1).map(() => 1)]);

/**
 * Inputs that a model answers most strongly, from those that are given, by steps along the gradient (Erhan et al.
 * 2009). * With `layerOutput(model, layer)` they are those of a neuron.
 * @param inputs where it starts, such as a little noise
 * @returns of the shape of the inputs
 * @throws ArgumentError
 * @example
 * ```ts
 * const model = new nn.Linear(4, 3);
 * const best = explain.activationMaximization(model, zeros([1, 4]), { target: 2, nSteps: 20, low: -1, high: 1 });
 * console.log(model.forward(best).sub(model.forward(zeros([1, 4]))).select(1, 2).item() > 0); // true
 * ```
 */
export const activationMaximization: (model: Model, inputs: Tensor, options?: MaximizationOptions) => Tensor = declared(
  'activationMaximization',
  ', nSteps: int = 100, lr: number = 0.1, decay: number = 0.01, totalVariation: number = 0, jitter: int = 0, low: number = -Infinity, high: number = Infinity',
  (asked, ...[nSteps, lr, decay, variation, jitter, low, high]: number[]) => {
    const { op, model } = asked;
    const steps = countOf(op, 'nSteps', nSteps);
    return preserving(model, () =>
      scope(() =>
        withoutTape(() => {
          const subject = new Subject(asked).settle();
          const [start] = subject.leaves(subject.inputs) as [Tensor];
          if (subject.inputs.length !== 1 || start.ndim < 2)
            throw new ShapeError(`${op}: expected one input [n, …], got ${subject.inputs.length}`);
          const sides = Math.min(2, start.ndim - 1);
          const dims = Array.from({ length: sides }, (_, i) => start.ndim - sides + i);
          const limited = (x: Tensor): Tensor => (low === -Infinity && high === Infinity ? x : x.clamp(low, high));
          let x = limited(start.detach().clone());
          for (let i = 0; i < steps; i++) {
            const before = x;
            x = scope(() => {
              const most = jitter as number;
              const moves = most > 0 ? dims.map(() => randint(-most, most + 1, [1]).item()) : [];
              const turned = moves.length > 0 ? roll(before, moves, dims) : before;
              const [g] = withTape(true, () => {
                const leaves = subject.leaves([turned]);
                const scores = subject.scores(leaves);
                return subject.slopes(
                  (variation as number) > 0
                    ? scores
                        .sum()
                        .sub(roughness(leaves[0] as Tensor).mul(variation as number))
                        .reshape([1])
                    : scores,
                  leaves,
                );
              }) as [Tensor];
              const step = g.div(rms(g).add(1e-12)).mul(lr as number);
              const next = limited(turned.mul(1 - (decay as number)).add(step));
              return moves.length > 0
                ? roll(
                    next,
                    moves.map((each) => -each),
                    dims,
                  )
                : next;
            });
            before.dispose();
          }
          return x;
        }),
      ),
    );
  },
);

/** Options of {@link counterfactuals}. */
export interface CounterfactualOptions extends Omit<AttributeOptions, 'target'> {
  /**
   * The class that is wished for, for all samples or one for each; or a function of the output that gives a number for
   * each sample, [n], which is to come to 0 or below.
   */
  readonly target: NonNullable<AttributeOptions['target']>;
  /** How many steps. @defaultValue 200 */
  readonly nSteps?: number;
  /** How far a step goes, in the unit of the inputs. @defaultValue 0.05 */
  readonly lr?: number;
  /**
   * How strongly each step draws back to the inputs, as a part of lr; more leaves fewer numbers changed.
   * @defaultValue 0.1
   */
  readonly sparsity?: number;
  /** By how much the class has to be ahead of all others. @defaultValue 0 */
  readonly margin?: number;
  /**
   * Where inputs may change: numbers that broadcast to them, 0 where they may not; null: everywhere.
   * @defaultValue null
   */
  readonly mutable?: Tensor | null;
  /** The least value. @defaultValue -Infinity */
  readonly low?: number;
  /** The greatest value. @defaultValue Infinity */
  readonly high?: number;
}

/** How far each sample is from what is wished for, [n]: 0 or below where it is there. */
function distanceOf(subject: Subject, points: readonly Tensor[], margin: number): Tensor {
  const y = subject.outputs(points, 1);
  if (typeof subject.target === 'function') return subject.pick(y);
  const wished = subject.pick(y);
  const classes = (y.sizes[1] as number) || 0;
  const own = y.eq(wished.unsqueeze(1).expand([subject.n, classes]));
  const others = where(own, full(y.sizes, -1e30), y).amax(1);
  return others.sub(wished).add(margin);
}

/**
 * Inputs near to those that are given for which the model says something else (Wachter et al. 2018): what would have
 * to be different. Steps along the gradient until it says so, and back to the inputs; of all that do, the nearest.
 * @returns the inputs that were found, and where they do what is wished for, u8 [n]; elsewhere they are as near to it
 * as it came
 * @throws ArgumentError
 * @example
 * ```ts
 * const model = (x: Tensor) => cat([x.narrow(1, 0, 1), x.narrow(1, 1, 1)], 1);
 * const [found, reached] = explain.counterfactuals(model, tensor([[1, 0.5, 3]]), { target: 1 });
 * console.log(reached.toArray(), found.select(1, 2).item()); // [1] 3
 * ```
 */
export const counterfactuals: (
  model: Model,
  inputs: Tensor,
  options: CounterfactualOptions,
) => [found: Tensor, reached: Tensor] = declared(
  'counterfactuals',
  ', nSteps: int = 200, lr: number = 0.05, sparsity: number = 0.1, margin: number = 0, low: number = -Infinity, high: number = Infinity, mutable: Tensor|null = null',
  (
    asked,
    ...[nSteps, lr, sparsity, margin, low, high, mutable]: [
      ...numbers: [number, number, number, number, number, number],
      mutable: Tensor | null,
    ]
  ) => {
    const { op, model } = asked;
    const steps = countOf(op, 'nSteps', nSteps);
    if (asked.target === null)
      throw new ArgumentError(`${op}: expected a target, the class that is wished for, got none`);
    return preserving(model, () =>
      scope(() =>
        withoutTape((): [Tensor, Tensor] => {
          const subject = new Subject(asked).settle();
          const [given] = subject.leaves(subject.inputs).map((x) => x.detach()) as [Tensor];
          if (subject.inputs.length !== 1) throw new ArgumentError(`${op}: expected one input, got several`);
          const free = mutable ? mutable.detach().ne(0).to('f32') : ones([1]);
          const perRow = (x: Tensor): Tensor => x.reshape([subject.n, ...given.sizes.slice(1).map(() => 1)]);
          let now = given.clone();
          let best = {
            x: given.clone(),
            far: full([subject.n], Number.POSITIVE_INFINITY),
            reached: zeros([subject.n]),
          };
          for (let i = 0; i <= steps; i++) {
            const found = scope(() => {
              const { distance, slope } = withTape(true, () => {
                const leaves = subject.leaves([now]);
                const distance = distanceOf(subject, leaves, margin);
                return { distance: distance.detach(), slope: subject.slopes(distance, leaves)[0] as Tensor };
              });
              const change = now.sub(given);
              // Not there yet, it counts as farther than all that are.
              const there = distance.le(0).to('f32');
              const far = where(there.ne(0), perSample(change.abs()), distance.add(1e20));
              const better = far.lt(best.far).to('f32');
              const chosen = where(perRow(better).ne(0).expand(given.sizes), now, best.x);
              const next = { x: chosen, far: far.minimum(best.far), reached: best.reached.maximum(there) };
              const largest = slope.mul(free).abs().reshape([subject.n, -1]).amax(1).add(1e-12);
              const step = slope
                .mul(free)
                .div(perRow(largest))
                .mul(perRow(there.sub(1)))
                .mul(lr);
              const way = now.add(step).sub(given);
              const less = way
                .abs()
                .sub(lr * sparsity)
                .relu()
                .mul(way.sign());
              // What is given may lie beyond the bounds, and stay there.
              const moved = given.add(less).maximum(given.minimum(low)).minimum(given.maximum(high));
              return [moved, next] as const;
            });
            for (const old of [now, best.x, best.far, best.reached]) old.dispose();
            [now, best] = found;
          }
          return [best.x, best.reached.ne(0)];
        }),
      ),
    );
  },
);
