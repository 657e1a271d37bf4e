// Losses before reduction, on logits where that is what keeps them finite. functional.ts reduces them.
import type { Kernels } from '../runtime/commands.ts';
import { ArgumentError, formatShape, ShapeError } from '../runtime/errors.ts';
import { expectDtype, expectShape, like } from './shapes.ts';
import { type KernelRow, noSecondDerivative, type Ops, type Probes, type Rows, type Tensor } from './types.ts';

type CrossEntropy = { readonly ignoreIndex: number; readonly labelSmoothing: number };
type Nll = { readonly ignoreIndex: number };
type Beta = { readonly beta: number };
type Delta = { readonly delta: number };

export interface LossOps {
  /** Logits [n, classes], classes [n], class weights [classes] → [n]. */
  crossEntropy(x: Tensor, target: Tensor, weight: Tensor | null, attrs: CrossEntropy): Tensor;
  crossEntropyBackward(
    g: Tensor,
    x: Tensor,
    lse: Tensor,
    target: Tensor,
    weight: Tensor | null,
    attrs: CrossEntropy,
  ): Tensor;
  /** Log-probabilities [n, classes, inner], classes [n, inner] → [n, inner]. */
  nll(logp: Tensor, target: Tensor, weight: Tensor | null, attrs: Nll): Tensor;
  nllBackward(g: Tensor, target: Tensor, weight: Tensor | null, attrs: Nll & { readonly classes: number }): Tensor;
  /** The weight of each target's class, 0 where ignored: what a mean divides by. Same shape as the targets. */
  classWeights(target: Tensor, weight: Tensor | null, attrs: Nll & { readonly classes: number }): Tensor;
  /** posWeight stretches along the last dim. */
  bceWithLogits(x: Tensor, target: Tensor, posWeight: Tensor | null): Tensor;
  bceWithLogitsBackward(g: Tensor, x: Tensor, target: Tensor, posWeight: Tensor | null): Tensor;
  bce(p: Tensor, target: Tensor): Tensor;
  bceBackward(g: Tensor, p: Tensor, target: Tensor): Tensor;
  smoothL1(x: Tensor, target: Tensor, attrs: Beta): Tensor;
  smoothL1Backward(g: Tensor, x: Tensor, target: Tensor, attrs: Beta): Tensor;
  huber(x: Tensor, target: Tensor, attrs: Delta): Tensor;
  huberBackward(g: Tensor, x: Tensor, target: Tensor, attrs: Delta): Tensor;
}

function checkTargets(op: string, probes: Probes, target: Tensor, classes: number, ignoreIndex: number): void {
  const bad = probes.check_targets_i32(target, target.size, classes, ignoreIndex);
  if (bad >= 0)
    throw new ArgumentError(
      `${op}: expected classes from 0 to ${classes - 1} (or ignoreIndex ${ignoreIndex}), got ${target.data[bad]} at position ${bad}`,
    );
}

/** The gradient of a loss has the shape of the losses. */
function expectGradient(op: string, g: Tensor, shape: readonly number[]): void {
  expectDtype(op, g, 'f32');
  expectShape(op, 'the gradient', g, shape);
}

function expectWeight(op: string, weight: Tensor | null, classes: number): void {
  if (!weight) return;
  expectDtype(op, weight, 'f32');
  expectShape(op, 'weight', weight, [classes]);
}

function expectPosWeight(op: string, posWeight: Tensor | null, x: Tensor): void {
  if (!posWeight) return;
  expectDtype(op, posWeight, 'f32');
  expectShape(op, 'posWeight', posWeight, x.shape.slice(-1));
}

const rowsAndClasses = (op: string, x: Tensor): [rows: number, classes: number] => {
  if (x.ndim !== 2) throw new ShapeError(`${op}: expected logits [n, classes], got ${formatShape(x.shape)}`);
  return x.shape as unknown as [number, number];
};

/** An elementwise loss of a prediction and a target of the same shape, without further inputs. */
function pointwise<A>(
  op: string,
  forward: (k: Kernels, y: Tensor, x: Tensor, target: Tensor, attrs: A) => void,
  toInput: (o: Ops, g: Tensor, x: Tensor, target: Tensor, attrs: A) => Tensor,
  toTarget: (o: Ops, g: Tensor, x: Tensor, target: Tensor, attrs: A) => Tensor,
  checkAttrs?: (attrs: A) => void,
): KernelRow<[Tensor, Tensor], A> {
  return {
    infer: ([x, target], attrs) => {
      expectDtype(op, x, 'f32');
      expectDtype(op, target, 'f32');
      expectShape(op, 'the target', target, x.shape);
      checkAttrs?.(attrs);
      return [like(x)];
    },
    forward: (k, [y], [x, target], attrs) => forward(k, y as Tensor, x, target, attrs),
    saves: 'inputs',
    backward: (o, g, { inputs: [x, target], attrs, needs }) => [
      needs[0] ? toInput(o, g, x, target, attrs) : null,
      needs[1] ? toTarget(o, g, x, target, attrs) : null,
    ],
  };
}

