// The pooling kernels against their definition, window by window in f64: every stride and edge that has a path of its own.
import { describe, expect, it } from 'vitest';
import { builds, KernelBench } from '../support/kernels.ts';

/** One axis as kernels take it. `windows` is what the other fields give, or the count itself where the axis is adaptive. */
interface Axis {
  size: number;
  windows: number;
  kernel: number;
  stride: number;
  padding: number;
  dilation: number;
}

/** PyTorch's number of windows; with `ceil`, one that starts on the axis or the padding before it may hang over. */
function axis(size: number, kernel: number, stride = kernel, padding = 0, dilation = 1, ceil = false): Axis {
  const room = size + 2 * padding - dilation * (kernel - 1) - 1;
  let windows = (ceil ? Math.ceil(room / stride) : Math.floor(room / stride)) + 1;
  if (ceil && (windows - 1) * stride >= size + padding) windows--;
  return { size, windows, kernel, stride, padding, dilation };
}
const adaptive = (size: number, windows: number): Axis => ({ size, windows, kernel: 0, stride: 1, padding: 0, dilation: 1 });

/** A window of one axis: the positions it has, and how many of them the padding makes. */
interface Window {
  positions: number[];
  counted: number;
}

function windowsOf({ size, windows, kernel, stride, padding, dilation }: Axis): Window[] {
  return Array.from({ length: windows }, (_, o) => {
    if (kernel === 0) {
      const start = Math.floor((o * size) / windows);
      const positions = Array.from({ length: Math.ceil(((o + 1) * size) / windows) - start }, (__, j) => start + j);
      return { positions, counted: positions.length };
    }
    const all = Array.from({ length: kernel }, (__, j) => o * stride - padding + j * dilation);
    return { positions: all.filter((at) => at >= 0 && at < size), counted: all.filter((at) => at < size + padding).length };
  });
}

interface Pooling {
  rows: Axis;
  cols: Axis;
  countPadding?: boolean;
  divisor?: number;
}
const dims = ({ rows, cols, countPadding = true, divisor = 0 }: Pooling): number[] => [
  ...[rows, cols].flatMap((a) => [a.size, a.windows, a.kernel, a.stride, a.padding, a.dilation]),
  Number(countPadding),
  divisor,
];

/** Calls `visit` for every window of one plane, with the positions of its elements in the plane and what a mean divides by. */
function eachWindow({ rows, cols, countPadding = true, divisor = 0 }: Pooling, visit: (positions: number[], divisor: number) => void): void {
  for (const r of windowsOf(rows))
    for (const c of windowsOf(cols)) {
      const positions = r.positions.flatMap((y) => c.positions.map((x) => y * cols.size + x));
      visit(positions, divisor || (countPadding ? r.counted * c.counted : positions.length));
    }
}

/** PyTorch's scan: what is greater, or NaN, takes the place of what was before. */
function largest(x: ArrayLike<number>, positions: number[]): [value: number, place: number] {
  let [value, place] = [Number.NEGATIVE_INFINITY, positions[0] as number];
  for (const at of positions) {
    const v = x[at] as number;
    if (v > value || Number.isNaN(v)) [value, place] = [v, at];
  }
  return [value, place];
}

const noise = (n: number, seed: number): Float32Array => Float32Array.from({ length: n }, (_, i) => 2 * Math.sin(seed + i * i * 1.37));
/** Few different numbers, so that windows have ties. */
const tied = (n: number, seed: number): Float32Array => noise(n, seed).map(Math.round);
const plane = ({ rows, cols }: Pooling): number => rows.size * cols.size;
const windowCount = ({ rows, cols }: Pooling): number => rows.windows * cols.windows;

/** Axes of width W, for every stride with a reader of its own, around a vector, with and without edges. */
const widths = [1, 2, 3, 4, 5, 7, 8, 9, 12, 15, 16, 17, 31, 33, 67];
const sliding = widths.flatMap((size) =>
  [
    [1, 1, 0, 1],
    [2, 1, 1, 1],
    [2, 2, 0, 1],
    [3, 1, 1, 1],
    [3, 2, 1, 1],
    [3, 3, 1, 1],
    [2, 3, 0, 1],
    [5, 4, 2, 1],
    [4, 1, 2, 1],
    [7, 2, 3, 1],
    [2, 1, 0, 3],
    [3, 2, 1, 2],
    [3, 4, 1, 3],
  ].flatMap(([kernel, stride, padding, dilation]) =>
    [false, true].map((ceil) => axis(size, kernel as number, stride, padding, dilation, ceil)),
  ),
);
/** Those whose every window has an element. */
const fits = (a: Axis): boolean => a.windows > 0 && windowsOf(a).every(({ positions }) => positions.length > 0);
const cuts = [[1, 1], [5, 1], [7, 3], [13, 6], [9, 9], [4, 7], [3, 11], [33, 5], [67, 2]].map(([size, windows]) => adaptive(size as number, windows as number));

