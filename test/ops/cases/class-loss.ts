// Cases of the losses of classes, before reduction.
import { at, build, type Nd, reduceNd, zip } from '../../../reference/nd.ts';
import {
  argumentError,
  type Bad,
  type BadInputs,
  type Cases,
  dtypeError,
  type Fill,
  f32,
  from,
  i32,
  list,
  type Spec,
  shapeError,
  uniform,
  whole,
} from './types.ts';

const IGNORE = -100;
type Entropy = { ignoreIndex: number; labelSmoothing: number };
type Smooth = Partial<Entropy>;
const entropy = (attrs: Smooth = {}): Entropy => ({ ignoreIndex: IGNORE, labelSmoothing: 0, ...attrs });
const weights = (classes: number): Spec => f32([classes], uniform(0.2, 2));
/** Classes, with some that are ignored. */
const classesOf =
  (classes: number, ignoreIndex = IGNORE): Fill =>
  (n, next) =>
    Array.from({ length: n }, (_, i) => (i % 4 === 2 ? ignoreIndex : Math.floor(next() * classes)));

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
const logits = (rows: number, classes: number, { ignoreIndex = IGNORE }: Smooth): { x: Spec; target: Spec } => ({
  x: f32([rows, classes]),
  target: i32([rows], classesOf(classes, ignoreIndex)),
});

const total = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
const logSumExp = (lane: readonly number[]): number => {
  const top = Math.max(...lane);
  return top + Math.log(total(lane.map((v) => Math.exp(v - top))));
};
const rowsOf = (x: Nd): number[][] =>
  Array.from({ length: x.shape[0] as number }, (_, i) =>
    Array.from(x.data.subarray(i * (x.shape[1] as number), (i + 1) * (x.shape[1] as number))),
  );
const LAST = { dim: 1, end: 2, keepdim: false };

/** −Σ over the classes of (1 − s) [c = target] w[c] log p[c] + s / classes · w[c] log p[c]. */
function crossEntropy(
  { x, target, weight }: { readonly x: Nd; readonly target: Nd; readonly weight: Nd | null },
  { ignoreIndex, labelSmoothing: s }: Entropy,
): Nd {
  const losses = rowsOf(x).map((row, i) => {
    const t = target.data[i] as number;
    if (t === ignoreIndex) return 0;
    const lse = logSumExp(row);
    return -total(
      row.map(
        (v, c) => (v - lse) * (weight ? (weight.data[c] as number) : 1) * ((c === t ? 1 - s : 0) + s / row.length),
      ),
    );
  });
  return { shape: target.shape, data: Float64Array.from(losses) };
}

/** Its derivative by x, times g: share · w by class, softmax taking what they add up to. */
function crossEntropySlope(
  { g, x, target, weight }: { readonly [N in 'g' | 'x' | 'target']: Nd } & { readonly weight: Nd | null },
  { ignoreIndex, labelSmoothing: s }: Entropy,
): Nd {
  const rows = rowsOf(x).flatMap((row, i) => {
    const t = target.data[i] as number;
    if (t === ignoreIndex) return row.map(() => 0);
    const lse = logSumExp(row);
    const shares = row.map(
      (_, c) => (weight ? (weight.data[c] as number) : 1) * ((c === t ? 1 - s : 0) + s / row.length),
    );
    return row.map((v, c) => (g.data[i] as number) * (Math.exp(v - lse) * total(shares) - (shares[c] as number)));
  });
  return { shape: x.shape, data: Float64Array.from(rows) };
}

const badTargets = (op: string, inputs: (target: Spec) => BadInputs, attrs: unknown): [Bad, Bad] => [
  argumentError(
    inputs(i32([2], list(0, 3))),
    attrs,
    new RegExp(`^${op}: expected classes from 0 to 2 \\(or ignoreIndex -100\\), got 3 at position 1`),
  ),
  argumentError(
    inputs(i32([2], list(-1, 0))),
    attrs,
    new RegExp(`^${op}: expected classes from 0 to 2 .*got -1 at position 0`),
  ),
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
  [[2, 3, 4], true, 1],
];
const weightOf = (weight: Nd | null, t: number): number => (weight ? (weight.data[t] as number) : 1);

