// Cases of max, average and adaptive pools and of their gradients.
import type { AvgPool, MaxPool, PoolOps } from '../../../bindings/ops/pool.ts';
import { numelOf, type Shape } from '../../../bindings/tensor.ts';
import { type Nd, nd } from '../../support/tensors.ts';
import { adaptive, axis, eachWindow, largest, type Pooling } from '../../support/windows.ts';
import {
  argumentError,
  type Bad,
  type Cases,
  distinct,
  dtypeError,
  f32,
  from,
  i32,
  type Sample,
  shapeError,
  u8,
} from './types.ts';

/** Input and windows, the same in all dims. */
interface Example {
  readonly x: Shape;
  readonly kernelSize: number | readonly number[];
  readonly stride?: number;
  readonly padding?: number;
  readonly dilation?: number;
  readonly ceilMode?: boolean;
  /** How many of the last dims are pooled. Default 2. */
  readonly pooled?: 1;
}

const plain: readonly Example[] = [
  { x: [1, 1, 1, 1], kernelSize: 1 },
  { x: [2, 3, 4, 6], kernelSize: 2 },
  { x: [3, 7, 9], kernelSize: 3, stride: 2, padding: 1 },
  { x: [1, 2, 5, 5], kernelSize: 3, stride: 1, padding: 1 },
  { x: [1, 1, 6, 7], kernelSize: [1, 4], stride: 3 },
  { x: [2, 6, 5], kernelSize: 2, ceilMode: true },
  { x: [1, 2, 7, 7], kernelSize: 3, stride: 3, padding: 1, ceilMode: true },
  { x: [2, 4, 5], kernelSize: [4, 5] },
  { x: [0, 2, 4, 4], kernelSize: 2 },
  { x: [2, 3, 11], kernelSize: 3, stride: 2, padding: 1, pooled: 1 },
  { x: [3, 8], kernelSize: 2, pooled: 1 },
  { x: [1, 17], kernelSize: 5, stride: 1, padding: 2, pooled: 1 },
];
const dilated: readonly Example[] = [
  { x: [1, 2, 7, 9], kernelSize: 2, dilation: 3, stride: 1, padding: 1 },
  { x: [2, 8, 8], kernelSize: 3, dilation: 2, stride: 2, padding: 1, ceilMode: true },
  { x: [2, 12], kernelSize: 3, dilation: 4, stride: 1, pooled: 1 },
];

function attrsOf({
  kernelSize,
  stride,
  padding = 0,
  dilation = 1,
  ceilMode = false,
  pooled = 2 as 1 | 2,
}: Omit<Example, 'pooled'> & { pooled?: 1 | 2 }): MaxPool {
  const each = (value: number): number[] => new Array<number>(pooled).fill(value);
  const kernel = typeof kernelSize === 'number' ? each(kernelSize) : kernelSize;
  return {
    kernelSize: kernel,
    stride: stride === undefined ? kernel : each(stride),
    padding: each(padding),
    dilation: each(dilation),
    ceilMode,
  };
}
const maxSamples = [...plain, ...dilated].map((example) => ({ x: example.x, attrs: attrsOf(example) }));
const avgSamples = plain.flatMap((example) => {
  const { dilation: _, ...attrs } = attrsOf(example);
  const ways: AvgPool[] = [
    { ...attrs, countIncludePad: true, divisorOverride: null },
    { ...attrs, countIncludePad: false, divisorOverride: null },
    { ...attrs, countIncludePad: true, divisorOverride: -3 },
  ];
  return ways.map((way) => ({ x: example.x, attrs: way }));
});
/** Inputs and the sizes of their results; the last dims of both are pooled. */
const adaptiveSamples = (
  [
    [
      [1, 1, 1, 1],
      [1, 1],
    ],
    [
      [2, 3, 4, 6],
      [2, 3],
    ],
    [
      [2, 5, 7],
      [1, 1],
    ],
    [
      [1, 2, 7, 5],
      [3, 2],
    ],
    [
      [2, 3, 2],
      [5, 3],
    ],
    [
      [0, 2, 3, 3],
      [2, 2],
    ],
    [[2, 3, 10], [4]],
    [[3, 6], [3]],
  ] as const
).map(([x, outputSize]) => ({ x: x as Shape, attrs: { outputSize } }));

