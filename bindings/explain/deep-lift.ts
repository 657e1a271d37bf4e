// DeepLIFT: what each number adds to the difference from a baseline, by the differences that each op sees.
import { where } from '../functional/elementwise.ts';
import { ArgumentError } from '../memory/errors.ts';
import type { Bag } from '../ops/core.ts';
import { Tensor } from '../tensor.ts';
import { adding, BASELINE, deltaOf } from './method.ts';
import { ELEMENTWISE, isTraining, MAX_POOLS, MOVES, PRODUCTS, SUMS } from './op-kinds.ts';
import type { AttributionWithDelta, Baseline, BaselineOptions, DeltaOptions } from './options.ts';
import { perSample, type Subject } from './subject.ts';
import { asGradient, expectUnwritten, gradientOf, override, recorded, refuse, type Step } from './tape.ts';

/** Differences below it are none. */
const LEAST = 1e-6;
const CURE = 'use integratedGradients() or gradientShap()';

/** An op at the inputs, and at the baseline. */
interface Pair {
  readonly here: Step;
  readonly there: Step;
  readonly varies: (x: unknown) => boolean;
}

const half = (a: Tensor, b: Tensor): Tensor => a.add(b).mul(0.5);
const of = (step: Step, name: string): Tensor => step.node.inputs[name] as Tensor;
const resultOf = ({ node }: Step): Tensor => (node.outputs[0] as Tensor).detach();

/** Δy / Δx, or what `slope` gives where x does not change. */
function ratio(dy: Tensor, dx: Tensor, slope: () => Tensor): Tensor {
  const still = dx.abs().lt(LEAST);
  return where(still, slope(), dy.div(where(still, dx.mul(0).add(1), dx)));
}

/** The rescale rule: the gradient times Δy / Δx. */
function rescale({ here, there, varies }: Pair): Parameters<typeof override>[1] {
  const name = here.node.row.inputs.find(({ name: each }) => varies(here.node.inputs[each]))?.name as string;
  return (own, o, g, ...rest) => {
    const [x, before] = [of(here, name).detach(), of(there, name).detach()];
    const gy = gradientOf(here.node, g);
    const slope = (): Tensor => own(o, asGradient(here.node, gy), ...rest)[name] as Tensor;
    return { [name]: ratio(gy.mul(resultOf(here).sub(resultOf(there))), x.sub(before), slope) };
  };
}

/** Of products each factor's gradient is the mean of the other one here and there, so that both add up. */
function product({ here, there }: Pair): Parameters<typeof override>[1] {
  const [a, b] = [
    half(of(here, 'a').detach(), of(there, 'a').detach()),
    half(of(here, 'b').detach(), of(there, 'b').detach()),
  ];
  return (own, o, g, _saved, ...rest) => own(o, g, { a, b }, ...rest);
}

/** a / b as a · (1 / b). */
function quotient({ here, there }: Pair): Parameters<typeof override>[1] {
  const [a, b] = [
    half(of(here, 'a').detach(), of(there, 'a').detach()),
    [of(here, 'b').detach(), of(there, 'b').detach()],
  ];
  const [now, before] = b as [Tensor, Tensor];
  return (_own, _o, g) => {
    const gy = gradientOf(here.node, g);
    return { a: gy.mul(half(now.reciprocal(), before.reciprocal())), b: gy.mul(a).div(now.mul(before)).neg() };
  };
}

/** softmax and its logarithm, taken apart into exponentials, their sum and a quotient, or logarithm. */
function softmax({ here, there }: Pair): Parameters<typeof override>[1] {
  const { dim } = here.node.attrs as { dim: number };
  const logarithm = here.node.name === 'logSoftmax';
  return (_own, _o, g) => {
    const gy = gradientOf(here.node, g);
    const [x, before] = [of(here, 'x').detach(), of(there, 'x').detach()];
    const top = x.maximum(before).amax(dim, true);
    const [e, f] = [x.sub(top).exp(), before.sub(top).exp()];
    const [s, t] = [e.sum(dim, true), f.sum(dim, true)];
    const steep = ratio(e.sub(f), x.sub(before), () => half(e, f));
    if (logarithm) {
      const slope = ratio(s.log().sub(t.log()), s.sub(t), () => s.reciprocal());
      return { x: gy.sub(steep.mul(gy.sum(dim, true).mul(slope))) };
    }
    const shared = gy.mul(half(e, f)).sum(dim, true).div(s.mul(t));
    return { x: steep.mul(gy.mul(half(s.reciprocal(), t.reciprocal())).sub(shared)) };
  };
}