function pointwiseBackward<A>(
  op: string,
  backward: (k: Kernels, dx: Tensor, g: Tensor, x: Tensor, target: Tensor, attrs: A) => void,
  /** The second derivative by x. */
  second: ((o: Ops, x: Tensor, target: Tensor, attrs: A) => Tensor) | null,
  again: (o: Ops, h: Tensor, x: Tensor, target: Tensor, attrs: A) => Tensor,
): KernelRow<[Tensor, Tensor, Tensor], A> {
  return {
    infer: ([g, x, target]) => {
      for (const input of [x, target]) expectDtype(op, input, 'f32');
      expectGradient(op, g, x.shape);
      expectShape(op, 'the target', target, x.shape);
      return [like(x)];
    },
    forward: (k, [dx], [g, x, target], attrs) => backward(k, dx as Tensor, g, x, target, attrs),
    saves: 'inputs',
    backward: (o, h, { inputs: [g, x, target], attrs, needs }) => {
      if ((needs[1] || needs[2]) && !second) noSecondDerivative(op)();
      const curve = second && (needs[1] || needs[2]) ? o.mul(o.mul(h, g), second(o, x, target, attrs)) : null;
      // These depend on x − target alone, so the target gets the opposite.
      return [
        needs[0] ? again(o, h, x, target, attrs) : null,
        needs[1] ? curve : null,
        needs[2] && curve ? o.neg(curve) : null,
      ];
    },
  };
}

const checkPositive = (op: string, name: string, value: number, allowZero: boolean): void => {
  if (!(value > 0 || (allowZero && value === 0)))
    throw new ArgumentError(`${op}: expected ${name} ${allowZero ? '>=' : '>'} 0, got ${value}`);
};

/** 1 where |x − target| < bound, else 0. */
const inside = (o: Ops, x: Tensor, target: Tensor, bound: number): Tensor =>
  o.cast(o.lt(o.abs(o.sub(x, target)), o.full({ shape: [], value: bound })), { dtype: 'f32' });