/** Rows of a few kinds beside every kind of columns. */
const rowsOfKind = [axis(1, 1), axis(5, 2), axis(6, 3, 2, 1), axis(4, 3, 1, 1), axis(5, 3, 2, 1, 1, true)];
const dilatedRows = [axis(7, 3, 1, 1, 2), axis(9, 2, 3, 0, 4)];
const beside = (rows: Axis[], cols: Axis[]): Pooling[] => cols.filter(fits).map((c, i) => ({ rows: rows[i % rows.length] as Axis, cols: c }));
const maxima = [...beside([...rowsOfKind, ...dilatedRows], sliding), ...beside([axis(3, 3, 3, 1), axis(9, 9)], [axis(9, 9), axis(40, 32, 1), axis(67, 67), axis(50, 17, 16, 8)])];
const means: Pooling[] = maxima
  .filter(({ rows, cols }) => rows.dilation * cols.dilation === 1)
  .flatMap((pooling) => [pooling, { ...pooling, countPadding: false }, { ...pooling, divisor: 7 }]);
const uneven = cuts.flatMap((cols) => [adaptive(1, 1), adaptive(7, 3), adaptive(2, 5)].map((rows) => ({ rows, cols })));

const label = (pooling: Pooling): string => JSON.stringify(pooling);
const PLANES = 2;