type Slides = Omit<MaxPool, 'dilation'> & {
  readonly dilation?: readonly number[];
  readonly countIncludePad?: boolean;
  readonly divisorOverride?: number | null;
};
function slidingOver(shape: Shape, attrs: Slides): Pooling {
  const pooled = attrs.kernelSize.length;
  const axes = attrs.kernelSize.map((kernel, d) =>
    axis(
      shape.at(d - pooled) as number,
      kernel,
      attrs.stride[d],
      attrs.padding[d],
      attrs.dilation?.[d] ?? 1,
      attrs.ceilMode,
    ),
  );
  const [rows = axis(1, 1), cols] = pooled === 1 ? [undefined, axes[0]] : axes;
  return {
    rows,
    cols: cols as typeof rows,
    countPadding: attrs.countIncludePad ?? true,
    divisor: attrs.divisorOverride ?? 0,
  };
}
function adaptiveOver(shape: Shape, { outputSize }: { readonly outputSize: readonly number[] }): Pooling {
  const axes = outputSize.map((windows, d) => adaptive(shape.at(d - outputSize.length) as number, windows));
  const [rows = adaptive(1, 1), cols] = axes.length === 1 ? [undefined, axes[0]] : axes;
  return { rows, cols: cols as typeof rows };
}

const pooledOf = (
  attrs: { readonly kernelSize: readonly number[] } | { readonly outputSize: readonly number[] },
): number => ('kernelSize' in attrs ? attrs.kernelSize.length : attrs.outputSize.length);
const resultShape = (shape: Shape, { rows, cols }: Pooling, pooled: number): number[] => [
  ...shape.slice(0, -pooled),
  ...(pooled === 1 ? [] : [rows.windows]),
  cols.windows,
];

/** f of every window of every plane: the plane's first position, the window's positions in it, and its divisor. */
function pool(
  shape: Shape,
  pooling: Pooling,
  pooled: number,
  f: (plane: number, positions: readonly number[], divisor: number) => number,
): Nd {
  const values: number[] = [];
  const size = numelOf(shape.slice(-pooled));
  for (let plane = 0; plane < numelOf(shape); plane += size)
    eachWindow(pooling, (positions, divisor) => values.push(f(plane, positions, divisor)));
  return nd(resultShape(shape, pooling, pooled), values);
}
const maxima = (x: Nd, pooling: Pooling, pooled: number, what: 0 | 1): Nd =>
  pool(x.shape, pooling, pooled, (plane, positions) => largest(x.data.subarray(plane), positions)[what]);
const means = (x: Nd, pooling: Pooling, pooled: number): Nd =>
  pool(
    x.shape,
    pooling,
    pooled,
    (plane, positions, divisor) => positions.reduce((sum, at) => sum + (x.data[plane + at] as number), 0) / divisor,
  );
/** Each window gives its gradient, divided, to its elements. */
function meansBackward(g: Nd, shape: Shape, pooling: Pooling, pooled: number): Nd {
  const dx = nd(shape, new Float64Array(numelOf(shape)));
  let o = 0;
  pool(shape, pooling, pooled, (plane, positions, divisor) => {
    for (const at of positions) dx.data[plane + at] = (dx.data[plane + at] as number) + (g.data[o] as number) / divisor;
    return o++;
  });
  return dx;
}

const EXACT = { relative: 0 };
const CLOSE = { relative: 1e-6, absolute: 1e-6 };
const x45 = f32([1, 4, 5]);
const two = attrsOf({ x: [], kernelSize: 2 });