export const lossRows: Rows<LossOps> = {
  crossEntropy: {
    infer: ([x, target, weight], { labelSmoothing }) => {
      expectDtype('crossEntropy', x, 'f32');
      expectDtype('crossEntropy', target, 'i32');
      const [rows, classes] = rowsAndClasses('crossEntropy', x);
      expectShape('crossEntropy', 'the targets', target, [rows]);
      expectWeight('crossEntropy', weight, classes);
      if (!(labelSmoothing >= 0 && labelSmoothing <= 1))
        throw new ArgumentError(`crossEntropy: expected labelSmoothing from 0 to 1, got ${labelSmoothing}`);
      return [
        { shape: [rows], dtype: 'f32' },
        { shape: [rows], dtype: 'f32' }, // log Σ exp of each row, for backward
      ];
    },
    check: (probes, [x, target], { ignoreIndex }) =>
      checkTargets('crossEntropy', probes, target, x.shape[1] as number, ignoreIndex),
    forward: (k, [losses, lse], [x, target, weight], { ignoreIndex, labelSmoothing }) => {
      const [rows, classes] = rowsAndClasses('crossEntropy', x);
      k.cross_entropy_forward_f32(
        losses as Tensor,
        lse as Tensor,
        x,
        target,
        weight,
        rows,
        classes,
        ignoreIndex,
        labelSmoothing,
      );
    },
    saves: 'both',
    backward: (o, g, { inputs: [x, target, weight], outputs: [, lse], attrs }) => [
      o.crossEntropyBackward(g, x, lse as Tensor, target, weight, attrs),
      null,
      null,
    ],
  },
  crossEntropyBackward: {
    infer: ([g, x, lse, target, weight]) => {
      const op = 'crossEntropyBackward';
      for (const input of [x, lse]) expectDtype(op, input, 'f32');
      expectDtype(op, target, 'i32');
      const [rows, classes] = rowsAndClasses(op, x);
      expectGradient(op, g, [rows]);
      expectShape(op, 'log Σ exp', lse, [rows]);
      expectShape(op, 'the targets', target, [rows]);
      expectWeight(op, weight, classes);
      return [like(x)];
    },
    forward: (k, [dx], [g, x, lse, target, weight], { ignoreIndex, labelSmoothing }) => {
      const [rows, classes] = rowsAndClasses('crossEntropyBackward', x);
      k.cross_entropy_backward_f32(dx as Tensor, g, x, lse, target, weight, rows, classes, ignoreIndex, labelSmoothing);
    },
    saves: 'inputs',
    // The gradient is linear in g, and in x it is g · scale(row) · softmax: its derivative is that of a softmax.
    backward: (o, h, { inputs: [g, x, lse, target, weight], attrs, needs }) => {
      const unit = o.crossEntropyBackward(o.full({ shape: g.shape, value: 1 }), x, lse, target, weight, attrs);
      const toG = needs[0] ? o.sum(o.mul(h, unit), { dim: 1, end: 2, keepdim: false }) : null;
      if (!needs[1]) return [toG, null, null, null, null];
      const { ignoreIndex, labelSmoothing } = attrs;
      const classes = x.shape[1] as number;
      const own = o.classWeights(target, weight, { classes, ignoreIndex });
      const kept = o.classWeights(target, null, { classes, ignoreIndex });
      // What multiplies softmax in a row: (1 − s) w[target] + s / classes · Σ w.
      const spread = weight
        ? o.mul(kept, o.sum(weight, { dim: 0, end: 1, keepdim: false }))
        : o.scale(kept, { alpha: classes, beta: 0 });
      const scale = o.add(
        o.scale(own, { alpha: 1 - labelSmoothing, beta: 0 }),
        o.scale(spread, { alpha: labelSmoothing / classes, beta: 0 }),
      );
      const rowScale = o.reshape(o.mul(g, scale), { shape: [g.size, 1] });
      return [toG, o.mul(o.softmaxBackward(h, o.softmax(x, { dim: 1 }), { dim: 1 }), rowScale), null, null, null];
    },
  },
  nll: {
    infer: ([logp, target, weight]) => {
      expectDtype('nll', logp, 'f32');
      expectDtype('nll', target, 'i32');
      if (logp.ndim !== 3)
        throw new ShapeError(`nll: expected log-probabilities [n, classes, inner], got ${formatShape(logp.shape)}`);
      const [n, classes, inner] = logp.shape as unknown as [number, number, number];
      expectShape('nll', 'the targets', target, [n, inner]);
      expectWeight('nll', weight, classes);
      return [{ shape: [n, inner], dtype: 'f32' }];
    },
    check: (probes, [logp, target], { ignoreIndex }) =>
      checkTargets('nll', probes, target, logp.shape[1] as number, ignoreIndex),
    forward: (k, [losses], [logp, target, weight], { ignoreIndex }) => {
      const [n, classes, inner] = logp.shape as unknown as [number, number, number];
      k.nll_forward_f32(losses as Tensor, logp, target, weight, n, classes, inner, ignoreIndex);
    },
    saves: 'inputs',
    backward: (o, g, { inputs: [logp, target, weight], attrs }) => [
      o.nllBackward(g, target, weight, { ...attrs, classes: logp.shape[1] as number }),
      null,
      null,
    ],
  },
  nllBackward: {
    infer: ([g, target, weight], { classes }) => {
      expectDtype('nllBackward', target, 'i32');
      expectGradient('nllBackward', g, target.shape);
      expectWeight('nllBackward', weight, classes);
      const [n, inner] = target.shape as unknown as [number, number];
      return [{ shape: [n, classes, inner], dtype: 'f32' }];
    },
    forward: (k, [dx], [g, target, weight], { classes, ignoreIndex }) => {
      const [n, inner] = target.shape as unknown as [number, number];
      k.nll_backward_f32(dx as Tensor, g, target, weight, n, classes, inner, ignoreIndex);
    },
    saves: 'inputs',
    // Linear in g: the derivative picks, as forward does.
    backward: (o, h, { inputs: [, target, weight], attrs: { ignoreIndex } }) => [
      o.nll(h, target, weight, { ignoreIndex }),
      null,
      null,
    ],
  },
  classWeights: {
    infer: ([target, weight], { classes }) => {
      expectDtype('classWeights', target, 'i32');
      expectWeight('classWeights', weight, classes);
      return [like(target, 'f32')];
    },
    check: (probes, [target], { classes, ignoreIndex }) =>
      checkTargets('classWeights', probes, target, classes, ignoreIndex),
    forward: (k, [out], [target, weight], { classes, ignoreIndex }) =>
      k.class_weights_f32(out as Tensor, target, weight, target.size, classes, ignoreIndex),
    saves: 'none',
  },
  bceWithLogits: {
    infer: ([x, target, posWeight]) => {
      expectDtype('bceWithLogits', x, 'f32');
      expectDtype('bceWithLogits', target, 'f32');
      expectShape('bceWithLogits', 'the target', target, x.shape);
      expectPosWeight('bceWithLogits', posWeight, x);
      return [like(x)];
    },
    forward: (k, [y], [x, target, posWeight]) =>
      k.bce_with_logits_forward_f32(y as Tensor, x, target, posWeight, x.size, x.shape.at(-1) ?? 1),
    saves: 'inputs',
    backward: (o, g, { inputs: [x, target, posWeight], needs }) => {
      // loss = (1 − t) x + (1 + (w − 1) t) softplus(−x), so by t: −x + (w − 1) softplus(−x).
      const toTarget = (): Tensor => {
        if (!posWeight) return o.neg(o.mul(g, x));
        const soft = o.softplus(o.neg(x), { beta: 1, threshold: 20 });
        return o.mul(g, o.sub(o.mul(o.scale(posWeight, { alpha: 1, beta: -1 }), soft), x));
      };
      return [needs[0] ? o.bceWithLogitsBackward(g, x, target, posWeight) : null, needs[1] ? toTarget() : null, null];
    },
  },
  bceWithLogitsBackward: {
    infer: ([g, x, target, posWeight]) => {
      const op = 'bceWithLogitsBackward';
      for (const input of [x, target]) expectDtype(op, input, 'f32');
      expectGradient(op, g, x.shape);
      expectShape(op, 'the target', target, x.shape);
      expectPosWeight(op, posWeight, x);
      return [like(x)];
    },
    forward: (k, [dx], [g, x, target, posWeight]) =>
      k.bce_with_logits_backward_f32(dx as Tensor, g, x, target, posWeight, x.size, x.shape.at(-1) ?? 1),
    saves: 'inputs',
    // f'' = (1 + (w − 1) t) σ (1 − σ)
    backward: (o, h, { inputs: [g, x, target, posWeight], needs }) => {
      const curve = (): Tensor => {
        const s = o.sigmoid(x);
        const slope = o.sigmoidBackward(o.full({ shape: x.shape, value: 1 }), s);
        const weight = posWeight
          ? o.scale(o.mul(o.scale(posWeight, { alpha: 1, beta: -1 }), target), { alpha: 1, beta: 1 })
          : null;
        return o.mul(o.mul(h, g), weight ? o.mul(slope, weight) : slope);
      };
      // By t, f' changes by −1 − (w − 1) σ(−x).
      const toTarget = (): Tensor => {
        const both = o.neg(o.mul(h, g));
        if (!posWeight) return both;
        return o.mul(
          both,
          o.scale(o.mul(o.scale(posWeight, { alpha: 1, beta: -1 }), o.sigmoid(o.neg(x))), { alpha: 1, beta: 1 }),
        );
      };
      return [
        needs[0] ? o.bceWithLogitsBackward(h, x, target, posWeight) : null,
        needs[1] ? curve() : null,
        needs[2] ? toTarget() : null,
        null,
      ];
    },
  },
  bce: pointwise(
    'bce',
    (k, y, p, target) => k.bce_forward_f32(y, p, target, p.size),
    (o, g, p, target) => o.bceBackward(g, p, target),
    (o, g, p) => o.mul(g, o.sub(o.log1p(o.neg(p)), o.log(p))),
  ),
  bceBackward: pointwiseBackward<undefined>(
    'bceBackward',
    (k, dx, g, p, target) => k.bce_backward_f32(dx, g, p, target, p.size),
    null,
    (o, h, p, target) => o.bceBackward(h, p, target),
  ),
  smoothL1: pointwise<Beta>(
    'smoothL1',
    (k, y, x, target, { beta }) => k.smooth_l1_forward_f32(y, x, target, x.size, beta),
    (o, g, x, target, attrs) => o.smoothL1Backward(g, x, target, attrs),
    (o, g, x, target, attrs) => o.neg(o.smoothL1Backward(g, x, target, attrs)),
    ({ beta }) => checkPositive('smoothL1', 'beta', beta, true),
  ),
  smoothL1Backward: pointwiseBackward<Beta>(
    'smoothL1Backward',
    (k, dx, g, x, target, { beta }) => k.smooth_l1_backward_f32(dx, g, x, target, x.size, beta),
    // With beta 0 this is L1: no curve anywhere.
    (o, x, target, { beta }) => o.scale(inside(o, x, target, beta), { alpha: beta > 0 ? 1 / beta : 0, beta: 0 }),
    (o, h, x, target, attrs) => o.smoothL1Backward(h, x, target, attrs),
  ),
  huber: pointwise<Delta>(
    'huber',
    (k, y, x, target, { delta }) => k.huber_forward_f32(y, x, target, x.size, delta),
    (o, g, x, target, attrs) => o.huberBackward(g, x, target, attrs),
    (o, g, x, target, attrs) => o.neg(o.huberBackward(g, x, target, attrs)),
    ({ delta }) => checkPositive('huber', 'delta', delta, false),
  ),
  huberBackward: pointwiseBackward<Delta>(
    'huberBackward',
    (k, dx, g, x, target, { delta }) => k.huber_backward_f32(dx, g, x, target, x.size, delta),
    (o, x, target, { delta }) => inside(o, x, target, delta),
    (o, h, x, target, attrs) => o.huberBackward(h, x, target, attrs),
  ),
};
