// Cases of resampling along a dim, of grids, and of unpooling.
import { at, build, forEachIndex, type Nd, nd, numelOf } from '../../../reference/nd.ts';
import {
  type AttrsOf,
  argumentError,
  type Bad,
  type Cases,
  dtypeError,
  type Fill,
  f32,
  i32,
  list,
  shapeError,
  whole,
} from './types.ts';

type Resample = AttrsOf<'resample'>;
const CLOSE = { relative: 1e-5, absolute: 2e-6 };
const clamped = (i: number, n: number): number => Math.min(Math.max(i, 0), n - 1);
/** Keys' cubic convolution. */
const cubic = (x: number, a: number): number => {
  const d = Math.abs(x);
  if (d <= 1) return (a + 2) * d ** 3 - (a + 3) * d ** 2 + 1;
  return d < 2 ? a * (d ** 3 - 5 * d ** 2 + 8 * d - 4) : 0;
};

/** What result o takes: positions and weights. */
function takes(n: number, { size, mode, align, step }: Resample, o: number): [i: number, w: number][] {
  const scale = align ? (size > 1 ? (n - 1) / (size - 1) : 0) : step > 0 ? Math.fround(step) : n / size;
  const middle = (o + 0.5) * scale;
  if (mode === 'nearest') return [[Math.min(Math.floor(o * scale), n - 1), 1]];
  if (mode === 'nearest-exact') return [[Math.min(Math.floor(middle), n - 1), 1]];
  if (mode === 'linear') {
    const source = Math.min(align ? o * scale : Math.max(middle - 0.5, 0), n - 1);
    return Array.from({ length: n }, (_, i) => [i, Math.max(1 - Math.abs(i - source), 0)]);
  }
  if (mode === 'cubic') {
    const source = align ? o * scale : middle - 0.5;
    const first = Math.floor(source) - 1;
    return [0, 1, 2, 3].map((k) => [clamped(first + k, n), cubic(source - first - k, -0.75)]);
  }
  const longer = Math.max(scale, 1);
  const support = (mode === 'smooth linear' ? 1 : 2) * longer;
  const from = Math.max(Math.trunc(middle - support + 0.5), 0);
  const to = Math.min(Math.trunc(middle + support + 0.5), n);
  const weight = (d: number): number => (mode === 'smooth linear' ? Math.max(1 - Math.abs(d), 0) : cubic(d, -0.5));
  const all = Array.from({ length: to - from }, (_, k): [number, number] => [
    from + k,
    weight((from + k - middle + 0.5) / longer),
  ]);
  const total = all.reduce((sum, [, w]) => sum + w, 0);
  return all.map(([i, w]) => [i, w / total]);
}

const plain = { align: false, step: 0 } as const;
const resamples: readonly (readonly [x: readonly number[], Resample])[] = [
  [[1], { ...plain, dim: 0, size: 3, mode: 'linear' }],
  [[3], { ...plain, dim: 0, size: 1, mode: 'linear', align: true }],
  [[2, 5], { ...plain, dim: 1, size: 9, mode: 'nearest' }],
  [[2, 7], { ...plain, dim: 1, size: 4, mode: 'nearest-exact' }],
  [[3, 4, 2], { ...plain, dim: 1, size: 7, mode: 'nearest' }],
  [[2, 5, 3], { ...plain, dim: 1, size: 8, mode: 'linear' }],
  [[5, 6], { ...plain, dim: 0, size: 3, mode: 'linear', align: true }],
  [[2, 5], { ...plain, dim: 1, size: 8, mode: 'linear', step: 0.6 }],
  [[2, 6], { ...plain, dim: 1, size: 11, mode: 'cubic' }],
  [[2, 3, 17], { ...plain, dim: 1, size: 5, mode: 'cubic', align: true }],
  [[9, 2], { ...plain, dim: 0, size: 4, mode: 'smooth linear' }],
  [[2, 13], { ...plain, dim: 1, size: 5, mode: 'smooth cubic' }],
  [[2, 3], { ...plain, dim: 1, size: 7, mode: 'smooth cubic', align: true }],
  [[0, 3], { ...plain, dim: 1, size: 5, mode: 'linear' }],
  [[2, 5, 4], { ...plain, dim: 1, size: 8, mode: 'linear' }],
  [[2, 4, 8], { ...plain, dim: 1, size: 3, mode: 'smooth cubic' }],
  [[67, 9], { ...plain, dim: 1, size: 17, mode: 'linear' }],
];
const sized = (x: readonly number[], { dim, size }: Resample): number[] => x.map((n, d) => (d === dim ? size : n));
const resampled = (x: Nd, attrs: Resample): Nd =>
  build(sized(x.shape, attrs), (index) =>
    takes(x.shape[attrs.dim] as number, attrs, index[attrs.dim] as number).reduce(
      (sum, [i, w]) => sum + w * at(x, index.with(attrs.dim, i)),
      0,
    ),
  );
