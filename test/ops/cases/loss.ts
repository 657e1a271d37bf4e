// Cases of the losses before reduction.
import type { LossOps } from '../../../bindings/ops/loss.ts';
import { at, build, type Nd, reduceNd, zip } from '../../support/tensors.ts';
import {
  argumentError, type Bad, type Case, type Cases, dtypeError, type Fill, f32, from, grid, i32, list, type Sample, shapeError, type Spec, u8, uniform, whole,
} from './types.ts';

const IGNORE = -100;
type Entropy = { ignoreIndex: number; labelSmoothing: number };
type Smooth = Partial<Entropy>;
const entropy = (attrs: Smooth = {}): Entropy => ({ ignoreIndex: IGNORE, labelSmoothing: 0, ...attrs });
const weights = (classes: number): Spec => f32([classes], uniform(0.2, 2));
/** Classes, with some that are ignored. */
const classesOf = (classes: number, ignoreIndex = IGNORE): Fill => (n, next) => Array.from({ length: n }, (_, i) => (i % 4 === 2 ? ignoreIndex : Math.floor(next() * classes)));

/** [rows, classes], weighted, smoothing, ignored class. */
const entropies: readonly (readonly [rows: number, classes: number, weighted: boolean, attrs: Smooth])[] = [
  [3, 4, false, {}],
  [1, 1, false, {}],
  [5, 3, true, {}],
  [4, 5, false, { labelSmoothing: 0.1 }],
  [6, 4, true, { labelSmoothing: 0.3 }],
  [6, 4, true, { labelSmoothing: 0.3, ignoreIndex: 1 }],
  [5, 3, false, { labelSmoothing: 1 }],
  [0, 4, false, {}],
  [3, 37, true, { ignoreIndex: 0 }],
  [37, 10, false, {}],
];
const logits = (rows: number, classes: number, { ignoreIndex = IGNORE }: Smooth): [Spec, Spec] => [f32([rows, classes]), i32([rows], classesOf(classes, ignoreIndex))];

const total = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
const logSumExp = (lane: readonly number[]): number => {
  const top = Math.max(...lane);
  return top + Math.log(total(lane.map((v) => Math.exp(v - top))));
};
const rowsOf = (x: Nd): number[][] => Array.from({ length: x.shape[0] as number }, (_, i) => Array.from(x.data.subarray(i * (x.shape[1] as number), (i + 1) * (x.shape[1] as number))));
const LAST = { dim: 1, end: 2, keepdim: false };

/** −Σ over the classes of (1 − s) [c = target] w[c] log p[c] + s / classes · w[c] log p[c]. */
function crossEntropy([x, target, weight]: readonly [Nd, Nd, Nd | null], { ignoreIndex, labelSmoothing: s }: Entropy): Nd {
  const losses = rowsOf(x).map((row, i) => {
    const t = target.data[i] as number;
    if (t === ignoreIndex) return 0;
    const lse = logSumExp(row);
    return -total(row.map((v, c) => (v - lse) * (weight ? (weight.data[c] as number) : 1) * ((c === t ? 1 - s : 0) + s / row.length)));
  });
  return { shape: target.shape, data: Float64Array.from(losses) };
}

/** Its derivative by x, times g: share · w by class, softmax taking what they add up to. */
function crossEntropySlope([g, x, , target, weight]: readonly [Nd, Nd, Nd, Nd, Nd | null], { ignoreIndex, labelSmoothing: s }: Entropy): Nd {
  const rows = rowsOf(x).flatMap((row, i) => {
    const t = target.data[i] as number;
    if (t === ignoreIndex) return row.map(() => 0);
    const lse = logSumExp(row);
    const shares = row.map((_, c) => (weight ? (weight.data[c] as number) : 1) * ((c === t ? 1 - s : 0) + s / row.length));
    return row.map((v, c) => (g.data[i] as number) * (Math.exp(v - lse) * total(shares) - (shares[c] as number)));
  });
  return { shape: x.shape, data: Float64Array.from(rows) };
}

