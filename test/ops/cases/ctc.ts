// Cases of connectionist temporal classification. The gradient is that of what came out of a log softmax: finite
// differences of the loss find it where probabilities are so small that they add nothing. test/golden/ has the others.
import { at, build, type Nd, nd } from '../../../reference/nd.ts';
import {
  argumentError,
  type Bad,
  type Cases,
  dtypeError,
  f32,
  freedError,
  i32,
  list,
  type Spec,
  shapeError,
  uniform,
  whole,
} from './types.ts';

const logSum = (...xs: number[]): number => {
  const top = Math.max(...xs);
  return top === -Infinity ? top : top + Math.log(xs.reduce((sum, x) => sum + Math.exp(x - top), 0));
};

interface Arrays {
  readonly logp: Nd;
  readonly targets: Nd;
  readonly frames: Nd;
  readonly lengths: Nd;
}
/** The class of each state of a sample, blanks between. */
const statesOf = ({ targets, lengths }: Arrays, sample: number, blank: number): number[] =>
  Array.from({ length: 2 * at(lengths, [sample]) + 1 }, (_, s) => (s % 2 ? at(targets, [sample, s >> 1]) : blank));

function lossOf(given: Arrays, sample: number, blank: number): number {
  const states = statesOf(given, sample, blank);
  let row = states.map((_, s) => (s === 0 ? 0 : -Infinity));
  for (let t = 0; t < at(given.frames, [sample]); t++)
    row = states.map((state, s) => {
      const skip = state !== states[s - 2] ? (row[s - 2] ?? -Infinity) : -Infinity;
      const ways = t === 0 && s > 1 ? [-Infinity] : [row[s] as number, row[s - 1] ?? -Infinity, skip];
      return logSum(...ways) + at(given.logp, [t, sample, state]);
    });
  return -logSum(row.at(-1) as number, at(given.frames, [sample]) > 0 ? (row.at(-2) ?? -Infinity) : -Infinity);
}

/** What alpha is, shared out by the ways that go on from each state. */
function gradientOf(g: Nd, alpha: Nd, given: Arrays, blank: number): Nd {
  const dx = build(given.logp.shape, () => 0);
  const [, n, classes] = given.logp.shape as [number, number, number];
  for (let sample = 0; sample < n; sample++) {
    const states = statesOf(given, sample, blank);
    const frames = at(given.frames, [sample]);
    let row: number[] = [];
    for (let t = frames - 1; t >= 0; t--) {
      const after = states.map((state, s) => {
        if (t === frames - 1) return s >= states.length - 2 ? 0 : -Infinity;
        const skip = states[s + 2] !== undefined && states[s + 2] !== state ? (row[s + 2] as number) : -Infinity;
        return logSum(row[s] as number, row[s + 1] ?? -Infinity, skip);
      });
      const ways = after.map((x, s) => x + at(alpha, [sample, t, s]));
      const all = logSum(...ways);
      for (let c = 0; c < classes; c++) {
        const own = logSum(-Infinity, ...ways.filter((_, s) => states[s] === c));
        const [x, scale] = [at(given.logp, [t, sample, c]), at(g, [sample])];
        (dx.data as Float64Array)[(t * n + sample) * classes + c] = scale * (Math.exp(x) - Math.exp(own - all));
      }
      row = after.map((x, s) => x + at(given.logp, [t, sample, states[s] as number]));
    }
  }
  return dx;
}

interface Sizes {
  readonly n: number;
  readonly time: number;
  readonly classes: number;
  readonly labels: number;
}
const inputsOf = ({ n, time, classes, labels }: Sizes): Record<'logp' | 'targets' | 'frames' | 'lengths', Spec> => ({
  logp: f32([time, n, classes], uniform(-3, -0.1)),
  targets: i32([n, labels], whole(0, classes)),
  // Enough frames for all labels and the blanks between equal ones.
  frames: i32([n], whole(Math.min(time, 2 * labels), time + 1)),
  lengths: i32([n], whole(0, labels + 1)),
});
const sizes: readonly Sizes[] = [
  { n: 1, time: 1, classes: 1, labels: 0 },
  { n: 2, time: 5, classes: 3, labels: 2 },
  { n: 3, time: 11, classes: 7, labels: 5 },
  { n: 0, time: 3, classes: 2, labels: 1 },
  { n: 2, time: 9, classes: 8, labels: 3 },
  { n: 4, time: 10, classes: 4, labels: 4 },
  { n: 5, time: 40, classes: 17, labels: 17 },
];
const few = inputsOf(sizes[1] as Sizes);

function errorsOf(op: string, more: Readonly<Record<string, Spec>>): [Bad, Bad, Bad, Bad] {
  const attrs = { blank: 0 };
  return [
    shapeError(
      { ...few, ...more, logp: f32([5, 6]) },
      attrs,
      new RegExp(`^${op}: expected log-probabilities \\[time, n, classes\\]`),
    ),
    shapeError(
      { ...few, ...more, lengths: i32([3]) },
      attrs,
      new RegExp(`^${op}: expected the target lengths of shape \\[2\\]`),
    ),
    argumentError({ ...few, ...more, frames: i32([2], list(6)) }, attrs, new RegExp(`^${op}: expected .*lengths`)),
    dtypeError({ ...few, ...more, targets: f32([2, 2]) }, attrs, new RegExp(`^${op}: expected dtype i32, got f32`)),
  ];
}

export const ctcCases = {
  ctc: {
    samples: sizes.flatMap((each) => {
      const attrs = { blank: each.classes - 1 };
      const rare = { ...inputsOf(each), logp: f32([each.time, each.n, each.classes], uniform(-23, -20)) };
      return [
        { inputs: inputsOf(each), attrs, valueOnly: true },
        { inputs: rare, attrs },
      ];
    }),
    reference: (given, { blank }) =>
      nd(
        [given.lengths.shape[0] as number],
        Array.from(given.lengths.data, (_, i) => lossOf(given, i, blank)),
      ),
    tolerance: { relative: 2e-6, absolute: 2e-6 },
    gradients: { logp: true },
    second: 'throws',
    errors: [
      ...errorsOf('ctc', {}),
      argumentError(few, { blank: 3 }, /^ctc: expected blank from 0 to 2, got 3/),
      argumentError(
        { ...few, targets: i32([2, 2], list(3)), lengths: i32([2], list(2)) },
        { blank: 0 },
        /a class that there is not/,
      ),
      freedError(few, { blank: 0 }, 'logp'),
    ],
  },
  ctcBackward: {
    samples: sizes.map((each) => ({
      inputs: {
        g: f32([each.n], uniform(0.5, 2)),
        alpha: f32([each.n, each.time, 2 * each.labels + 1], uniform(-3, 0)),
        ...inputsOf(each),
      },
      attrs: { blank: 0 },
    })),
    reference: ({ g, alpha, ...given }, { blank }) => gradientOf(g, alpha, given, blank),
    tolerance: { relative: 2e-5, absolute: 2e-6 },
    gradients: {
      ...{ g: 'throws', alpha: 'throws', logp: 'throws' },
    },
    errors: errorsOf('ctcBackward', { g: f32([2]), alpha: f32([2, 5, 5]) }),
  },
} satisfies Cases;