/** A larger maximum here is due to where it lies here, and a larger one there to where it lies there. */
function maxPool({ here, there }: Pair): Parameters<typeof override>[1] {
  return (own, o, g, saved, attrs, context) => {
    const gy = gradientOf(here.node, g);
    const [y, before] = [resultOf(here), resultOf(there)];
    const top = y.maximum(before);
    const back = (weight: Tensor, values: Bag): Tensor =>
      own(o, asGradient(here.node, gy.mul(weight)), values, attrs, context).x as Tensor;
    const sum = back(top.sub(before), saved).add(back(y.sub(top), there.node.saved as Bag));
    const dx = of(here, 'x').detach().sub(of(there, 'x').detach());
    return { x: ratio(sum, dx, () => own(o, g, saved, attrs, context).x as Tensor) };
  };
}

/** The rule of an op where it is not the gradient's. @throws ArgumentError where there is none */
function ruleFor(subject: Subject, pair: Pair): Parameters<typeof override>[1] | null {
  const { node } = pair.here;
  const { name, row, inputs } = node;
  const varying = row.inputs.filter(({ name: each }) => {
    const slot = inputs[each];
    return slot instanceof Tensor ? pair.varies(slot) : slot?.some(pair.varies);
  });
  const alone = varying.length === 1;
  if (MOVES.has(name)) return null;
  if (SUMS.has(name)) {
    // Weights, statistics and conditions that depend on the inputs make no sum of it.
    const linear = name === 'add' || name === 'sub' || name === 'where' || name === 'indexAdd' || alone;
    const trains = isTraining(node);
    if (linear && !trains) return null;
    refuse(subject.op, subject.model, node, trains ? 'call eval() first' : CURE);
  }
  if (PRODUCTS.has(name)) return alone ? null : product(pair);
  if (name === 'div') return alone && varying[0]?.name === 'a' ? null : quotient(pair);
  if (ELEMENTWISE.has(name) && alone) return rescale(pair);
  if (name === 'softmax' || name === 'logSoftmax') return softmax(pair);
  if (MAX_POOLS.has(name)) return maxPool(pair);
  return refuse(subject.op, subject.model, node, CURE);
}

/** The multipliers of `inputs` against `baselines`. @throws ArgumentError, GradError */
function multipliers(subject: Subject, baselines: readonly Tensor[]): Tensor[] {
  const { op, model } = subject;
  const run = (points: readonly Tensor[]) => {
    const leaves = subject.leaves(points);
    return { leaves, ...recorded(leaves, () => subject.scores(leaves)) };
  };
  const here = run(subject.inputs);
  const there = run(baselines);
  const same = ({ node }: Step, i: number): boolean =>
    node.name === there.steps[i]?.node.name &&
    String(node.outputs[0]?.sizes) === String(there.steps[i]?.node.outputs[0]?.sizes);
  if (here.steps.length !== there.steps.length || !here.steps.every(same))
    throw new ArgumentError(
      `${op}: expected a model that runs the same ops for the inputs and the baseline, got one that does not; ${CURE}`,
    );
  here.steps.forEach((step, i) => {
    const pair = { here: step, there: there.steps[i] as Step, varies: here.varies };
    const rule = ruleFor(subject, pair);
    if (!rule) return;
    expectUnwritten(op, model, step);
    expectUnwritten(op, model, pair.there);
    override(step.node, rule);
  });
  return subject.slopes(here.result, here.leaves);
}

/** Options of {@link deepLift}. */
export interface DeepLiftOptions extends BaselineOptions, DeltaOptions {}

/**
 * DeepLIFT by the rescale rule (Shrikumar et al. 2017; Captum's `DeepLift`): each op that is no sum passes on the ratio
 * of the differences of its result and its input from those at the baseline, instead of its slope. So all adds up to
 * the output less that of the baseline, and `delta` is 0 but for rounding. It works op by op, whether modules or
 * functions call them; products of two things that both depend on the inputs share evenly.
 * @returns of the shape of each input; with `returnConvergenceDelta` also delta, [n]
 * @throws ArgumentError that names an op without a rule, such as layerNorm, and the module that called it; GradError
 * where the input of an op was written in place after it
 * @example
 * ```ts
 * const model = new nn.Sequential(new nn.Linear(4, 8), new nn.ReLU(), new nn.Linear(8, 3));
 * const [parts, delta] = explain.deepLift(model, randn([2, 4]), { target: 1, returnConvergenceDelta: true });
 * console.log(parts.shape, delta.abs().amax().item() < 1e-4); // [2, 4] true
 * ```
 */
export const deepLift: AttributionWithDelta<DeepLiftOptions> = adding(
  'deepLift',
  BASELINE,
  (subject: Subject, wantsDelta: boolean, baseline: Baseline) => {
    const baselines = subject.baselines(baseline);
    const found = multipliers(subject, baselines);
    const parts = found.map((m, i) => m.mul((subject.inputs[i] as Tensor).sub(baselines[i] as Tensor)));
    return wantsDelta ? [...parts, deltaOf(parts, subject.difference(), perSample)] : parts;
  },
);