const badTargets = (op: string, inputs: (target: Spec) => Bad['inputs'], attrs: unknown): [Bad, Bad] => [
  argumentError(inputs(i32([2], list(0, 3))), attrs, new RegExp(`^${op}: expected classes from 0 to 2 \\(or ignoreIndex -100\\), got 3 at position 1`)),
  argumentError(inputs(i32([2], list(-1, 0))), attrs, new RegExp(`^${op}: expected classes from 0 to 2 .*got -1 at position 0`)),
];

// [n, classes, inner]
const nlls: readonly (readonly [shape: readonly [number, number, number], weighted: boolean, ignoreIndex: number])[] = [
  [[3, 4, 1], false, IGNORE],
  [[2, 3, 5], true, IGNORE],
  [[2, 3, 5], true, 2],
  [[1, 1, 1], false, IGNORE],
  [[0, 3, 2], false, IGNORE],
  [[2, 3, 0], true, IGNORE],
  [[7, 10, 11], false, 0],
];
const weightOf = (weight: Nd | null, t: number): number => (weight ? (weight.data[t] as number) : 1);

/** An elementwise loss with its derivatives by the prediction. */
interface Pointwise<A> {
  attrs: readonly A[];
  f(x: number, t: number, attrs: A): number;
  slope(x: number, t: number, attrs: A): number;
  x: Fill;
  target: Fill;
  errors?: readonly Bad[];
}
const sizes = [[2, 3], [], [1], [0, 2], [37], [2, 5, 7]];
const pairs = <A>({ attrs, x, target }: Pointwise<A>): Sample<'huber'>[] =>
  attrs.flatMap((a) => sizes.map((shape) => ({ inputs: [f32(shape, x), f32(shape, target)], attrs: a }) as unknown as Sample<'huber'>));
const pairErrors = (op: string, attrs: unknown): [Bad, Bad, Bad, Bad] => [
  shapeError([f32([2, 3]), f32([3])], attrs, new RegExp(`^${op}: expected the target of shape \\[2, 3\\], got \\[3\\]`)),
  shapeError([f32([2]), f32([3])], attrs, new RegExp(`^${op}: expected the target of shape \\[2\\], got \\[3\\]`)),
  dtypeError([i32([2]), f32([2])], attrs, new RegExp(`^${op}: expected dtype f32, got i32`)),
  dtypeError([f32([2]), u8([2])], attrs, new RegExp(`^${op}: expected dtype f32, got u8`)),
];

const pointwise = <A>(op: string, loss: Pointwise<A>): Case<'huber'> => ({
  samples: pairs(loss),
  reference: ([x, target], a) => zip((v, t) => loss.f(v as number, t as number, a as A), x, target),
  tolerance: { relative: 1e-6, absolute: 1e-7 },
  gradients: 'all',
  errors: [...pairErrors(op, loss.attrs[0]), ...(loss.errors ?? [])],
});
const pointwiseBackward = <A>(op: string, loss: Pointwise<A>): Case<'huberBackward'> => ({
  samples: pairs(loss).map(({ inputs: [x, target], attrs }) => ({ inputs: [f32(x.shape), x, target], attrs })),
  reference: ([g, x, target], a) => zip((u, v, t) => (u as number) * loss.slope(v as number, t as number, a as A), g, x, target),
  tolerance: { relative: 1e-6, absolute: 1e-6 },
  gradients: 'all',
  errors: [
    shapeError([f32([3]), f32([2]), f32([2])], loss.attrs[0], new RegExp(`^${op}: expected the gradient of shape \\[2\\], got \\[3\\]`)),
    shapeError([f32([2]), f32([2]), f32([3])], loss.attrs[0], new RegExp(`^${op}: expected the target of shape \\[2\\], got \\[3\\]`)),
    dtypeError([i32([2]), f32([2]), f32([2])], loss.attrs[0], new RegExp(`^${op}: expected dtype f32, got i32`)),
    dtypeError([f32([2]), f32([2]), u8([2])], loss.attrs[0], new RegExp(`^${op}: expected dtype f32, got u8`)),
  ],
});