/** What all windows check; `dilation` or what else the attributes need is in `more`. */
const windowErrors = (op: string, name: string, attrs: Slides): Bad[] => [
  dtypeError([i32([1, 4, 5])], attrs, new RegExp(`^${op}: expected dtype f32, got i32`)),
  dtypeError([u8([1, 4, 5])], attrs, new RegExp(`^${op}: expected dtype f32, got u8`)),
  shapeError(
    [f32([4, 5])],
    attrs,
    new RegExp(`^${name}2d: expected input \\[n, channels, height, width\\], with or without n, got \\[4, 5\\]`),
  ),
  shapeError([f32([1, 1, 1, 4, 5])], attrs, new RegExp(`^${name}2d: expected input`)),
  shapeError(
    [f32([1, 1, 5])],
    attrs,
    new RegExp(
      `^${name}2d: expected windows that fit the padded input, got kernelSize \\[2, 2\\] over \\[2, 2\\] elements for input \\[1, 1, 5\\]`,
    ),
  ),
  shapeError([f32([2, 0, 4])], attrs, new RegExp(`^${name}2d: expected windows that fit`)),
  argumentError(
    [x45],
    { ...attrs, kernelSize: [2, 0] },
    new RegExp(`^${name}2d: expected kernelSize of 2 whole numbers >= 1, got \\[2, 0\\]`),
  ),
  argumentError(
    [x45],
    { ...attrs, stride: [2] },
    new RegExp(`^${name}2d: expected stride of 2 whole numbers >= 1, got \\[2\\]`),
  ),
  argumentError(
    [x45],
    { ...attrs, stride: [2, 1.5] },
    new RegExp(`^${name}2d: expected stride of 2 whole numbers >= 1, got \\[2, 1.5\\]`),
  ),
  argumentError(
    [x45],
    { ...attrs, padding: [0, -1] },
    new RegExp(`^${name}2d: expected padding of 2 whole numbers >= 0, got \\[0, -1\\]`),
  ),
  argumentError(
    [x45],
    { ...attrs, padding: [1, 2] },
    new RegExp(`^${name}2d: expected padding of at most half the kernelSize \\[2, 2\\], got \\[1, 2\\]`),
  ),
  argumentError([{ raw: [1] }], attrs, new RegExp(`^${op}: expected a tensor as argument 1, got object`)),
];
const maxErrors = (op: string): [Bad, Bad, Bad, ...Bad[]] => [
  ...(windowErrors(op, 'maxPool', two) as [Bad, Bad, Bad]),
  argumentError(
    [x45],
    { ...two, dilation: [0, 1] },
    /^maxPool2d: expected dilation of 2 whole numbers >= 1, got \[0, 1\]/,
  ),
  shapeError(
    [f32([1, 4])],
    { ...attrsOf({ x: [], kernelSize: 2, pooled: 1 }), stride: [1], padding: [1], dilation: [5] },
    /^maxPool1d: expected every window to reach the input, got dilation \[5\] and padding \[1\]/,
  ),
];
const adaptiveErrors = (op: string): [Bad, Bad, Bad, ...Bad[]] => [
  dtypeError([i32([1, 4, 5])], { outputSize: [2, 2] }, new RegExp(`^${op}: expected dtype f32, got i32`)),
  shapeError(
    [f32([4, 5])],
    { outputSize: [2, 2] },
    /Pool2d: expected input \[n, channels, height, width\], with or without n, got \[4, 5\]/,
  ),
  shapeError(
    [f32([2])],
    { outputSize: [2] },
    /Pool1d: expected input \[n, channels, length\], with or without n, got \[2\]/,
  ),
  argumentError([x45], { outputSize: [2, 0] }, /Pool2d: expected outputSize of 2 whole numbers >= 1, got \[2, 0\]/),
  shapeError([f32([1, 0, 5])], { outputSize: [2, 2] }, /Pool2d: expected sizes of at least 1, got input \[1, 0, 5\]/),
];
const g22 = f32([1, 2, 2]);
const avgTwo: AvgPool = { ...two, countIncludePad: true, divisorOverride: null };

