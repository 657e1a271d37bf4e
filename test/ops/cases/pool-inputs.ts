// Inputs and references of the pools.
import type { AvgPool, MaxPool } from '../../../bindings/ops/pool.ts';
import { numelOf, type Shape } from '../../../bindings/tensor.ts';
import { type Nd, nd } from '../../../reference/nd.ts';
import { adaptive, axis, eachWindow, largest, type Pooling } from '../../../reference/pool.ts';

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
  { x: [3, 7], kernelSize: 2, pooled: 1 },
  { x: [1, 17], kernelSize: 5, stride: 1, padding: 2, pooled: 1 },
];
const dilated: readonly Example[] = [
  { x: [1, 2, 7, 9], kernelSize: 2, dilation: 3, stride: 1, padding: 1 },
  { x: [2, 8, 8], kernelSize: 3, dilation: 2, stride: 2, padding: 1, ceilMode: true },
  { x: [2, 12], kernelSize: 3, dilation: 4, stride: 1, pooled: 1 },
];

export function attrsOf({
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
export const maxSamples = [...plain, ...dilated].map((example) => ({ x: example.x, attrs: attrsOf(example) }));
export const avgSamples = plain.flatMap((example) => {
  const { dilation: _, ...attrs } = attrsOf(example);
  const ways: AvgPool[] = [
    { ...attrs, countIncludePad: true, divisorOverride: null },
    { ...attrs, countIncludePad: false, divisorOverride: null },
    { ...attrs, countIncludePad: true, divisorOverride: -3 },
  ];
  return ways.map((way) => ({ x: example.x, attrs: way }));
});
/** Inputs and the sizes of their results; the last dims of both are pooled. */
export const adaptiveSamples = (
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
    [[2, 3, 8], [5]],
    [[3, 6], [3]],
  ] as const
).map(([x, outputSize]) => ({ x: x as Shape, attrs: { outputSize } }));

export type Slides = Omit<MaxPool, 'dilation'> & {
  readonly dilation?: readonly number[];
  readonly countIncludePad?: boolean;
  readonly divisorOverride?: number | null;
};
export function slidingOver(shape: Shape, attrs: Slides): Pooling {
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
export function adaptiveOver(shape: Shape, { outputSize }: { readonly outputSize: readonly number[] }): Pooling {
  const axes = outputSize.map((windows, d) => adaptive(shape.at(d - outputSize.length) as number, windows));
  const [rows = adaptive(1, 1), cols] = axes.length === 1 ? [undefined, axes[0]] : axes;
  return { rows, cols: cols as typeof rows };
}

export const pooledOf = (
  attrs: { readonly kernelSize: readonly number[] } | { readonly outputSize: readonly number[] },
): number => ('kernelSize' in attrs ? attrs.kernelSize.length : attrs.outputSize.length);
export const resultShape = (shape: Shape, { rows, cols }: Pooling, pooled: number): number[] => [
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
export const maxima = (x: Nd, pooling: Pooling, pooled: number, what: 0 | 1): Nd =>
  pool(x.shape, pooling, pooled, (plane, positions) => largest(x.data.subarray(plane), positions)[what]);
export const means = (x: Nd, pooling: Pooling, pooled: number): Nd =>
  pool(
    x.shape,
    pooling,
    pooled,
    (plane, positions, divisor) => positions.reduce((sum, at) => sum + (x.data[plane + at] as number), 0) / divisor,
  );
/** Each window gives its gradient, divided, to its elements. */
export function meansBackward(g: Nd, shape: Shape, pooling: Pooling, pooled: number): Nd {
  const dx = nd(shape, new Float64Array(numelOf(shape)));
  let o = 0;
  pool(shape, pooling, pooled, (plane, positions, divisor) => {
    for (const at of positions) dx.data[plane + at] = (dx.data[plane + at] as number) + (g.data[o] as number) / divisor;
    return o++;
  });
  return dx;
}
