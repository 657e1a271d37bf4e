// Losses before reduction, on logits where that is what keeps them finite. functional/loss.ts reduces them.
import {
  classWeightKernels,
  crossEntropyKernels,
  nllKernels,
  pointwiseLossKernels,
} from '../generated/kernel-calls.ts';
import { optional } from '../lookup.ts';
import { ArgumentError, formatShape, ShapeError } from '../memory/errors.ts';
import { softplusRows } from './activation.ts';
import { add, constant, div, mul, scale, sub, sum } from './algebra.ts';
import {
  attrs,
  aux,
  calling,
  f32,
  family,
  grad,
  i32,
  type Kernels,
  maybe,
  type Ops,
  type Probes,
  plain,
  row,
  type Signature,
  signature,
  type Tensor,
} from './core.ts';
import { expectOptional } from './norm.ts';
import { expectShape } from './shapes.ts';

type CrossEntropy = { readonly ignoreIndex: number; readonly labelSmoothing: number };
type Nll = { readonly ignoreIndex: number };
type Classes = Nll & { readonly classes: number };
type Beta = { readonly beta: number };
type Delta = { readonly delta: number };

const weight = optional(() => maybe(f32));
const pointwiseOf = <A>() => signature({ x: f32, target: f32 }, { y: grad }, attrs<A>());
const pointwiseBackwardOf = <A>() => signature({ g: f32, x: f32, target: f32 }, { dx: grad }, attrs<A>());

const entropy = optional(() => ({
  /** Logits [n, classes], classes [n], class weights [classes] → [n]; lse is log Σ exp of each row. */
  crossEntropy: signature({ x: f32, target: i32, weight }, { losses: grad, lse: aux }, attrs<CrossEntropy>()),
  crossEntropyBackward: signature(
    { g: f32, x: f32, lse: f32, target: i32, weight },
    { dx: grad },
    attrs<CrossEntropy>(),
  ),
}));
const likelihood = optional(() => ({
  /** Log-probabilities [n, classes, inner], classes [n, inner] → [n, inner]. */
  nll: signature({ logp: f32, target: i32, weight }, { losses: grad }, attrs<Nll>()),
  nllBackward: signature({ g: f32, target: i32, weight }, { dlogp: grad }, attrs<Classes>()),
}));
const weights = optional(() => ({
  /** The weight of each target's class, 0 where ignored: what a mean divides by. Same shape as the targets. */
  classWeights: signature({ target: i32, weight }, { y: plain }, attrs<Classes>()),
}));
const logits = optional(() => ({
  /** posWeight stretches along the last dim. */
  bceWithLogits: signature({ x: f32, target: f32, posWeight: weight }, { y: grad }),
  bceWithLogitsBackward: signature({ g: f32, x: f32, target: f32, posWeight: weight }, { dx: grad }),
}));
const points = optional(() => ({
  bce: signature({ x: f32, target: f32 }, { y: grad }),
  bceBackward: signature({ g: f32, x: f32, target: f32 }, { dx: grad }),
  smoothL1: pointwiseOf<Beta>(),
  smoothL1Backward: pointwiseBackwardOf<Beta>(),
  huber: pointwiseOf<Delta>(),
  huberBackward: pointwiseBackwardOf<Delta>(),
}));
type S = typeof entropy & typeof likelihood & typeof weights & typeof logits & typeof points;
declare module './core.ts' {
  interface OpTypes extends S {}
}

/** @throws ArgumentError where a target is no class */
function checkTargets(probes: Probes, target: Tensor, { classes, ignoreIndex }: Classes, op: string): void {
  const bad = probes.check_targets_i32({ target, n: target.size, classes, ignoreIndex });
  if (bad >= 0)
    throw new ArgumentError(
      `${op}: expected classes from 0 to ${classes - 1} (or ignoreIndex ${ignoreIndex}), got ${target.data[bad]} at position ${bad}`,
    );
}

const rowsAndClasses = (op: string, x: Tensor): { rows: number; classes: number } => {
  if (x.ndim !== 2) throw new ShapeError(`${op}: expected logits [n, classes], got ${formatShape(x.sizes)}`);
  const [rows, classes] = x.sizes as readonly number[] as readonly [number, number];
  return { rows, classes };
};
const threeSizes = ({ sizes: shape }: Tensor): { n: number; classes: number; inner: number } => {
  const [n, classes, inner] = shape as readonly number[] as readonly [number, number, number];
  return { n, classes, inner };
};

