// How good explanations are.
import { listOf, type Tensors } from '../autograd/lists.ts';
import { withoutTape } from '../autograd.ts';
import { ofForms } from '../io/declare.ts';
import { ArgumentError, describe, formatShape, ShapeError } from '../memory/errors.ts';
import { rand, randn } from '../random.ts';
import { scope } from '../scope.ts';
import { taking } from '../signature.ts';
import { sameShape } from '../sizes.ts';
import { Tensor } from '../tensor.ts';
import { countOf, FORMS, type Method, overVersions } from './attribute.ts';
import { COMMON } from './method.ts';
import type { AttributeOptions, Model, Target } from './options.ts';
import { perSample, preserving, repeated, Subject } from './subject.ts';

/** Options of {@link infidelity}. */
export interface InfidelityOptions extends AttributeOptions {
  /**
   * What is taken away from an input: it gets that of several versions of all samples, and gives numbers of its shape.
   * null: noise of the standard deviation 0.03.
   * @defaultValue null
   */
  readonly perturb?: ((input: Tensor, index: number) => Tensor) | null;
  /** How many times for each sample. @defaultValue 10 */
  readonly nPerturbSamples?: number;
}

/**
 * How far off attributions are in foretelling what becomes of the output where a little is taken away from the inputs:
 * the mean of (Σ attribution · change − (output − output after it))² (Yeh et al. 2019; Captum's `infidelity`). For
 * attributions that are slopes, such as gradients. Lower is better.
 * @returns [n]
 * @throws ArgumentError, ShapeError where there is not one tensor of the shape of each input
 * @example
 * ```ts
 * const model = new nn.Linear(4, 3);
 * const x = randn([2, 4]);
 * const slopes = explain.saliency(model, x, { target: 0, abs: false });
 * console.log(explain.infidelity(model, x, slopes, { target: 0 }).amax().item() < 1e-6); // true
 * ```
 */
export const infidelity: <I extends Tensors>(
  model: Model,
  inputs: I,
  attributions: Tensors,
  options?: InfidelityOptions,
) => Tensor = taking(
  `infidelity(model: Module|function, inputs: Tensor|Tensor[], attributions: Tensor|Tensor[], *, ${COMMON}, perturb: function|null = null, nPerturbSamples: int = 10)`,
  (
    model: Model,
    inputs: Tensors,
    given: Tensors,
    target: Target | null,
    extra: readonly unknown[] | null,
    limit: number | null,
    ...[perturb, times]: [perturb: InfidelityOptions['perturb'], times: number]
  ) => {
    const op = 'infidelity';
    const attributions = listOf(given);
    const count = countOf(op, 'nPerturbSamples', times);
    return preserving(model, () =>
      scope(() =>
        withoutTape(() => {
          const subject = new Subject({ op, model, inputs, target, extra, limit }).settle();
          expectAlike(op, attributions, subject.inputs);
          const base = subject.scores(subject.inputs).unsqueeze(0);
          const sums = subject.inGroups(count, (_, size) => {
            const changes = subject.inputs.map((x, i) => changeOf(op, repeated(x, size), perturb ?? null, i));
            const after = subject.scores(
              subject.inputs.map((x, i) => repeated(x, size).sub(changes[i] as Tensor)),
              size,
            );
            const foretold = changes
              .map((change, i) => perSample(change.mul(repeated((attributions[i] as Tensor).detach(), size))))
              .reduce((a, b) => a.add(b));
            const shape = [size, subject.n];
            return foretold
              .reshape(shape)
              .sub(base.sub(after.reshape(shape)))
              .square()
              .sum(0);
          });
          return sums.reduce((a, b) => a.add(b)).div(count);
        }),
      ),
    );
  },
);

/** @throws ArgumentError, ShapeError */
function expectAlike(op: string, attributions: readonly Tensor[], inputs: readonly Tensor[]): void {
  const at = inputs.findIndex((x, i) => !sameShape(attributions[i]?.sizes ?? [], x.sizes));
  if (attributions.length === inputs.length && at < 0) return;
  throw new ShapeError(
    `${op}: expected attributions of the shapes ${inputs.map((x) => formatShape(x.sizes)).join(', ')} of the inputs, got ${attributions.map((x) => formatShape(x.sizes)).join(', ')}`,
  );
}

/** @throws ArgumentError */
function changeOf(op: string, x: Tensor, perturb: InfidelityOptions['perturb'], i: number): Tensor {
  if (!perturb) return randn(x.sizes).mul(0.03);
  const change: unknown = perturb(x, i);
  if (change instanceof Tensor && change.dtype === 'f32' && sameShape(change.sizes, x.sizes)) return change;
  throw new ArgumentError(
    `${op}: expected perturb to give f32 of shape ${formatShape(x.sizes)}, got ${change instanceof Tensor ? formatShape(change.sizes) : describe(change)}`,
  );
}

/** Options of {@link sensitivityMax}, beside those of its method. */
export interface SensitivityOptions extends AttributeOptions {
  /** What explains each version. @defaultValue integratedGradients */
  readonly method?: Method;
  /** How far any number of the inputs is moved, at most. @defaultValue 0.02 */
  readonly perturbRadius?: number;
  /** How many versions of each sample. @defaultValue 10 */
  readonly nPerturbSamples?: number;
  /** Options of the method. */
  readonly [option: string]: unknown;
}

/**
 * How much an explanation changes, at most, where the inputs change a little, relative to itself (Yeh et al. 2019;
 * Captum's `sensitivity_max`). Lower is better.
 * @returns [n]
 * @throws ArgumentError
 */
export const sensitivityMax: <I extends Tensors>(model: Model, inputs: I, options?: SensitivityOptions) => Tensor =
  ofForms(FORMS('sensitivityMax'), (model: Model, inputs: Tensors, options: SensitivityOptions = {}) => {
    const op = 'sensitivityMax';
    const own = ['perturbRadius', 'nPerturbSamples'];
    const { perturbRadius: radius = 0.02 } = options;
    const count = countOf(op, 'nPerturbSamples', options.nPerturbSamples ?? 10);
    if (!(typeof radius === 'number' && radius > 0))
      throw new ArgumentError(`${op}: expected perturbRadius > 0, got ${describe(radius)}`);
    return overVersions({ op, model, inputs, options, own }, (subject, explain) => {
      const flat = (xs: readonly Tensor[], times: number, like: readonly Tensor[] = []): Tensor =>
        xs
          .map((x, i) => perSample((like[i] ? x.sub(repeated(like[i], times)) : x).square()))
          .reduce((a, b) => a.add(b))
          .sqrt();
      const plain = explain(subject.inputs, 1);
      const size = flat(plain, 1);
      const scale = size.add(size.eq(0).to('f32'));
      const worst = subject.inGroups(count, (_, times) => {
        const moved = subject.inputs.map((x) => {
          const all = repeated(x, times);
          return all.add(
            rand(all.sizes)
              .mul(2 * radius)
              .sub(radius),
          );
        });
        return flat(explain(moved, times), times, plain).reshape([times, subject.n]).div(scale).amax(0);
      });
      return worst.reduce((a, b) => a.maximum(b));
    });
  });