const place = (shape: readonly number[], index: readonly number[]): number =>
  index.reduce((sum, i, d) => sum * (shape[d] as number) + i, 0);
const added = (x: Nd, p: number, v: number): void => {
  x.data[p] = (x.data[p] as number) + v;
};
function resampledBack(g: Nd, shape: readonly number[], attrs: Resample): Nd {
  const dx = nd(shape, new Float64Array(numelOf(shape)));
  forEachIndex(g.shape, (index) => {
    for (const [i, w] of takes(shape[attrs.dim] as number, attrs, index[attrs.dim] as number))
      added(dx, place(shape, index.with(attrs.dim, i)), w * at(g, index));
  });
  return dx;
}
const linear: Resample = { ...plain, dim: 0, size: 5, mode: 'linear' };

type Grid = AttrsOf<'gridSample'>;
const grids: readonly (readonly [x: readonly number[], points: readonly number[], Grid])[] = [
  [[1, 1, 1, 1], [1, 1], { mode: 'bilinear', padding: 'zeros', align: false }],
  [[2, 3, 4, 5], [2, 3], { mode: 'bilinear', padding: 'zeros', align: false }],
  [[1, 2, 4, 3], [3, 3], { mode: 'bilinear', padding: 'border', align: true }],
  [[2, 1, 3, 4], [1, 17], { mode: 'bilinear', padding: 'reflection', align: false }],
  [[1, 2, 3, 4], [5, 2], { mode: 'bilinear', padding: 'reflection', align: true }],
  [[1, 2, 3, 4], [5, 2], { mode: 'nearest', padding: 'zeros', align: false }],
  [[2, 2, 3, 4], [2, 2], { mode: 'nearest', padding: 'reflection', align: true }],
  [[1, 2, 4, 5], [3, 2], { mode: 'bicubic', padding: 'zeros', align: false }],
  [[1, 2, 3, 4], [3, 3], { mode: 'bicubic', padding: 'border', align: true }],
  [[2, 1, 4, 4], [3, 2], { mode: 'bicubic', padding: 'reflection', align: false }],
  [[2, 2, 2, 3, 4], [2, 1, 3], { mode: 'bilinear', padding: 'zeros', align: true }],
  [[1, 3, 3, 2, 3], [2, 2, 3], { mode: 'nearest', padding: 'border', align: false }],
  [[1, 2, 3, 2, 3], [2, 2, 2], { mode: 'bilinear', padding: 'reflection', align: false }],
  [[1, 2, 3, 5], [1, 7], { mode: 'bilinear', padding: 'zeros', align: false }],
  [[1, 3, 3, 5], [3, 1], { mode: 'bicubic', padding: 'zeros', align: true }],
  [[0, 2, 3, 4], [2, 2], { mode: 'bilinear', padding: 'zeros', align: false }],
];
const gridShape = (x: readonly number[], points: readonly number[]): number[] => [
  x[0] as number,
  ...points,
  x.length - 2,
];
/** Points that lie apart from all elements, from the middles between them, and from the edges. */
const between =
  (x: readonly number[], align: boolean): Fill =>
  (n, next) =>
    Array.from({ length: n }, (_, i) => {
      const size = x.at(-1 - (i % (x.length - 2))) as number;
      const position = Math.floor((size + 2) * next()) - 1 + 0.12 + 0.25 * next();
      if (align) return size > 1 ? (2 * position) / (size - 1) - 1 : 0.3;
      return (2 * position + 1) / size - 1;
    });