interface Pointwise<A> {
  forward(k: Kernels, call: { y: Tensor; x: Tensor; target: Tensor; n: number }, attrs: A): void;
  backward(k: Kernels, call: { dx: Tensor; g: Tensor; x: Tensor; target: Tensor; n: number }, attrs: A): void;
  /** The gradient by the target. */
  toTarget(o: Ops, g: Tensor, x: Tensor, target: Tensor, attrs: A): Tensor;
  again(o: Ops, inputs: { g: Tensor; x: Tensor; target: Tensor }, attrs: A): Tensor;
  /** The second derivative by x. */
  second(o: Ops, x: Tensor, target: Tensor, attrs: A): Tensor;
  /** The derivative by the target of that by x. Absent: the opposite of `second`, for a function of x − target. */
  cross?(o: Ops, x: Tensor, target: Tensor, attrs: A): Tensor;
  /** Checks attributes. */
  checkAttrs?(op: string, attrs: A): void;
  /** Checks values. */
  check?(probes: Probes, inputs: { x: Tensor; target: Tensor }, attrs: A, op: string): void;
}

/** An elementwise loss of a prediction and a target of the same shape, and its gradient. */
const pointwise = <A>(f: Pointwise<A>) =>
  row(points.bce as unknown as Signature<S['smoothL1']['inputs'], A, S['bce']['outputs']>, {
    outputs: (make, { x, target }, attributes, op) => {
      expectShape(op, 'the target', target, x.sizes);
      f.checkAttrs?.(op, attributes);
      return { y: make(x.sizes, 'f32') };
    },
    ...(f.check && { check: f.check }),
    forward: (k, { y }, { x, target }, attributes) => f.forward(k, { y, x, target, n: x.size }, attributes),
    saves: ['x', 'target'],
    backward: (o, { y: g }, { x, target }, attributes, { needs }) => ({
      x: needs.x ? f.again(o, { g, x, target }, attributes) : null,
      target: needs.target ? f.toTarget(o, g, x, target, attributes) : null,
    }),
  });
const pointwiseBackward = <A>(f: Pointwise<A>) =>
  row(points.bceBackward as unknown as Signature<S['huberBackward']['inputs'], A, S['bceBackward']['outputs']>, {
    outputs: (make, { g, x, target }, _, op) => {
      expectShape(op, 'the gradient', g, x.sizes);
      expectShape(op, 'the target', target, x.sizes);
      return { dx: make(x.sizes, 'f32') };
    },
    forward: (k, { dx }, { g, x, target }, attributes) => f.backward(k, { dx, g, x, target, n: x.size }, attributes),
    saves: ['g', 'x', 'target'],
    backward: (o, { dx: h }, { g, x, target }, attributes, { needs }) => {
      const times = (curve: Tensor): Tensor => mul(o, mul(o, h, g), curve);
      const byTarget = (): Tensor =>
        f.cross ? f.cross(o, x, target, attributes) : o.neg({ x: f.second(o, x, target, attributes) });
      return {
        g: needs.g ? f.again(o, { g: h, x, target }, attributes) : null,
        x: needs.x ? times(f.second(o, x, target, attributes)) : null,
        target: needs.target ? times(byTarget()) : null,
      };
    },
  });

const checkPositive = (op: string, name: string, value: number, allowZero: boolean): void => {
  if (!(value > 0 || (allowZero && value === 0)))
    throw new ArgumentError(`${op}: expected ${name} ${allowZero ? '>=' : '>'} 0, got ${value}`);
};

/** 1 where |x − target| < bound, else 0. */
const inside = (o: Ops, x: Tensor, target: Tensor, bound: number): Tensor =>
  o.cast({ x: o.lt({ a: o.abs({ x: sub(o, x, target) }), b: constant(o, bound) }) }, { dtype: 'f32' });

const bernoulliVariance = (o: Ops, p: Tensor): Tensor =>
  o.maximum({ a: mul(o, p, scale(o, p, -1, 1)), b: constant(o, 1e-12) });

