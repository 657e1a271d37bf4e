// Cases of softmax and logSoftmax.
import { mapLanes, type Nd } from '../../../reference/nd.ts';
import { axisErrors, type Case, type Cases, f32, gradientErrors, list, type Sample, shapeError } from './types.ts';

const layouts: readonly (readonly [readonly number[], number])[] = [
  [[2, 3], 0],
  [[2, 3], 1],
  [[2, 3, 4], 1],
  [[2, 3, 4], -1],
  [[], 0],
  [[1], 0],
  [[3, 1], 1],
  [[0, 3], 1],
  [[3, 0], 1],
  [[5, 37], 1],
  [[37, 5], 0],
  [[2, 17, 7], 1],
  [[509], 0],
];

const alongAxis = (f: (...lanes: number[][]) => number[], dim: number, ...xs: Nd[]): Nd => {
  const { shape } = xs[0] as Nd;
  const d = dim < 0 ? dim + shape.length : dim;
  return mapLanes(f, d, shape.length === 0 ? 0 : d + 1, ...xs);
};
const total = (lane: readonly number[]): number => lane.reduce((a, b) => a + b, 0);
const logSoftmax = (lane: number[]): number[] => {
  const top = Math.max(...lane);
  const rest = Math.log(total(lane.map((v) => Math.exp(v - top))));
  return lane.map((v) => v - top - rest);
};

const forward = (op: string, f: (lane: number[]) => number[]): Case<'softmax'> => ({
  samples: [
    ...layouts.map(([shape, dim]) => ({ inputs: { x: f32(shape) }, attrs: { dim } }) as Sample<'softmax'>),
    // Neither overflows nor underflows to 0 / 0.
    { inputs: { x: f32([2, 3], list(1000, 999, 998, -1000, -1001, -999)) }, attrs: { dim: 1 }, valueOnly: true },
  ],
  reference: ({ x }, { dim }) => alongAxis(f, dim, x),
  tolerance: { relative: 2e-6, absolute: 5e-7 },
  gradients: 'all',
  errors: axisErrors(op),
});

const backward = (op: string, f: (g: number[], y: number[]) => number[]): Case<'softmaxBackward'> => ({
  samples: layouts.map(([shape, dim]) => ({ inputs: { g: f32(shape), y: f32(shape) }, attrs: { dim } })),
  reference: ({ g, y }, { dim }) => alongAxis(f as (...lanes: number[][]) => number[], dim, g, y),
  tolerance: { relative: 5e-6, absolute: 2e-5 },
  gradients: 'all',
  errors: [
    ...gradientErrors(op, { dim: 0 }, 'y'),
    shapeError({ g: f32([2, 3]), y: f32([2, 3]) }, { dim: 2 }, new RegExp(`^${op}: expected dim from -2 to 1, got 2`)),
  ],
});

export const softmaxCases = {
  softmax: forward('softmax', (lane) => logSoftmax(lane).map(Math.exp)),
  softmaxBackward: backward('softmaxBackward', (g, y) => {
    const inner = total(g.map((v, i) => v * (y[i] as number)));
    return y.map((v, i) => v * ((g[i] as number) - inner));
  }),
  logSoftmax: forward('logSoftmax', logSoftmax),
  logSoftmaxBackward: backward('logSoftmaxBackward', (g, y) => {
    const sum = total(g);
    return g.map((v, i) => v - Math.exp(y[i] as number) * sum);
  }),
} satisfies Cases;
