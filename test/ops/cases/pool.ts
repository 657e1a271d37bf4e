// Cases of max, average and adaptive pools and of their gradients.
import type { AvgPool } from '../../../bindings/ops/pool.ts';
import { numelOf } from '../../../bindings/tensor.ts';
import { nd } from '../../../reference/nd.ts';
import {
  adaptiveOver,
  adaptiveSamples,
  attrsOf,
  avgSamples,
  maxima,
  maxSamples,
  means,
  meansBackward,
  pooledOf,
  resultShape,
  type Slides,
  slidingOver,
} from './pool-inputs.ts';
import {
  argumentError,
  type Bad,
  type Cases,
  distinct,
  dtypeError,
  type Fill,
  f32,
  i32,
  type Sample,
  shapeError,
  u8,
} from './types.ts';

const EXACT = { relative: 0 };
const CLOSE = { relative: 1e-6, absolute: 1e-6 };
const x45 = f32([1, 4, 5]);
const two = attrsOf({ x: [], kernelSize: 2 });

/** What all windows check; `dilation` or what else the attributes need is in `more`. */
const windowErrors = (op: string, name: string, attrs: Slides): Bad[] => [
  dtypeError({ x: i32([1, 4, 5]) }, attrs, new RegExp(`^${name}2d: expected dtype f32, got i32`)),
  dtypeError({ x: u8([1, 4, 5]) }, attrs, new RegExp(`^${name}2d: expected dtype f32, got u8`)),
  shapeError(
    { x: f32([4, 5]) },
    attrs,
    new RegExp(`^${name}2d: expected input \\[n, channels, height, width\\], with or without n, got \\[4, 5\\]`),
  ),
  shapeError({ x: f32([1, 1, 1, 4, 5]) }, attrs, new RegExp(`^${name}2d: expected input`)),
  shapeError(
    { x: f32([1, 1, 5]) },
    attrs,
    new RegExp(
      `^${name}2d: expected windows that fit the padded input, got kernelSize \\[2, 2\\] over \\[2, 2\\] elements for input \\[1, 1, 5\\]`,
    ),
  ),
  shapeError({ x: f32([2, 0, 4]) }, attrs, new RegExp(`^${name}2d: expected windows that fit`)),
  argumentError(
    { x: x45 },
    { ...attrs, kernelSize: [2, 0] },
    new RegExp(`^${name}2d: expected kernelSize of 2 whole numbers >= 1, got \\[2, 0\\]`),
  ),
  argumentError(
    { x: x45 },
    { ...attrs, stride: [2] },
    new RegExp(`^${name}2d: expected stride of 2 whole numbers >= 1, got \\[2\\]`),
  ),
  argumentError(
    { x: x45 },
    { ...attrs, stride: [2, 1.5] },
    new RegExp(`^${name}2d: expected stride of 2 whole numbers >= 1, got \\[2, 1.5\\]`),
  ),
  argumentError(
    { x: x45 },
    { ...attrs, padding: [0, -1] },
    new RegExp(`^${name}2d: expected padding of 2 whole numbers >= 0, got \\[0, -1\\]`),
  ),
  argumentError(
    { x: x45 },
    { ...attrs, padding: [1, 2] },
    new RegExp(`^${name}2d: expected padding of at most half the kernelSize \\[2, 2\\], got \\[1, 2\\]`),
  ),
  argumentError({ x: { raw: [1] } }, attrs, new RegExp(`^${op}: expected a tensor as x, got object`)),
];
const maxErrors = (op: string): [Bad, Bad, Bad, ...Bad[]] => [
  ...(windowErrors(op, 'maxPool', two) as [Bad, Bad, Bad]),
  argumentError(
    { x: x45 },
    { ...two, dilation: [0, 1] },
    /^maxPool2d: expected dilation of 2 whole numbers >= 1, got \[0, 1\]/,
  ),
  shapeError(
    { x: f32([1, 4]) },
    { ...attrsOf({ x: [], kernelSize: 2, pooled: 1 }), stride: [1], padding: [1], dilation: [5] },
    /^maxPool1d: expected every window to reach the input, got dilation \[5\] and padding \[1\]/,
  ),
];
const adaptiveErrors = (): [Bad, Bad, Bad, ...Bad[]] => [
  dtypeError({ x: i32([1, 4, 5]) }, { outputSize: [2, 2] }, /Pool2d: expected dtype f32, got i32/),
  shapeError(
    { x: f32([4, 5]) },
    { outputSize: [2, 2] },
    /Pool2d: expected input \[n, channels, height, width\], with or without n, got \[4, 5\]/,
  ),
  shapeError(
    { x: f32([2]) },
    { outputSize: [2] },
    /Pool1d: expected input \[n, channels, length\], with or without n, got \[2\]/,
  ),
  argumentError(
    { x: x45 },
    { outputSize: [2, 0] },
    /Pool2d: expected outputSize of 2 whole numbers >= 1, got \[2, 0\]/,
  ),
  shapeError(
    { x: f32([1, 0, 5]) },
    { outputSize: [2, 2] },
    /Pool2d: expected sizes of at least 1, got input \[1, 0, 5\]/,
  ),
];
const g22 = f32([1, 2, 2]);
const avgTwo: AvgPool = { ...two, countIncludePad: true, divisorOverride: null };