const bce: Pointwise<undefined> = {
  forward: (k, call) => k.bce_forward_f32(call),
  backward: (k, call) => k.bce_backward_f32(call),
  toTarget: (o, g, p) => mul(o, g, sub(o, o.log1p({ x: o.neg({ x: p }) }), o.log({ x: p }))),
  again: (o, inputs) => o.bceBackward(inputs),
  // Of (p − t) / v with v = p (1 − p), which the gradient keeps from 0: (p² − 2 p t + t) / v², and −1 / v.
  second: (o, p, t) =>
    div(o, add(o, mul(o, p, sub(o, p, scale(o, t, 2))), t), o.square({ x: bernoulliVariance(o, p) })),
  cross: (o, p) => o.neg({ x: o.reciprocal({ x: bernoulliVariance(o, p) }) }),
  check: (probes, { x, target }, _, op) => {
    for (const [what, values] of Object.entries({ probabilities: x, targets: target })) {
      const bad = probes.check_range_f32({ x: values, n: values.size, low: 0, high: 1 });
      if (bad >= 0)
        throw new ArgumentError(
          `${op}: expected ${what} from 0 to 1, got ${values.data[bad]} at position ${bad}; use bceWithLogitsLoss() for logits`,
        );
    }
  },
};
const smoothL1: Pointwise<Beta> = {
  forward: (k, { y, x, target, n }, { beta }) => k.smooth_l1_forward_f32({ y, x, target, n, bound: beta }),
  backward: (k, { dx, g, x, target, n }, { beta }) => k.smooth_l1_backward_f32({ dx, g, x, target, n, bound: beta }),
  toTarget: (o, g, x, target, beta) => o.neg({ x: o.smoothL1Backward({ g, x, target }, beta) }),
  again: (o, inputs, beta) => o.smoothL1Backward(inputs, beta),
  // With beta 0 this is L1: no curve anywhere.
  second: (o, x, target, { beta }) => scale(o, inside(o, x, target, beta), beta > 0 ? 1 / beta : 0),
  checkAttrs: (op, { beta }) => checkPositive(op, 'beta', beta, true),
};
const huber: Pointwise<Delta> = {
  forward: (k, { y, x, target, n }, { delta }) => k.huber_forward_f32({ y, x, target, n, bound: delta }),
  backward: (k, { dx, g, x, target, n }, { delta }) => k.huber_backward_f32({ dx, g, x, target, n, bound: delta }),
  toTarget: (o, g, x, target, delta) => o.neg({ x: o.huberBackward({ g, x, target }, delta) }),
  again: (o, inputs, delta) => o.huberBackward(inputs, delta),
  second: (o, x, target, { delta }) => inside(o, x, target, delta),
  checkAttrs: (op, { delta }) => checkPositive(op, 'delta', delta, false),
};

/** What multiplies softmax in each row of the gradient of crossEntropy: (1 − s) w[target] + s / classes · Σ w. */
function softmaxScale(
  o: Ops,
  target: Tensor,
  classWeights: Tensor | null,
  classes: number,
  attributes: CrossEntropy,
): Tensor {
  const { ignoreIndex, labelSmoothing } = attributes;
  const own = o.classWeights({ target, weight: classWeights }, { classes, ignoreIndex });
  const kept = o.classWeights({ target, weight: null }, { classes, ignoreIndex });
  const spread = classWeights ? mul(o, kept, sum(o, classWeights, 0, 1)) : scale(o, kept, classes);
  return add(o, scale(o, own, 1 - labelSmoothing), scale(o, spread, labelSmoothing / classes));
}

/** (w − 1), of a posWeight. */
const lessOne = (o: Ops, posWeight: Tensor): Tensor => scale(o, posWeight, 1, -1);

/** What a mean over classes divides by. */
const classWeightRows = family(calling(classWeightKernels, weights), () => ({
  classWeights: row(weights.classWeights, {
    outputs: (make, { target, weight }, { classes }, op) => {
      expectOptional(op, 'weight', weight, [classes]);
      return { y: make(target.sizes, 'f32') };
    },
    check: (probes, { target }, attributes, op) => checkTargets(probes, target, attributes, op),
    forward: (k, { y }, { target, weight }, { classes, ignoreIndex }) =>
      k.class_weights_f32({ y, target, weight, n: target.size, classes, ignoreIndex }),
  }),
}));

