// Cases of the steps of recurrent cells.
import { at, build, type Nd } from '../../../reference/nd.ts';
import { sigmoid } from '../../../reference/rnn.ts';
import { type Bad, type Cases, dtypeError, f32, freedError, i32, type Spec, shapeError, uniform } from './types.ts';

const sizes: readonly (readonly [rows: number, width: number])[] = [
  [1, 1],
  [2, 3],
  [3, 4],
  [0, 3],
  [2, 0],
  [5, 17],
  [67, 9],
];
const opened = uniform(0.1, 0.9);
const gatesOf = (rows: number, width: number): Spec => f32([rows, 4 * width], opened);

/** Gate k of element [n, j]. */
const gate = (gates: Nd, [n, j]: readonly [number, number], k: number): number =>
  at(gates, [n, k * ((gates.shape[1] as number) / 4) + j]);

/** f of every element of a state. */
const map = (like: Nd, f: (at: readonly [number, number]) => number): Nd =>
  build(like.shape, (index) => f(index as unknown as readonly [number, number]));
/** The gates, from four functions of an element. */
const gatesFrom = (like: Nd, f: readonly ((at: readonly [number, number]) => number)[]): Nd => {
  const [rows, width] = like.shape as [number, number];
  return build([rows, 4 * width], ([n, i]) => {
    const [k, j] = [Math.floor((i as number) / width), (i as number) % width];
    return (f[k] as (at: readonly [number, number]) => number)([n as number, j]);
  });
};

function stepErrors(op: string, rest: Readonly<Record<string, Spec>>): [Bad, Bad, Bad] {
  return [
    shapeError({ ...rest, cell: f32([3]) }, undefined, new RegExp(`^${op}: expected a cell state \\[n, width\\], got`)),
    dtypeError({ ...rest, cell: i32([2, 3]) }, undefined, new RegExp(`^${op}: expected dtype f32, got i32`)),
    freedError({ ...rest, cell: f32([2, 3]) }, undefined, 'cell'),
  ];
}

export const rnnCases = {
  lstmCell: {
    samples: sizes.map(([n, width]) => ({
      inputs: { a: f32([n, 4 * width]), b: f32([n, 4 * width]), cell: f32([n, width]) },
    })),
    reference: ({ a, b, cell }) => {
      const pre = (index: readonly [number, number], k: number): number => gate(a, index, k) + gate(b, index, k);
      const c = map(cell, (i) => sigmoid(pre(i, 1)) * at(cell, i) + sigmoid(pre(i, 0)) * Math.tanh(pre(i, 2)));
      return { h: map(cell, (i) => sigmoid(pre(i, 3)) * Math.tanh(at(c, i))), c };
    },
    tolerance: { relative: 2e-6, absolute: 1e-6 },
    gradients: 'all',
    errors: [
      ...stepErrors('lstmCell', { a: f32([2, 12]), b: f32([2, 12]) }),
      shapeError(
        { a: f32([2, 9]), b: f32([2, 12]), cell: f32([2, 3]) },
        undefined,
        /^lstmCell: expected the gates of the input of shape \[2, 12\], got \[2, 9\]/,
      ),
      shapeError(
        { a: f32([2, 12]), b: f32([3, 12]), cell: f32([2, 3]) },
        undefined,
        /^lstmCell: expected the gates of the hidden state of shape \[2, 12\], got \[3, 12\]/,
      ),
    ],
  },
  lstmCellBackward: {
    samples: sizes.flatMap(([n, width]) =>
      [[true, true] as const, [true, false] as const, [false, true] as const].map(([h, c]) => ({
        inputs: {
          dh: h ? f32([n, width]) : null,
          dc: c ? f32([n, width]) : null,
          gates: gatesOf(n, width),
          squashed: f32([n, width], uniform(-0.9, 0.9)),
          cell: f32([n, width]),
        },
      })),
    ),
    reference: ({ dh, dc, gates, squashed: bounded, cell }) => {
      const squashed = (i: readonly [number, number]): number => at(bounded, i);
      const dC = (i: readonly [number, number]): number =>
        (dc ? at(dc, i) : 0) + (dh ? at(dh, i) * gate(gates, i, 3) * (1 - squashed(i) ** 2) : 0);
      const slope = (i: readonly [number, number], k: number): number => gate(gates, i, k) * (1 - gate(gates, i, k));
      return {
        dgates: gatesFrom(cell, [
          (i) => dC(i) * gate(gates, i, 2) * slope(i, 0),
          (i) => dC(i) * at(cell, i) * slope(i, 1),
          (i) => dC(i) * gate(gates, i, 0) * (1 - gate(gates, i, 2) ** 2),
          (i) => (dh ? at(dh, i) * squashed(i) * slope(i, 3) : 0),
        ]),
        dcell: map(cell, (i) => dC(i) * gate(gates, i, 1)),
      };
    },
    tolerance: { relative: 2e-6, absolute: 1e-6 },
    gradients: { dh: 'throws', dc: 'throws', gates: 'throws', squashed: 'throws', cell: 'throws' },
    errors: stepErrors('lstmCellBackward', {
      dh: f32([2, 3]),
      dc: f32([2, 3]),
      gates: f32([2, 12]),
      squashed: f32([2, 3]),
    }),
  },
} satisfies Cases;