describe.each(builds)('%s', (build) => {
  const bench = new KernelBench(build);

  function expectClose(got: Float32Array, expected: Float64Array, what: () => string): void {
    const worst = got.reduce((most, v, k) => Math.max(most, Math.abs(v - (expected[k] as number)) / (1 + Math.abs(expected[k] as number))), 0);
    if (!(worst < 2 ** -20)) expect(worst, what()).toBeLessThan(2 ** -20);
  }

  const maxPools = [
    ['max_pool_forward_f32', maxima],
    ['adaptive_max_pool_forward_f32', uneven],
  ] as const;
  it.each(maxPools)('%s is exact and places the first of equals', (kernel, poolings) => {
    for (const pooling of poolings)
      for (const make of [noise, tied]) {
        bench.reset();
        const [n, m] = [plane(pooling), windowCount(pooling)];
        const x = make(PLANES * n, 1);
        const [y, index, xp, dp] = [bench.f32(PLANES * m), bench.i32(PLANES * m), bench.f32(x), bench.i32(dims(pooling))];
        bench.run(kernel, y, index, xp, PLANES, dp);
        const expected: [number, number][] = [];
        for (let p = 0; p < PLANES; p++) eachWindow(pooling, (positions) => expected.push(largest(x.subarray(p * n), positions)));
        expect([...bench.readF32(y, PLANES * m)], label(pooling)).toEqual(expected.map(([v]) => v));
        expect([...bench.readI32(index, PLANES * m)], label(pooling)).toEqual(expected.map(([, at]) => at));
      }
  });

  it.each(maxPools)('%s lets NaN through and orders infinities and zeros', (kernel, poolings) => {
    const special = [Number.NaN, Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY, 0, -0, 1e-40, -1e-40, 3e38, Number.NEGATIVE_INFINITY, -0, 0, Number.NEGATIVE_INFINITY];
    for (const pooling of poolings) {
      bench.reset();
      const [n, m] = [plane(pooling), windowCount(pooling)];
      for (const rare of [1, 5, 100]) {
        // Sparse ones as well, so that windows hold one NaN, several, or infinities alone.
        const x = Float32Array.from({ length: n }, (_, i) => ((i * i) % rare ? Number.NEGATIVE_INFINITY : (special[(i * 7 + i * i) % special.length] as number)));
        const [y, index, xp, dp] = [bench.f32(m), bench.i32(m), bench.f32(x), bench.i32(dims(pooling))];
        bench.run(kernel, y, index, xp, 1, dp);
        const expected: [number, number][] = [];
        eachWindow(pooling, (positions) => expected.push(largest(x, positions)));
        expect([...bench.readF32(y, m)], label(pooling)).toEqual(expected.map(([v]) => v));
        expect([...bench.readI32(index, m)], label(pooling)).toEqual(expected.map(([, at]) => at));
      }
    }
  });

  it('max_pool_backward_f32 adds up where windows agree', () => {
    for (const [size, n] of [[1, 1], [0, 0], [5, 0], [3, 40], [64, 17], [1009, 333]] as const) {
      bench.reset();
      const g = noise(3 * n, 1);
      const index = Int32Array.from({ length: 3 * n }, (_, i) => (i * i * 7) % size);
      const [dx, gp, ip] = [bench.f32(3 * size), bench.f32(g), bench.i32(index)];
      bench.run('max_pool_backward_f32', dx, gp, ip, 3, size, n);
      const expected = new Float64Array(3 * size);
      g.forEach((v, i) => {
        const at = Math.floor(i / n) * size + (index[i] as number);
        expected[at] = (expected[at] as number) + v;
      });
      expectClose(bench.readF32(dx, 3 * size), expected, () => `${size} ${n}`);
    }
  });

  const meanPools = [
    ['avg_pool', means],
    ['adaptive_avg_pool', uneven],
  ] as const;
  it.each(meanPools)('%s agrees with f64 in both directions', (kernel, poolings) => {
    for (const pooling of poolings) {
      bench.reset();
      const [n, m] = [plane(pooling), windowCount(pooling)];
      const [x, g] = [noise(PLANES * n, 1), noise(PLANES * m, 2)];
      const [y, dx, xp, gp, dp] = [bench.f32(PLANES * m), bench.f32(PLANES * n), bench.f32(x), bench.f32(g), bench.i32(dims(pooling))];
      bench.run(`${kernel}_forward_f32`, y, xp, PLANES, dp);
      bench.run(`${kernel}_backward_f32`, dx, gp, PLANES, dp);
      const [forward, backward] = [new Float64Array(PLANES * m), new Float64Array(PLANES * n)];
      let o = 0;
      for (let p = 0; p < PLANES; p++)
        eachWindow(pooling, (positions, divisor) => {
          for (const at of positions.map((position) => p * n + position)) {
            forward[o] = (forward[o] as number) + (x[at] as number) / divisor;
            backward[at] = (backward[at] as number) + (g[o] as number) / divisor;
          }
          o++;
        });
      expectClose(bench.readF32(y, PLANES * m), forward, () => `forward ${label(pooling)}`);
      expectClose(bench.readF32(dx, PLANES * n), backward, () => `backward ${label(pooling)}`);
    }
  });

  it('no planes are nothing to do', () => {
    bench.reset();
    const pooling = { rows: axis(4, 2), cols: axis(9, 2) };
    const [empty, dp] = [bench.f32(0), bench.i32(dims(pooling))];
    for (const kernel of ['max_pool_forward_f32', 'adaptive_max_pool_forward_f32']) bench.run(kernel, empty, empty, empty, 0, dp);
    for (const kernel of ['avg_pool_forward_f32', 'avg_pool_backward_f32', 'adaptive_avg_pool_forward_f32', 'adaptive_avg_pool_backward_f32'])
      bench.run(kernel, empty, empty, 0, dp);
    bench.run('max_pool_backward_f32', empty, empty, empty, 0, 36, 8);
  });

  it('gives a window the same bits in every place of the vector', () => {
    // One window of a plane of its own has no neighbours; the same numbers in a wide plane share vectors.
    for (const [kernel, stride] of [[3, 1], [2, 2], [3, 2], [3, 3]] as const) {
      bench.reset();
      const cols = axis(40, kernel, stride);
      const wide = { rows: axis(kernel, kernel), cols };
      const x = noise(plane(wide), 3);
      const y = bench.f32(cols.windows);
      bench.run('avg_pool_forward_f32', y, bench.f32(x), 1, bench.i32(dims(wide)));
      const g = bench.f32(noise(cols.windows, 5));
      const dx = bench.f32(plane(wide));
      bench.run('avg_pool_backward_f32', dx, g, 1, bench.i32(dims(wide)));
      const [values, gradient] = [bench.readF32(y, cols.windows), bench.readF32(dx, plane(wide))];
      // From a later window on: another alignment, the same windows.
      const skip = 5;
      const later = { rows: wide.rows, cols: axis(40 - skip * stride, kernel, stride) };
      const x2 = Float32Array.from({ length: plane(later) }, (_, i) => {
        const [row, col] = [Math.floor(i / later.cols.size), i % later.cols.size];
        return x[row * 40 + col + skip * stride] as number;
      });
      const y2 = bench.f32(later.cols.windows);
      bench.run('avg_pool_forward_f32', y2, bench.f32(x2), 1, bench.i32(dims(later)));
      expect([...bench.readF32(y2, later.cols.windows)]).toEqual([...values.subarray(skip)]);
      expect(gradient.length).toBe(plane(wide));
    }
  });
});