/** What a coordinate takes along an axis. */
function looks(coordinate: number, size: number, { mode, padding, align }: Grid): [i: number, w: number][] {
  let v = align ? ((coordinate + 1) / 2) * (size - 1) : ((coordinate + 1) * size - 1) / 2;
  const [low, high] = align ? [0, size - 1] : [-0.5, size - 0.5];
  const inside = (p: number): number => {
    let q = p;
    if (padding === 'reflection') {
      if (high === low) q = 0;
      else while (q < low || q > high) q = q < low ? 2 * low - q : 2 * high - q;
    }
    return padding === 'zeros' ? q : Math.min(Math.max(q, 0), size - 1);
  };
  const all: [number, number][] = [];
  const floor = Math.floor(v);
  if (mode === 'bicubic') for (let i = floor - 1; i < floor + 3; i++) all.push([inside(i), cubic(v - i, -0.75)]);
  else {
    v = inside(v);
    if (mode === 'nearest') all.push([Math.round(v), 1]);
    else for (const i of [Math.floor(v), Math.floor(v) + 1]) all.push([i, 1 - Math.abs(v - i)]);
  }
  return all.filter(([i]) => i >= 0 && i < size);
}
/** Every element of an image that a point takes, and its weight. */
function taken(size: readonly number[], point: readonly number[], attrs: Grid): [position: number, w: number][] {
  return size.reduce<[number, number][]>(
    (all, n, d) =>
      all.flatMap(([p, w]) =>
        looks(point[size.length - 1 - d] as number, n, attrs).map(([i, more]): [number, number] => [
          p * n + i,
          w * more,
        ]),
      ),
    [[0, 1]],
  );
}
const pointOf = (grid: Nd, n: number, p: readonly number[]): number[] =>
  Array.from({ length: grid.shape.at(-1) as number }, (_, a) => at(grid, [n, ...p, a]));
function sampled(x: Nd, grid: Nd, attrs: Grid): Nd {
  const size = x.shape.slice(2);
  const shape = [...x.shape.slice(0, 2), ...grid.shape.slice(1, -1)];
  return build(shape, ([n, c, ...p]) => {
    const base = ((n as number) * (x.shape[1] as number) + (c as number)) * numelOf(size);
    const all = taken(size, pointOf(grid, n as number, p), attrs);
    return all.reduce((sum, [i, w]) => sum + w * (x.data[base + i] as number), 0);
  });
}
function sampledBack(g: Nd, grid: Nd, shape: readonly number[], attrs: Grid): Nd {
  const dx = nd(shape, new Float64Array(numelOf(shape)));
  const size = shape.slice(2);
  forEachIndex(g.shape, ([n, c, ...p]) => {
    const base = ((n as number) * (shape[1] as number) + (c as number)) * numelOf(size);
    for (const [i, w] of taken(size, pointOf(grid, n as number, p), attrs))
      added(dx, base + i, w * at(g, [n as number, c as number, ...p]));
  });
  return dx;
}
/** By differences in f64. */
function gridBack(g: Nd, x: Nd, grid: Nd, attrs: Grid): Nd {
  const H = 1e-6;
  const side = (index: readonly number[], h: number): Nd => {
    const moved = nd(grid.shape, grid.data);
    added(moved, place(grid.shape, index), h);
    return sampled(x, moved, attrs);
  };
  return build(grid.shape, (index) => {
    const [high, low] = [side(index, H), side(index, -H)];
    return g.data.reduce((sum, v, i) => sum + v * ((high.data[i] as number) - (low.data[i] as number)), 0) / (2 * H);
  });
}
const bilinear: Grid = { mode: 'bilinear', padding: 'zeros', align: false };
const gridErrors = (op: string, inputs: Bad['inputs'], attrs: object): [Bad, Bad, Bad, ...Bad[]] => [
  dtypeError({ ...inputs, grid: i32([1, 2, 2, 2]) }, attrs, new RegExp(`^${op}: expected dtype f32, got i32`)),
  shapeError(
    { ...inputs, grid: f32([1, 2, 2, 3]) },
    attrs,
    new RegExp(`^${op}: expected a grid \\[1, …, …, 2\\] for input \\[1, 1, 3, 3\\], got \\[1, 2, 2, 3\\]`),
  ),
  shapeError({ ...inputs, grid: f32([2, 2, 2, 2]) }, attrs, new RegExp(`^${op}: expected a grid`)),
];