export const crossEntropyRows = family(calling(crossEntropyKernels, entropy), () => ({
  ...classWeightRows,
  crossEntropy: row(entropy.crossEntropy, {
    outputs: (make, { x, target, weight }, { labelSmoothing }, op) => {
      const { rows, classes } = rowsAndClasses(op, x);
      expectShape(op, 'the targets', target, [rows]);
      expectOptional(op, 'weight', weight, [classes]);
      if (!(labelSmoothing >= 0 && labelSmoothing <= 1))
        throw new ArgumentError(`${op}: expected labelSmoothing from 0 to 1, got ${labelSmoothing}`);
      return { losses: make([rows], 'f32'), lse: make([rows], 'f32') };
    },
    check: (probes, { x, target }, { ignoreIndex }, op) =>
      checkTargets(probes, target, { classes: x.sizes[1] as number, ignoreIndex }, op),
    forward: (k, { losses, lse }, { x, target, weight }, { ignoreIndex, labelSmoothing }) => {
      const { rows, classes } = rowsAndClasses('crossEntropy', x);
      k.cross_entropy_forward_f32({ losses, lse, x, target, weight, rows, classes, ignoreIndex, labelSmoothing });
    },
    saves: ['x', 'target', 'weight', 'lse'],
    backward: (o, { losses: g }, saved, attributes) => ({ x: o.crossEntropyBackward({ g, ...saved }, attributes) }),
  }),
  crossEntropyBackward: row(entropy.crossEntropyBackward, {
    outputs: (make, { g, x, lse, target, weight }, _, op) => {
      const { rows, classes } = rowsAndClasses(op, x);
      expectShape(op, 'the gradient', g, [rows]);
      expectShape(op, 'log Σ exp', lse, [rows]);
      expectShape(op, 'the targets', target, [rows]);
      expectOptional(op, 'weight', weight, [classes]);
      return { dx: make(x.sizes, 'f32') };
    },
    forward: (k, { dx }, { g, x, lse, target, weight }, { ignoreIndex, labelSmoothing }) => {
      const { rows, classes } = rowsAndClasses('crossEntropyBackward', x);
      k.cross_entropy_backward_f32({ dx, g, x, lse, target, weight, rows, classes, ignoreIndex, labelSmoothing });
    },
    saves: ['g', 'x', 'lse', 'target', 'weight'],
    // The gradient is linear in g, and in x it is g · scale(row) · softmax: its derivative is that of a softmax.
    backward: (o, { dx: h }, { g, x, lse, target, weight }, attributes, { needs }) => {
      const ones = o.full({}, { shape: g.sizes, value: 1 });
      const unit = needs.g ? o.crossEntropyBackward({ g: ones, x, lse, target, weight }, attributes) : null;
      const toG = unit && sum(o, mul(o, h, unit), 1, 2);
      if (!needs.x) return { g: toG };
      const factor = softmaxScale(o, target, weight, x.sizes[1] as number, attributes);
      const rowScale = o.reshape({ x: mul(o, g, factor) }, { shape: [g.size, 1] });
      const dim = { dim: 1 };
      return { g: toG, x: mul(o, o.softmaxBackward({ g: h, y: o.softmax({ x }, dim) }, dim), rowScale) };
    },
  }),
}));

export const nllRows = family(calling(nllKernels, likelihood), () => ({
  ...classWeightRows,
  nll: row(likelihood.nll, {
    outputs: (make, { logp, target, weight }, _, op) => {
      if (logp.ndim !== 3)
        throw new ShapeError(`${op}: expected log-probabilities [n, classes, inner], got ${formatShape(logp.sizes)}`);
      const { n, classes, inner } = threeSizes(logp);
      expectShape(op, 'the targets', target, [n, inner]);
      expectOptional(op, 'weight', weight, [classes]);
      return { losses: make([n, inner], 'f32') };
    },
    check: (probes, { logp, target }, { ignoreIndex }, op) =>
      checkTargets(probes, target, { classes: logp.sizes[1] as number, ignoreIndex }, op),
    forward: (k, { losses }, { logp, target, weight }, { ignoreIndex }) =>
      k.nll_forward_f32({ losses, logp, target, weight, ...threeSizes(logp), ignoreIndex }),
    saves: ['target', 'weight'],
    backward: (o, { losses: g }, { target, weight }, attributes, { shapes }) => ({
      logp: o.nllBackward({ g, target, weight }, { ...attributes, classes: shapes.logp[1] as number }),
    }),
  }),
  nllBackward: row(likelihood.nllBackward, {
    outputs: (make, { g, target, weight }, { classes }, op) => {
      expectShape(op, 'the gradient', g, target.sizes);
      expectOptional(op, 'weight', weight, [classes]);
      const [n, inner] = target.sizes as readonly number[] as readonly [number, number];
      return { dlogp: make([n, classes, inner], 'f32') };
    },
    forward: (k, { dlogp }, { g, target, weight }, { ignoreIndex }) =>
      k.nll_backward_f32({ dlogp, g, target, weight, ...threeSizes(dlogp), ignoreIndex }),
    saves: ['target', 'weight'],
    // Linear in g: the derivative picks, as forward does.
    backward: (o, { dlogp: h }, { target, weight }, { ignoreIndex }) => ({
      g: o.nll({ logp: h, target, weight }, { ignoreIndex }),
    }),
  }),
}));