// The differences of these two fills are odd multiples of 1/8: never near the kinks at 0, ±0.5, ±1 and ±2.
const apart = { x: grid(0.25, 0.125, -3, 3), target: grid(0.25) };
const smoothL1: Pointwise<{ beta: number }> = {
  ...apart,
  attrs: [{ beta: 1 }, { beta: 0.5 }, { beta: 0 }],
  f: (x, t, { beta }) => (Math.abs(x - t) < beta ? (x - t) ** 2 / (2 * beta) : Math.abs(x - t) - beta / 2),
  slope: (x, t, { beta }) => (Math.abs(x - t) < beta ? (x - t) / beta : Math.sign(x - t)),
  errors: [argumentError([f32([2]), f32([2])], { beta: -1 }, /^smoothL1: expected beta >= 0, got -1/)],
};
const huber: Pointwise<{ delta: number }> = {
  ...apart,
  attrs: [{ delta: 1 }, { delta: 0.5 }, { delta: 2 }],
  f: (x, t, { delta }) => (Math.abs(x - t) < delta ? (x - t) ** 2 / 2 : delta * (Math.abs(x - t) - delta / 2)),
  slope: (x, t, { delta }) => (Math.abs(x - t) < delta ? x - t : delta * Math.sign(x - t)),
  errors: [
    argumentError([f32([2]), f32([2])], { delta: 0 }, /^huber: expected delta > 0, got 0/),
    argumentError([f32([2]), f32([2])], { delta: Number.NaN }, /^huber: expected delta > 0, got NaN/),
  ],
};
const bce: Pointwise<undefined> = {
  attrs: [undefined],
  x: uniform(0.1, 0.9),
  target: uniform(0, 1),
  f: (p, t) => -(t * Math.log(p) + (1 - t) * Math.log1p(-p)),
  slope: (p, t) => (p - t) / (p * (1 - p)),
};

const softplus = (x: number): number => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));
const withPosWeight = [[2, 3], [1], [0, 2], [5, 7], [2, 3, 4]];
const bceSamples = [
  ...sizes.map((shape) => [f32(shape, uniform(-4, 4)), f32(shape, uniform(0, 1)), null] as const),
  ...withPosWeight.map((shape) => [f32(shape, uniform(-4, 4)), f32(shape, uniform(0, 1)), f32(shape.slice(-1), uniform(0.5, 3))] as const),
];