const unpools: readonly (readonly [shape: readonly number[], windows: readonly number[], pooled: number])[] = [
  [[1, 1], [1, 1], 1],
  [[2, 5], [2, 3], 1],
  [[2, 3, 4, 5], [2, 3, 2, 2], 2],
  [[1, 2, 3, 2, 3], [1, 2, 1, 1, 2], 3],
  [[0, 2, 3, 3], [0, 2, 1, 1], 2],
  [[2, 7], [2, 3], 1],
  [[67, 9], [67, 4], 1],
];

export const resampleCases = {
  resample: {
    samples: resamples.map(([x, attrs]) => ({ inputs: { x: f32(x) }, attrs })),
    reference: ({ x }, attrs) => resampled(x, attrs),
    tolerance: CLOSE,
    gradients: 'all',
    errors: [
      dtypeError({ x: i32([3]) }, linear, /^resample: expected dtype f32, got i32/),
      shapeError({ x: f32([3]) }, { ...linear, dim: 1 }, /^resample: expected dim from -1 to 0, got 1/),
      shapeError({ x: f32([0]) }, linear, /^resample: expected at least 1 element along dim 0, got \[0\]/),
      argumentError({ x: f32([3]) }, { ...linear, size: 0 }, /^resample: expected a size of at least 1 along dim 0/),
      argumentError({ x: f32([3]) }, { ...linear, step: -1 }, /^resample: expected a scale above 0, got -1/),
      argumentError(
        { x: f32([9000]) },
        { ...linear, size: 1, mode: 'smooth linear' },
        /^resample: expected at most 4096 elements for a result that is anti-aliased, got 9000 for 1/,
      ),
    ],
  },
  resampleBackward: {
    samples: resamples.map(([x, attrs]) => ({ inputs: { g: f32(sized(x, attrs)) }, attrs: { ...attrs, shape: x } })),
    reference: ({ g }, { shape, ...attrs }) => resampledBack(g, shape, attrs),
    tolerance: CLOSE,
    gradients: 'all',
    errors: [
      dtypeError({ g: i32([5]) }, { ...linear, shape: [3] }, /^resampleBackward: expected dtype f32, got i32/),
      shapeError({ g: f32([4]) }, { ...linear, shape: [3] }, /^resampleBackward: expected the gradient of shape \[5\]/),
      shapeError({ g: f32([5]) }, { ...linear, shape: [0] }, /^resampleBackward: expected at least 1 element/),
    ],
  },
  gridSample: {
    samples: grids.map(([x, points, attrs]) => ({
      inputs: { x: f32(x), grid: f32(gridShape(x, points), between(x, attrs.align)) },
      attrs,
    })),
    reference: ({ x, grid }, attrs) => sampled(x, grid, attrs),
    tolerance: CLOSE,
    gradients: 'all',
    gradientTolerance: 2e-4,
    second: 'throws',
    errors: [
      ...gridErrors('gridSample', { x: f32([1, 1, 3, 3]) }, bilinear),
      shapeError({ x: f32([1, 3, 3]), grid: f32([1, 2, 1]) }, bilinear, /^gridSample: expected input \[n, channels/),
      shapeError({ x: f32([1, 1, 0, 3]), grid: f32([1, 2, 2, 2]) }, bilinear, /^gridSample: expected images of at/),
      argumentError(
        { x: f32([1, 1, 2, 3, 3]), grid: f32([1, 2, 2, 2, 3]) },
        { ...bilinear, mode: 'bicubic' },
        /^gridSample: expected mode 'bilinear' or 'nearest' for input of 5 dims, got 'bicubic'/,
      ),
    ],
  },
  gridSampleBackwardInput: {
    samples: grids.map(([x, points, attrs]) => ({
      inputs: {
        g: f32([...x.slice(0, 2), ...points]),
        grid: f32(gridShape(x, points), between(x, attrs.align)),
      },
      attrs: { ...attrs, shape: x },
    })),
    reference: ({ g, grid }, { shape, ...attrs }) => sampledBack(g, grid, shape, attrs),
    tolerance: CLOSE,
    gradients: { g: 'throws', grid: 'throws' },
    errors: [
      ...gridErrors('gridSampleBackwardInput', { g: f32([1, 1, 2, 2]) }, { ...bilinear, shape: [1, 1, 3, 3] }),
      shapeError(
        { g: f32([1, 1, 2, 3]), grid: f32([1, 2, 2, 2]) },
        { ...bilinear, shape: [1, 1, 3, 3] },
        /^gridSampleBackwardInput: expected the gradient of shape \[1, 1, 2, 2\], got/,
      ),
    ],
  },
  gridSampleBackwardGrid: {
    samples: grids.map(([x, points, attrs]) => ({
      inputs: {
        g: f32([...x.slice(0, 2), ...points]),
        x: f32(x),
        grid: f32(gridShape(x, points), between(x, attrs.align)),
      },
      attrs,
    })),
    reference: ({ g, x, grid }, attrs) => gridBack(g, x, grid, attrs),
    tolerance: { relative: 1e-4, absolute: 2e-5 },
    gradients: { g: 'throws', x: 'throws', grid: 'throws' },
    errors: [
      ...gridErrors('gridSampleBackwardGrid', { g: f32([1, 1, 2, 2]), x: f32([1, 1, 3, 3]) }, bilinear),
      shapeError(
        { g: f32([1, 2, 2, 2]), x: f32([1, 1, 3, 3]), grid: f32([1, 2, 2, 2]) },
        bilinear,
        /^gridSampleBackwardGrid: expected the gradient of shape \[1, 1, 2, 2\], got/,
      ),
    ],
  },
  maxUnpool: {
    samples: unpools.map(([shape, windows, pooled]) => ({
      inputs: { x: f32(windows), index: i32(windows, distinctIn(shape, windows, pooled)) },
      attrs: { shape, pooled },
    })),
    reference: ({ x, index }, { shape, pooled }) => {
      const y = nd(shape, new Float64Array(numelOf(shape)));
      const [plane, windows] = [numelOf(shape.slice(-pooled)), numelOf(x.shape.slice(-pooled))];
      x.data.forEach((v, i) => {
        y.data[Math.floor(i / windows) * plane + (index.data[i] as number)] = v;
      });
      return y;
    },
    tolerance: { relative: 0 },
    gradients: { x: true, index: false },
    errors: [
      dtypeError(
        { x: f32([1, 2]), index: f32([1, 2]) },
        { shape: [1, 4], pooled: 1 },
        /^maxUnpool: expected dtype i32/,
      ),
      shapeError(
        { x: f32([1, 2]), index: i32([1, 3], list(0)) },
        { shape: [1, 4], pooled: 1 },
        /^maxUnpool: expected indices of shape \[1, 2\], got \[1, 3\]/,
      ),
      shapeError(
        { x: f32([1, 2]), index: i32([1, 2], list(0)) },
        { shape: [2, 4], pooled: 1 },
        /^maxUnpool: expected a result that begins as \[1, 2\] does, got \[2, 4\]/,
      ),
      argumentError(
        { x: f32([1, 2]), index: i32([1, 2], list(0, 4)) },
        { shape: [1, 4], pooled: 1 },
        /^maxUnpool: expected indices from 0 to 3 for a result of \[1, 4\], got 4 at position 1/,
      ),
      argumentError(
        { x: f32([1, 2]), index: i32([1, 2], whole(-2, -1)) },
        { shape: [1, 4], pooled: 1 },
        /^maxUnpool: expected indices from 0 to 3/,
      ),
    ],
  },
} satisfies Cases;

/** Other places for each window of a plane, so that none is written twice. */
function distinctIn(shape: readonly number[], windows: readonly number[], pooled: number): Fill {
  const [plane, count] = [numelOf(shape.slice(-pooled)), numelOf(windows.slice(-pooled))];
  return (n) =>
    Array.from({ length: n }, (_, i) => (Math.floor(((i % count) * plane) / count) + Math.floor(i / count)) % plane);
}