export const poolCases = {
  maxPool: {
    samples: maxSamples.map(({ x, attrs }) => ({ inputs: { x: f32(x, distinct()) }, attrs })),
    reference: ({ x }, attrs) => maxima(x, slidingOver(x.shape, attrs), pooledOf(attrs), 0),
    tolerance: EXACT,
    gradients: 'all',
    errors: maxErrors('maxPool'),
  },
  maxPoolWithIndices: {
    samples: maxSamples.map(({ x, attrs }) => ({ inputs: { x: f32(x, distinct()) }, attrs })),
    reference: ({ x }, attrs) => ({
      y: maxima(x, slidingOver(x.shape, attrs), pooledOf(attrs), 0),
      index: maxima(x, slidingOver(x.shape, attrs), pooledOf(attrs), 1),
    }),
    dtype: { y: 'f32', index: 'i32' },
    tolerance: EXACT,
    gradients: 'all',
    errors: maxErrors('maxPoolWithIndices'),
  },
  adaptiveMaxPool: {
    samples: adaptiveSamples.map(({ x, attrs }) => ({ inputs: { x: f32(x, distinct()) }, attrs })),
    reference: ({ x }, attrs) => maxima(x, adaptiveOver(x.shape, attrs), pooledOf(attrs), 0),
    tolerance: EXACT,
    gradients: 'all',
    errors: adaptiveErrors(),
  },
  adaptiveMaxPoolWithIndices: {
    samples: adaptiveSamples.map(({ x, attrs }) => ({ inputs: { x: f32(x, distinct()) }, attrs })),
    reference: ({ x }, attrs) => ({
      y: maxima(x, adaptiveOver(x.shape, attrs), pooledOf(attrs), 0),
      index: maxima(x, adaptiveOver(x.shape, attrs), pooledOf(attrs), 1),
    }),
    dtype: { y: 'f32', index: 'i32' },
    tolerance: EXACT,
    gradients: 'all',
    errors: adaptiveErrors(),
  },
  maxPoolBackward: {
    samples: maxSamples.map(({ x, attrs }): Sample<'maxPoolBackward'> => {
      const pooled = pooledOf(attrs);
      const pooling = slidingOver(x, attrs);
      const shape = resultShape(x, pooling, pooled);
      const size = numelOf(x.slice(-pooled));
      // Positions that windows share.
      const places: Fill = (n) => Array.from({ length: n }, (_, i) => (i * i) % size);
      return { inputs: { g: f32(shape), index: i32(shape, places) }, attrs: { shape: x, pooled } };
    }),
    reference: ({ g, index }, { shape, pooled }) => {
      const dx = nd(shape, new Float64Array(numelOf(shape)));
      const size = numelOf(shape.slice(-pooled));
      const windows = numelOf(g.shape.slice(-pooled));
      g.data.forEach((v, i) => {
        const at = Math.floor(i / windows) * size + (index.data[i] as number);
        dx.data[at] = (dx.data[at] as number) + v;
      });
      return dx;
    },
    tolerance: CLOSE,
    gradients: { g: true, index: false },
    errors: [
      dtypeError(
        { g: i32([1, 2, 2]), index: i32([1, 2, 2]) },
        { shape: [1, 4, 5], pooled: 2 },
        /^maxPoolBackward: expected dtype f32, got i32/,
      ),
      dtypeError(
        { g: g22, index: g22 },
        { shape: [1, 4, 5], pooled: 2 },
        /^maxPoolBackward: expected dtype i32, got f32/,
      ),
      shapeError(
        { g: g22, index: i32([1, 2, 3]) },
        { shape: [1, 4, 5], pooled: 2 },
        /^maxPoolBackward: expected the gradient of shape \[1, 2, 3\], got \[1, 2, 2\]/,
      ),
      shapeError(
        { g: g22, index: i32([1, 2, 2]) },
        { shape: [2, 4, 5], pooled: 2 },
        /^maxPoolBackward: expected a gradient that begins as \[2, 4, 5\] does, got \[1, 2, 2\]/,
      ),
    ],
  },
  avgPool: {
    samples: avgSamples.map(({ x, attrs }) => ({ inputs: { x: f32(x) }, attrs })),
    reference: ({ x }, attrs) => means(x, slidingOver(x.shape, attrs), pooledOf(attrs)),
    tolerance: CLOSE,
    gradients: 'all',
    errors: [
      ...(windowErrors('avgPool', 'avgPool', avgTwo) as [Bad, Bad, Bad]),
      argumentError(
        { x: x45 },
        { ...avgTwo, divisorOverride: 0 },
        /^avgPool2d: expected divisorOverride to be a whole number but 0, got 0/,
      ),
      argumentError(
        { x: x45 },
        { ...avgTwo, divisorOverride: 1.5 },
        /^avgPool2d: expected divisorOverride to be a whole number but 0, got 1.5/,
      ),
    ],
  },
  avgPoolBackward: {
    samples: avgSamples.map(({ x, attrs }) => ({
      inputs: { g: f32(resultShape(x, slidingOver(x, attrs), pooledOf(attrs))) },
      attrs: { ...attrs, shape: x },
    })),
    reference: ({ g }, { shape, ...attrs }) => meansBackward(g, shape, slidingOver(shape, attrs), pooledOf(attrs)),
    tolerance: CLOSE,
    gradients: 'all',
    errors: [
      dtypeError(
        { g: i32([1, 2, 2]) },
        { ...avgTwo, shape: [1, 4, 5] },
        /^avgPoolBackward: expected dtype f32, got i32/,
      ),
      shapeError(
        { g: f32([1, 2, 3]) },
        { ...avgTwo, shape: [1, 4, 5] },
        /^avgPoolBackward: expected the gradient of shape \[1, 2, 2\], got \[1, 2, 3\]/,
      ),
      argumentError(
        { g: { raw: 1 } },
        { ...avgTwo, shape: [1, 4, 5] },
        /^avgPoolBackward: expected a tensor as g, got number/,
      ),
    ],
  },
  adaptiveAvgPool: {
    samples: adaptiveSamples.map(({ x, attrs }) => ({ inputs: { x: f32(x) }, attrs })),
    reference: ({ x }, attrs) => means(x, adaptiveOver(x.shape, attrs), pooledOf(attrs)),
    tolerance: CLOSE,
    gradients: 'all',
    errors: adaptiveErrors(),
  },
  adaptiveAvgPoolBackward: {
    samples: adaptiveSamples.map(({ x, attrs }) => ({
      inputs: { g: f32([...x.slice(0, -pooledOf(attrs)), ...attrs.outputSize]) },
      attrs: { ...attrs, shape: x },
    })),
    reference: ({ g }, { shape, ...attrs }) => meansBackward(g, shape, adaptiveOver(shape, attrs), pooledOf(attrs)),
    tolerance: CLOSE,
    gradients: 'all',
    errors: [
      dtypeError(
        { g: i32([1, 2, 2]) },
        { outputSize: [2, 2], shape: [1, 4, 5] },
        /^adaptiveAvgPoolBackward: expected dtype f32, got i32/,
      ),
      shapeError(
        { g: f32([1, 2, 3]) },
        { outputSize: [2, 2], shape: [1, 4, 5] },
        /^adaptiveAvgPoolBackward: expected the gradient of shape \[1, 2, 2\], got \[1, 2, 3\]/,
      ),
      argumentError(
        { g: { raw: 1 } },
        { outputSize: [2, 2], shape: [1, 4, 5] },
        /^adaptiveAvgPoolBackward: expected a tensor as g, got number/,
      ),
    ],
  },
} satisfies Cases;