export const lossCases: Cases<LossOps> = {
  crossEntropy: {
    samples: [
      ...entropies.map(([rows, classes, weighted, attrs]) => ({ inputs: [...logits(rows, classes, attrs), weighted ? weights(classes) : null] as const, attrs: entropy(attrs) })),
      { inputs: [f32([2, 3], list(1000, -1000, 0, 500, 500, -2000)), i32([2], list(1, 0)), null], attrs: entropy(), valueOnly: true },
    ],
    reference: crossEntropy,
    tolerance: { relative: 1e-6, absolute: 1e-6 },
    gradients: [true, false, false],
    errors: [
      ...badTargets('crossEntropy', (target) => [f32([2, 3]), target, null], entropy()),
      shapeError([f32([6]), i32([6], list(0)), null], entropy(), /^crossEntropy: expected logits \[n, classes\], got \[6\]/),
      shapeError([f32([2, 3]), i32([3], list(0)), null], entropy(), /^crossEntropy: expected the targets of shape \[2\], got \[3\]/),
      shapeError([f32([2, 3]), i32([2], list(0)), f32([2])], entropy(), /^crossEntropy: expected weight of shape \[3\], got \[2\]/),
      dtypeError([f32([2, 3]), f32([2]), null], entropy(), /^crossEntropy: expected dtype i32, got f32/),
      argumentError([f32([2, 3]), i32([2], list(0)), null], entropy({ labelSmoothing: 1.5 }), /^crossEntropy: expected labelSmoothing from 0 to 1, got 1.5/),
    ],
  },
  crossEntropyBackward: {
    samples: entropies.map(([rows, classes, weighted, attrs]) => {
      const [x, target] = logits(rows, classes, attrs);
      // log Σ exp(x − max) of the rows, which backward gets from forward.
      const lse = f32([rows], from((_, values) => reduceNd(values as Nd, LAST, (row) => logSumExp(row) - Math.max(...row))));
      return { inputs: [f32([rows]), x, lse, target, weighted ? weights(classes) : null] as const, attrs: entropy(attrs) };
    }),
    reference: crossEntropySlope,
    tolerance: { relative: 2e-6, absolute: 1e-6 },
    gradients: [true, true, false, false, false],
    errors: [
      shapeError([f32([3]), f32([2, 3]), f32([2]), i32([2], list(0)), null], entropy(), /^crossEntropyBackward: expected the gradient of shape \[2\], got \[3\]/),
      shapeError([f32([2]), f32([2, 3]), f32([3]), i32([2], list(0)), null], entropy(), /^crossEntropyBackward: expected log Σ exp of shape \[2\], got \[3\]/),
      shapeError([f32([2]), f32([6]), f32([2]), i32([2], list(0)), null], entropy(), /^crossEntropyBackward: expected logits \[n, classes\], got \[6\]/),
      dtypeError([f32([2]), f32([2, 3]), f32([2]), f32([2], list(0)), null], entropy(), /^crossEntropyBackward: expected dtype i32, got f32/),
    ],
  },
  nll: {
    samples: nlls.map(([shape, weighted, ignoreIndex]) => {
      const [n, classes, inner] = shape;
      return { inputs: [f32(shape), i32([n, inner], classesOf(classes, ignoreIndex)), weighted ? weights(classes) : null] as const, attrs: { ignoreIndex } };
    }),
    reference: ([logp, target, weight], { ignoreIndex }) =>
      build(target.shape, (index) => {
        const [n, i] = index as [number, number];
        const t = at(target, index);
        return t === ignoreIndex ? 0 : -weightOf(weight, t) * at(logp, [n, t, i]);
      }),
    tolerance: { relative: 2e-7 },
    gradients: [true, false, false],
    errors: [
      ...badTargets('nll', (target) => [f32([2, 3, 1]), { ...target, shape: [2, 1] }, null], { ignoreIndex: IGNORE }),
      shapeError([f32([2, 3]), i32([2], list(0)), null], { ignoreIndex: IGNORE }, /^nll: expected log-probabilities \[n, classes, inner\], got \[2, 3\]/),
      shapeError([f32([2, 3, 1]), i32([2], list(0)), null], { ignoreIndex: IGNORE }, /^nll: expected the targets of shape \[2, 1\], got \[2\]/),
      dtypeError([f32([2, 3, 1]), f32([2, 1]), null], { ignoreIndex: IGNORE }, /^nll: expected dtype i32, got f32/),
    ],
  },
  nllBackward: {
    samples: nlls.map(([[n, classes, inner], weighted, ignoreIndex]) => ({
      inputs: [f32([n, inner]), i32([n, inner], classesOf(classes, ignoreIndex)), weighted ? weights(classes) : null],
      attrs: { ignoreIndex, classes },
    })),
    reference: ([g, target, weight], { classes, ignoreIndex }) => {
      const [n, inner] = target.shape as [number, number];
      return build([n, classes, inner], ([r, c, i]) => {
        const t = at(target, [r as number, i as number]);
        return t === ignoreIndex || t !== c ? 0 : -at(g, [r as number, i as number]) * weightOf(weight, t);
      });
    },
    tolerance: { relative: 2e-7 },
    gradients: [true, false, false],
    errors: [
      shapeError([f32([3, 1]), i32([2, 1], list(0)), null], { ignoreIndex: IGNORE, classes: 3 }, /^nllBackward: expected the gradient of shape \[2, 1\], got \[3, 1\]/),
      dtypeError([i32([2, 1]), i32([2, 1], list(0)), null], { ignoreIndex: IGNORE, classes: 3 }, /^nllBackward: expected dtype f32, got i32/),
      dtypeError([f32([2, 1]), f32([2, 1], list(0)), null], { ignoreIndex: IGNORE, classes: 3 }, /^nllBackward: expected dtype i32, got f32/),
      shapeError([f32([2, 1]), i32([2, 1], list(0)), f32([2])], { ignoreIndex: IGNORE, classes: 3 }, /^nllBackward: expected weight of shape \[3\], got \[2\]/),
    ],
  },
  classWeights: {
    samples: [
      ...[[5], [2, 3], [], [0], [101]].flatMap((shape) => [
        { inputs: [i32(shape, classesOf(4)), weights(4)] as const, attrs: { classes: 4, ignoreIndex: IGNORE } },
        { inputs: [i32(shape, whole(0, 4)), null] as const, attrs: { classes: 4, ignoreIndex: 1 } },
      ]),
    ],
    reference: ([target, weight], { ignoreIndex }) => zip((t) => (t === ignoreIndex ? 0 : weightOf(weight, t as number)), target),
    dtype: 'f32',
    tolerance: { relative: 0 },
    gradients: 'none',
    errors: [
      ...badTargets('classWeights', (target) => [target, null], { classes: 3, ignoreIndex: IGNORE }),
      dtypeError([f32([2]), null], { classes: 3, ignoreIndex: IGNORE }, /^classWeights: expected dtype i32, got f32/),
      shapeError([i32([2], list(0)), f32([4])], { classes: 3, ignoreIndex: IGNORE }, /^classWeights: expected weight of shape \[3\], got \[4\]/),
    ],
  },
  bceWithLogits: {
    samples: [
      ...bceSamples.map((inputs) => ({ inputs })),
      { inputs: [f32([6], list(-1000, 1000, -90, 90, 0, 20)), f32([6], list(0, 1, 1, 0, 0.5, 1)), null] },
    ],
    reference: ([x, target, posWeight]) =>
      zip(
        (v, t, w) => (1 - (t as number)) * (v as number) + (1 + ((w as number) - 1) * (t as number)) * softplus(-(v as number)),
        x, target, posWeight ?? { shape: [], data: Float64Array.of(1) },
      ),
    tolerance: { relative: 1e-6, absolute: 1e-6 },
    gradients: [true, true, false],
    errors: [
      ...pairErrors('bceWithLogits', undefined).map((bad) => ({ ...bad, inputs: [...bad.inputs, null] })),
      shapeError([f32([2, 3]), f32([2, 3]), f32([2])], undefined, /^bceWithLogits: expected posWeight of shape \[3\], got \[2\]/),
      dtypeError([f32([2, 3]), f32([2, 3]), i32([3])], undefined, /^bceWithLogits: expected dtype f32, got i32/),
    ] as unknown as [Bad, Bad, Bad],
  },
  bceWithLogitsBackward: {
    samples: bceSamples.map(([x, target, posWeight]) => ({ inputs: [f32(x.shape), x, target, posWeight] })),
    reference: ([g, x, target, posWeight]) =>
      zip(
        (u, v, t, w) => (u as number) * (1 - (t as number) - (1 + ((w as number) - 1) * (t as number)) * sigmoid(-(v as number))),
        g, x, target, posWeight ?? { shape: [], data: Float64Array.of(1) },
      ),
    tolerance: { relative: 1e-6, absolute: 1e-6 },
    gradients: [true, true, true, false],
    errors: [
      shapeError([f32([3]), f32([2]), f32([2]), null], undefined, /^bceWithLogitsBackward: expected the gradient of shape \[2\], got \[3\]/),
      shapeError([f32([2]), f32([2]), f32([3]), null], undefined, /^bceWithLogitsBackward: expected the target of shape \[2\], got \[3\]/),
      dtypeError([f32([2]), i32([2]), f32([2]), null], undefined, /^bceWithLogitsBackward: expected dtype f32, got i32/),
      shapeError([f32([2]), f32([2]), f32([2]), f32([3])], undefined, /^bceWithLogitsBackward: expected posWeight of shape \[2\], got \[3\]/),
    ],
  },
  bce: { ...pointwise('bce', bce), second: 'throws' } as unknown as Case<'bce'>,
  bceBackward: { ...pointwiseBackward('bceBackward', bce), gradients: [true, 'throws', 'throws'] } as unknown as Case<'bceBackward'>,
  smoothL1: pointwise('smoothL1', smoothL1) as unknown as Case<'smoothL1'>,
  smoothL1Backward: pointwiseBackward('smoothL1Backward', smoothL1) as unknown as Case<'smoothL1Backward'>,
  huber: pointwise('huber', huber),
  huberBackward: pointwiseBackward('huberBackward', huber),
};