export const classLossCases = {
  crossEntropy: {
    samples: [
      ...entropies.map(([rows, classes, weighted, attrs]) => ({
        inputs: { ...logits(rows, classes, attrs), weight: weighted ? weights(classes) : null },
        attrs: entropy(attrs),
      })),
      {
        inputs: { x: f32([2, 3], list(1000, -1000, 0, 500, 500, -2000)), target: i32([2], list(1, 0)), weight: null },
        attrs: entropy(),
        valueOnly: true,
      },
    ],
    reference: crossEntropy,
    tolerance: { relative: 1e-6, absolute: 1e-6 },
    gradients: { x: true, target: false, weight: false },
    errors: [
      ...badTargets('crossEntropy', (target) => ({ x: f32([2, 3]), target, weight: null }), entropy()),
      shapeError(
        { x: f32([6]), target: i32([6], list(0)), weight: null },
        entropy(),
        /^crossEntropy: expected logits \[n, classes\], got \[6\]/,
      ),
      shapeError(
        { x: f32([2, 3]), target: i32([3], list(0)), weight: null },
        entropy(),
        /^crossEntropy: expected the targets of shape \[2\], got \[3\]/,
      ),
      shapeError(
        { x: f32([2, 3]), target: i32([2], list(0)), weight: f32([2]) },
        entropy(),
        /^crossEntropy: expected weight of shape \[3\], got \[2\]/,
      ),
      dtypeError(
        { x: f32([2, 3]), target: f32([2]), weight: null },
        entropy(),
        /^crossEntropy: expected dtype i32, got f32/,
      ),
      argumentError(
        { x: f32([2, 3]), target: i32([2], list(0)), weight: null },
        entropy({ labelSmoothing: 1.5 }),
        /^crossEntropy: expected labelSmoothing from 0 to 1, got 1.5/,
      ),
    ],
  },
  crossEntropyBackward: {
    samples: entropies.map(([rows, classes, weighted, attrs]) => {
      const { x, target } = logits(rows, classes, attrs);
      // log Σ exp(x − max) of the rows, which backward gets from forward.
      const lse = f32(
        [rows],
        from(({ x: values }) => reduceNd(values as Nd, LAST, (row) => logSumExp(row) - Math.max(...row))),
      );
      return {
        inputs: { g: f32([rows]), x, lse, target, weight: weighted ? weights(classes) : null } as const,
        attrs: entropy(attrs),
      };
    }),
    reference: crossEntropySlope,
    tolerance: { relative: 2e-6, absolute: 1e-6 },
    gradients: { g: true, x: true, lse: false, target: false, weight: false },
    errors: [
      shapeError(
        { g: f32([3]), x: f32([2, 3]), lse: f32([2]), target: i32([2], list(0)), weight: null },
        entropy(),
        /^crossEntropyBackward: expected the gradient of shape \[2\], got \[3\]/,
      ),
      shapeError(
        { g: f32([2]), x: f32([2, 3]), lse: f32([3]), target: i32([2], list(0)), weight: null },
        entropy(),
        /^crossEntropyBackward: expected log Σ exp of shape \[2\], got \[3\]/,
      ),
      shapeError(
        { g: f32([2]), x: f32([6]), lse: f32([2]), target: i32([2], list(0)), weight: null },
        entropy(),
        /^crossEntropyBackward: expected logits \[n, classes\], got \[6\]/,
      ),
      dtypeError(
        { g: f32([2]), x: f32([2, 3]), lse: f32([2]), target: f32([2], list(0)), weight: null },
        entropy(),
        /^crossEntropyBackward: expected dtype i32, got f32/,
      ),
    ],
  },
  nll: {
    samples: nlls.map(([shape, weighted, ignoreIndex]) => {
      const [n, classes, inner] = shape;
      return {
        inputs: {
          logp: f32(shape),
          target: i32([n, inner], classesOf(classes, ignoreIndex)),
          weight: weighted ? weights(classes) : null,
        } as const,
        attrs: { ignoreIndex },
      };
    }),
    reference: ({ logp, target, weight }, { ignoreIndex }) =>
      build(target.shape, (index) => {
        const [n, i] = index as [number, number];
        const t = at(target, index);
        return t === ignoreIndex ? 0 : -weightOf(weight, t) * at(logp, [n, t, i]);
      }),
    tolerance: { relative: 2e-7 },
    gradients: { logp: true, target: false, weight: false },
    errors: [
      ...badTargets('nll', (target) => ({ logp: f32([2, 3, 1]), target: { ...target, shape: [2, 1] }, weight: null }), {
        ignoreIndex: IGNORE,
      }),
      shapeError(
        { logp: f32([2, 3]), target: i32([2], list(0)), weight: null },
        { ignoreIndex: IGNORE },
        /^nll: expected log-probabilities \[n, classes, inner\], got \[2, 3\]/,
      ),
      shapeError(
        { logp: f32([2, 3, 1]), target: i32([2], list(0)), weight: null },
        { ignoreIndex: IGNORE },
        /^nll: expected the targets of shape \[2, 1\], got \[2\]/,
      ),
      dtypeError(
        { logp: f32([2, 3, 1]), target: f32([2, 1]), weight: null },
        { ignoreIndex: IGNORE },
        /^nll: expected dtype i32, got f32/,
      ),
    ],
  },
  nllBackward: {
    samples: nlls.map(([[n, classes, inner], weighted, ignoreIndex]) => ({
      inputs: {
        g: f32([n, inner]),
        target: i32([n, inner], classesOf(classes, ignoreIndex)),
        weight: weighted ? weights(classes) : null,
      },
      attrs: { ignoreIndex, classes },
    })),
    reference: ({ g, target, weight }, { classes, ignoreIndex }) => {
      const [n, inner] = target.shape as [number, number];
      return build([n, classes, inner], ([r, c, i]) => {
        const t = at(target, [r as number, i as number]);
        return t === ignoreIndex || t !== c ? 0 : -at(g, [r as number, i as number]) * weightOf(weight, t);
      });
    },
    tolerance: { relative: 2e-7 },
    gradients: { g: true, target: false, weight: false },
    errors: [
      shapeError(
        { g: f32([3, 1]), target: i32([2, 1], list(0)), weight: null },
        { ignoreIndex: IGNORE, classes: 3 },
        /^nllBackward: expected the gradient of shape \[2, 1\], got \[3, 1\]/,
      ),
      dtypeError(
        { g: i32([2, 1]), target: i32([2, 1], list(0)), weight: null },
        { ignoreIndex: IGNORE, classes: 3 },
        /^nllBackward: expected dtype f32, got i32/,
      ),
      dtypeError(
        { g: f32([2, 1]), target: f32([2, 1], list(0)), weight: null },
        { ignoreIndex: IGNORE, classes: 3 },
        /^nllBackward: expected dtype i32, got f32/,
      ),
      shapeError(
        { g: f32([2, 1]), target: i32([2, 1], list(0)), weight: f32([2]) },
        { ignoreIndex: IGNORE, classes: 3 },
        /^nllBackward: expected weight of shape \[3\], got \[2\]/,
      ),
    ],
  },
  classWeights: {
    samples: [
      ...[[5], [2, 3], [], [0], [101]].flatMap((shape) => [
        {
          inputs: { target: i32(shape, classesOf(4)), weight: weights(4) } as const,
          attrs: { classes: 4, ignoreIndex: IGNORE },
        },
        { inputs: { target: i32(shape, whole(0, 4)), weight: null } as const, attrs: { classes: 4, ignoreIndex: 1 } },
      ]),
    ],
    reference: ({ target, weight }, { ignoreIndex }) =>
      zip((t) => (t === ignoreIndex ? 0 : weightOf(weight, t as number)), target),
    dtype: 'f32',
    tolerance: { relative: 0 },
    gradients: 'none',
    errors: [
      ...badTargets('classWeights', (target) => ({ target, weight: null }), { classes: 3, ignoreIndex: IGNORE }),
      dtypeError(
        { target: f32([2]), weight: null },
        { classes: 3, ignoreIndex: IGNORE },
        /^classWeights: expected dtype i32, got f32/,
      ),
      shapeError(
        { target: i32([2], list(0)), weight: f32([4]) },
        { classes: 3, ignoreIndex: IGNORE },
        /^classWeights: expected weight of shape \[3\], got \[4\]/,
      ),
    ],
  },
} satisfies Cases;