export const poolCases: Cases<PoolOps> = {
  maxPool: {
    samples: maxSamples.map(({ x, attrs }) => ({ inputs: [f32(x, distinct())], attrs })),
    reference: ([x], attrs) => maxima(x, slidingOver(x.shape, attrs), pooledOf(attrs), 0),
    tolerance: EXACT,
    gradients: 'all',
    errors: maxErrors('maxPool'),
  },
  maxPoolIndices: {
    samples: maxSamples.map(({ x, attrs }) => ({ inputs: [f32(x)], attrs })),
    reference: ([x], attrs) => maxima(x, slidingOver(x.shape, attrs), pooledOf(attrs), 1),
    dtype: 'i32',
    tolerance: EXACT,
    gradients: 'none',
    errors: maxErrors('maxPoolIndices'),
  },
  adaptiveMaxPool: {
    samples: adaptiveSamples.map(({ x, attrs }) => ({ inputs: [f32(x, distinct())], attrs })),
    reference: ([x], attrs) => maxima(x, adaptiveOver(x.shape, attrs), pooledOf(attrs), 0),
    tolerance: EXACT,
    gradients: 'all',
    errors: adaptiveErrors('adaptiveMaxPool'),
  },
  adaptiveMaxPoolIndices: {
    samples: adaptiveSamples.map(({ x, attrs }) => ({ inputs: [f32(x)], attrs })),
    reference: ([x], attrs) => maxima(x, adaptiveOver(x.shape, attrs), pooledOf(attrs), 1),
    dtype: 'i32',
    tolerance: EXACT,
    gradients: 'none',
    errors: adaptiveErrors('adaptiveMaxPoolIndices'),
  },
  maxPoolBackward: {
    samples: maxSamples.map(({ x, attrs }): Sample<'maxPoolBackward'> => {
      const pooled = pooledOf(attrs);
      const pooling = slidingOver(x, attrs);
      const shape = resultShape(x, pooling, pooled);
      const size = numelOf(x.slice(-pooled));
      // Positions that windows share.
      const places = from((g) =>
        nd(
          g.shape,
          g.data.map((_, i) => (i * i) % size),
        ),
      );
      return { inputs: [f32(shape), i32(shape, places)], attrs: { shape: x, pooled } };
    }),
    reference: ([g, index], { shape, pooled }) => {
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
    gradients: [true, false],
    errors: [
      dtypeError(
        [i32([1, 2, 2]), i32([1, 2, 2])],
        { shape: [1, 4, 5], pooled: 2 },
        /^maxPoolBackward: expected dtype f32, got i32/,
      ),
      dtypeError([g22, g22], { shape: [1, 4, 5], pooled: 2 }, /^maxPoolBackward: expected dtype i32, got f32/),
      shapeError(
        [g22, i32([1, 2, 3])],
        { shape: [1, 4, 5], pooled: 2 },
        /^maxPoolBackward: expected the gradient of shape \[1, 2, 3\], got \[1, 2, 2\]/,
      ),
      shapeError(
        [g22, i32([1, 2, 2])],
        { shape: [2, 4, 5], pooled: 2 },
        /^maxPoolBackward: expected a gradient that begins as \[2, 4, 5\] does, got \[1, 2, 2\]/,
      ),
    ],
  },
  avgPool: {
    samples: avgSamples.map(({ x, attrs }) => ({ inputs: [f32(x)], attrs })),
    reference: ([x], attrs) => means(x, slidingOver(x.shape, attrs), pooledOf(attrs)),
    tolerance: CLOSE,
    gradients: 'all',
    errors: [
      ...(windowErrors('avgPool', 'avgPool', avgTwo) as [Bad, Bad, Bad]),
      argumentError(
        [x45],
        { ...avgTwo, divisorOverride: 0 },
        /^avgPool2d: expected divisorOverride to be a whole number but 0, got 0/,
      ),
      argumentError(
        [x45],
        { ...avgTwo, divisorOverride: 1.5 },
        /^avgPool2d: expected divisorOverride to be a whole number but 0, got 1.5/,
      ),
    ],
  },
  avgPoolBackward: {
    samples: avgSamples.map(({ x, attrs }) => ({
      inputs: [f32(resultShape(x, slidingOver(x, attrs), pooledOf(attrs)))],
      attrs: { ...attrs, shape: x },
    })),
    reference: ([g], { shape, ...attrs }) => meansBackward(g, shape, slidingOver(shape, attrs), pooledOf(attrs)),
    tolerance: CLOSE,
    gradients: 'all',
    errors: [
      dtypeError([i32([1, 2, 2])], { ...avgTwo, shape: [1, 4, 5] }, /^avgPoolBackward: expected dtype f32, got i32/),
      shapeError(
        [f32([1, 2, 3])],
        { ...avgTwo, shape: [1, 4, 5] },
        /^avgPoolBackward: expected the gradient of shape \[1, 2, 2\], got \[1, 2, 3\]/,
      ),
      argumentError(
        [{ raw: 1 }],
        { ...avgTwo, shape: [1, 4, 5] },
        /^avgPoolBackward: expected a tensor as argument 1, got number/,
      ),
    ],
  },
  adaptiveAvgPool: {
    samples: adaptiveSamples.map(({ x, attrs }) => ({ inputs: [f32(x)], attrs })),
    reference: ([x], attrs) => means(x, adaptiveOver(x.shape, attrs), pooledOf(attrs)),
    tolerance: CLOSE,
    gradients: 'all',
    errors: adaptiveErrors('adaptiveAvgPool'),
  },
  adaptiveAvgPoolBackward: {
    samples: adaptiveSamples.map(({ x, attrs }) => ({
      inputs: [f32([...x.slice(0, -pooledOf(attrs)), ...attrs.outputSize])],
      attrs: { ...attrs, shape: x },
    })),
    reference: ([g], { shape, ...attrs }) => meansBackward(g, shape, adaptiveOver(shape, attrs), pooledOf(attrs)),
    tolerance: CLOSE,
    gradients: 'all',
    errors: [
      dtypeError(
        [i32([1, 2, 2])],
        { outputSize: [2, 2], shape: [1, 4, 5] },
        /^adaptiveAvgPoolBackward: expected dtype f32, got i32/,
      ),
      shapeError(
        [f32([1, 2, 3])],
        { outputSize: [2, 2], shape: [1, 4, 5] },
        /^adaptiveAvgPoolBackward: expected the gradient of shape \[1, 2, 2\], got \[1, 2, 3\]/,
      ),
      argumentError(
        [{ raw: 1 }],
        { outputSize: [2, 2], shape: [1, 4, 5] },
        /^adaptiveAvgPoolBackward: expected a tensor as argument 1, got number/,
      ),
    ],
  },
};