/** With softplus, of which the gradient by the target is made. */
export const logitRows = family(calling(pointwiseLossKernels, logits), () => ({
  ...softplusRows,
  bceWithLogits: row(logits.bceWithLogits, {
    outputs: (make, { x, target, posWeight }, _, op) => {
      expectShape(op, 'the target', target, x.sizes);
      expectOptional(op, 'posWeight', posWeight, x.sizes.slice(-1));
      return { y: make(x.sizes, 'f32') };
    },
    forward: (k, { y }, { x, target, posWeight }) =>
      k.bce_with_logits_forward_f32({ y, x, target, posWeight, n: x.size, inner: x.sizes.at(-1) ?? 1 }),
    saves: ['x', 'target', 'posWeight'],
    backward: (o, { y: g }, { x, target, posWeight }, _, { needs }) => {
      // loss = (1 − t) x + (1 + (w − 1) t) softplus(−x), so by t: −x + (w − 1) softplus(−x).
      const toTarget = (): Tensor => {
        if (!posWeight) return o.neg({ x: mul(o, g, x) });
        const soft = o.softplus({ x: o.neg({ x }) }, { beta: 1, threshold: 20 });
        return mul(o, g, sub(o, mul(o, lessOne(o, posWeight), soft), x));
      };
      return {
        x: needs.x ? o.bceWithLogitsBackward({ g, x, target, posWeight }) : null,
        target: needs.target ? toTarget() : null,
      };
    },
  }),
  bceWithLogitsBackward: row(logits.bceWithLogitsBackward, {
    outputs: (make, { g, x, target, posWeight }, _, op) => {
      expectShape(op, 'the gradient', g, x.sizes);
      expectShape(op, 'the target', target, x.sizes);
      expectOptional(op, 'posWeight', posWeight, x.sizes.slice(-1));
      return { dx: make(x.sizes, 'f32') };
    },
    forward: (k, { dx }, inputs) =>
      k.bce_with_logits_backward_f32({ dx, ...inputs, n: inputs.x.size, inner: inputs.x.sizes.at(-1) ?? 1 }),
    saves: ['g', 'x', 'target', 'posWeight'],
    // f'' = (1 + (w − 1) t) σ (1 − σ)
    backward: (o, { dx: h }, { g, x, target, posWeight }, _, { needs }) => {
      const curve = (): Tensor => {
        const ones = o.full({}, { shape: x.sizes, value: 1 });
        const slope = o.sigmoidBackward({ g: ones, saved: o.sigmoid({ x }) });
        const factor = posWeight ? scale(o, mul(o, lessOne(o, posWeight), target), 1, 1) : null;
        return mul(o, mul(o, h, g), factor ? mul(o, slope, factor) : slope);
      };
      // By t, f' changes by −1 − (w − 1) σ(−x).
      const toTarget = (): Tensor => {
        const both = o.neg({ x: mul(o, h, g) });
        if (!posWeight) return both;
        const sigma = o.sigmoid({ x: o.neg({ x }) });
        return mul(o, both, scale(o, mul(o, lessOne(o, posWeight), sigma), 1, 1));
      };
      return {
        g: needs.g ? o.bceWithLogitsBackward({ g: h, x, target, posWeight }) : null,
        x: needs.x ? curve() : null,
        target: needs.target ? toTarget() : null,
      };
    },
  }),
}));

export const pointwiseLossRows = family(calling(pointwiseLossKernels, points), () => ({
  bce: pointwise(bce),
  bceBackward: pointwiseBackward(bce),
  smoothL1: pointwise(smoothL1),
  smoothL1Backward: pointwiseBackward(smoothL1),
  huber: pointwise(huber),
  huberBackward: pointwiseBackward(huber),
}));
