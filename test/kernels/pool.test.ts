// The pooling kernels against their definition, window by window in f64: every stride and edge that has a path of its
// own.
import { describe, expect, it } from 'vitest';
import { type Axis, adaptive, axis, eachWindow, largest, type Pooling, windowsOf } from '../../reference/pool.ts';
import { builds, KernelBench } from '../support/kernels.ts';

const dims = ({ rows, cols, countPadding = true, divisor = 0 }: Pooling): number[] => [
  ...[rows, cols].flatMap((a) => [a.size, a.windows, a.kernel, a.stride, a.padding, a.dilation]),
  Number(countPadding),
  divisor,
];

const noise = (n: number, seed: number): Float32Array =>
  Float32Array.from({ length: n }, (_, i) => 2 * Math.sin(seed + i * i * 1.37));
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
const cuts = [
  [1, 1],
  [5, 1],
  [7, 3],
  [13, 6],
  [9, 9],
  [4, 7],
  [3, 11],
  [33, 5],
  [67, 2],
].map(([size, windows]) => adaptive(size as number, windows as number));

/** Rows of a few kinds beside every kind of columns. */
const rowsOfKind = [axis(1, 1), axis(5, 2), axis(6, 3, 2, 1), axis(4, 3, 1, 1), axis(5, 3, 2, 1, 1, true)];
const dilatedRows = [axis(7, 3, 1, 1, 2), axis(9, 2, 3, 0, 4)];
const beside = (rows: Axis[], cols: Axis[]): Pooling[] =>
  cols.filter(fits).map((c, i) => ({ rows: rows[i % rows.length] as Axis, cols: c }));
/** Windows of two columns and up to two rows: planes that they cover, and such with edges on some sides. */
const pairs: Pooling[] = [8, 9, 12, 15, 17, 33].flatMap((size, i) =>
  [
    axis(6, 2),
    axis(5, 2),
    axis(7, 2, 2, 1),
    axis(5, 2, 2, 0, 1, true),
    axis(3, 1),
    axis(5, 1, 2),
    axis(5, 2, 1, 1),
    axis(7, 2, 3, 0, 2),
  ].flatMap((rows) =>
    [axis(size, 2), axis(size, 2, 2, 1), axis(size, 2, 2, i % 2, 1, true)].map((cols) => ({ rows, cols })),
  ),
);
const maxima = [
  ...pairs,
  ...beside([...rowsOfKind, ...dilatedRows], sliding),
  ...beside([axis(3, 3, 3, 1), axis(9, 9)], [axis(9, 9), axis(40, 32, 1), axis(67, 67), axis(50, 17, 16, 8)]),
];
/** More columns than lines of sums have, and elements in more windows. */
const long: Pooling[] = [
  { rows: axis(2, 1), cols: axis(2600, 3, 2, 1) },
  { rows: axis(1, 1), cols: axis(1500, 3, 1, 1) },
  { rows: axis(2, 1), cols: axis(2049, 2, 2) },
  { rows: axis(2, 1), cols: axis(2200, 2100, 2) },
  { rows: axis(2200, 2100, 2), cols: axis(2, 2) },
];
/** Windows of 3x3 padded by one along both axes, which have a path of their own from four columns on. */
const thirds: Pooling[] = [3, 4, 5, 7, 8, 9, 12, 15, 16, 17, 33].flatMap((n, i) => [
  { rows: axis(1 + (i % 5), 3, 1, 1), cols: axis(n, 3, 1, 1) },
  { rows: axis(2 + 2 * (i % 3), 3, 2, 1), cols: axis(2 * n, 3, 2, 1) },
  { rows: axis(4, 3, 1, 1), cols: axis(2 * n, 3, 2, 1) },
]);
const means: Pooling[] = [...maxima, ...long, ...thirds]
  .filter(({ rows, cols }) => rows.dilation * cols.dilation === 1)
  .flatMap((pooling) => [pooling, { ...pooling, countPadding: false }, { ...pooling, divisor: 7 }]);
const uneven = cuts.flatMap((cols) => [adaptive(1, 1), adaptive(7, 3), adaptive(2, 5)].map((rows) => ({ rows, cols })));

const label = (pooling: Pooling): string => JSON.stringify(pooling);
const PLANES = 2;

describe.each(builds)('%s', (build) => {
  const bench = new KernelBench(build);

  /** A workspace of which nothing must matter. */
  const spoiled = (): number =>
    bench.f32(new Float32Array((bench.run('gemm_workspace_bytes') as number) / 4).fill(Number.NaN));
  /** Of avg_pool, or of adaptive_avg_pool, which needs no workspace. */
  const meanBackward = (pool: string, ...[dx, g, planes, workspace, dp]: [number, number, number, number, number]) =>
    bench.run(`${pool}_backward_f32`, dx, g, planes, ...(pool === 'avg_pool' ? [workspace] : []), dp);

  /** Each value lies within a few roundings of the terms it is the sum of, whose magnitudes add up to `scale`. */
  function expectClose(got: Float32Array, expected: Float64Array, scale: Float64Array, what: () => string): void {
    const worst = got.reduce(
      (most, v, k) => Math.max(most, Math.abs(v - (expected[k] as number)) / ((scale[k] as number) + 1e-30)),
      0,
    );
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
        const [y, index, xp, dp] = [
          bench.f32(PLANES * m),
          bench.i32(PLANES * m),
          bench.f32(x),
          bench.i32(dims(pooling)),
        ];
        bench.run(kernel, y, index, xp, PLANES, dp);
        const expected: [number, number][] = [];
        for (let p = 0; p < PLANES; p++)
          eachWindow(pooling, (positions) => expected.push(largest(x.subarray(p * n), positions)));
        expect([...bench.readF32(y, PLANES * m)], label(pooling)).toEqual(expected.map(([v]) => v));
        expect([...bench.readI32(index, PLANES * m)], label(pooling)).toEqual(expected.map(([, at]) => at));
      }
  });

  it.each(maxPools)('%s lets NaN through and orders infinities and zeros', (kernel, poolings) => {
    const special = [
      Number.NaN,
      Number.NEGATIVE_INFINITY,
      Number.POSITIVE_INFINITY,
      0,
      -0,
      1e-40,
      -1e-40,
      3e38,
      Number.NEGATIVE_INFINITY,
      -0,
      0,
      Number.NEGATIVE_INFINITY,
    ];
    for (const pooling of poolings) {
      bench.reset();
      const [n, m] = [plane(pooling), windowCount(pooling)];
      for (const rare of [1, 5, 100]) {
        // Sparse ones as well, so that windows hold one NaN, several, or infinities alone.
        const x = Float32Array.from({ length: n }, (_, i) =>
          (i * i) % rare ? Number.NEGATIVE_INFINITY : (special[(i * 7 + i * i) % special.length] as number),
        );
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
    for (const [size, n] of [
      [1, 1],
      [0, 0],
      [5, 0],
      [3, 40],
      [64, 17],
      [1009, 333],
    ] as const) {
      bench.reset();
      const g = noise(3 * n, 1);
      const index = Int32Array.from({ length: 3 * n }, (_, i) => (i * i * 7) % size);
      const [dx, gp, ip] = [bench.f32(3 * size), bench.f32(g), bench.i32(index)];
      bench.run('max_pool_backward_f32', dx, gp, ip, 3, size, n);
      const [expected, scale] = [new Float64Array(3 * size), new Float64Array(3 * size)];
      g.forEach((v, i) => {
        const at = Math.floor(i / n) * size + (index[i] as number);
        expected[at] = (expected[at] as number) + v;
        scale[at] = (scale[at] as number) + Math.abs(v);
      });
      expectClose(bench.readF32(dx, 3 * size), expected, scale, () => `${size} ${n}`);
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
      const [y, dx, xp, gp, dp] = [
        bench.f32(PLANES * m),
        bench.f32(PLANES * n),
        bench.f32(x),
        bench.f32(g),
        bench.i32(dims(pooling)),
      ];
      bench.run(`${kernel}_forward_f32`, y, xp, PLANES, dp);
      meanBackward(kernel, dx, gp, PLANES, spoiled(), dp);
      const [forward, backward] = [new Float64Array(PLANES * m), new Float64Array(PLANES * n)];
      const [forwardScale, backwardScale] = [new Float64Array(PLANES * m), new Float64Array(PLANES * n)];
      let o = 0;
      for (let p = 0; p < PLANES; p++)
        eachWindow(pooling, (positions, divisor) => {
          for (const at of positions.map((position) => p * n + position)) {
            const [give, take] = [(x[at] as number) / divisor, (g[o] as number) / divisor];
            forward[o] = (forward[o] as number) + give;
            forwardScale[o] = (forwardScale[o] as number) + Math.abs(give);
            backward[at] = (backward[at] as number) + take;
            backwardScale[at] = (backwardScale[at] as number) + Math.abs(take);
          }
          o++;
        });
      expectClose(bench.readF32(y, PLANES * m), forward, forwardScale, () => `forward ${label(pooling)}`);
      expectClose(bench.readF32(dx, PLANES * n), backward, backwardScale, () => `backward ${label(pooling)}`);
    }
  });

  it('takes planes one by one or many at a time to the same bits', () => {
    // Blocks of three planes, then of hundreds, with a rest.
    for (const [pooling, planes] of [
      [{ rows: axis(33, 3, 2, 1), cols: axis(40, 3, 2, 1) }, 7],
      [{ rows: axis(33, 3, 1, 1), cols: axis(41, 3, 1, 1) }, 7],
      [{ rows: axis(34, 3, 2, 1), cols: axis(42, 3, 2, 1) }, 7],
      [{ rows: axis(33, 2), cols: axis(40, 2) }, 7],
      [{ rows: adaptive(33, 4), cols: adaptive(40, 7) }, 7],
      [{ rows: axis(2, 2), cols: axis(4, 2) }, 1100],
    ] as [Pooling, number][]) {
      const [n, m] = [plane(pooling), windowCount(pooling)];
      const kind = pooling.rows.kernel === 0 ? 'adaptive_' : '';
      bench.reset();
      const dp = bench.i32(dims(pooling));
      const x = bench.f32(noise(planes * n, 1));
      const g = bench.f32(noise(planes * m, 2));
      const workspace = spoiled();
      const results = [1, planes].map((some) => {
        const [y, index, mean] = [bench.f32(planes * m), bench.i32(planes * m), bench.f32(planes * m)];
        const [dx, dMean] = [bench.f32(planes * n), bench.f32(planes * n)];
        for (let p = 0; p < planes; p += some) {
          const [from, to] = [p * n * 4, p * m * 4];
          bench.run(`${kind}max_pool_forward_f32`, y + to, index + to, x + from, some, dp);
          bench.run('max_pool_backward_f32', dx + from, g + to, index + to, some, n, m);
          bench.run(`${kind}avg_pool_forward_f32`, mean + to, x + from, some, dp);
          meanBackward(`${kind}avg_pool`, dMean + from, g + to, some, workspace, dp);
        }
        const floats = [y, mean].map((p) => bench.readF32(p, planes * m));
        return [...floats, bench.readI32(index, planes * m), ...[dx, dMean].map((p) => bench.readF32(p, planes * n))];
      });
      expect(results[1]).toEqual(results[0]);
    }
  });

  it('no planes are nothing to do', () => {
    bench.reset();
    const pooling = { rows: axis(4, 2), cols: axis(9, 2) };
    const [empty, dp] = [bench.f32(0), bench.i32(dims(pooling))];
    for (const kernel of ['max_pool_forward_f32', 'adaptive_max_pool_forward_f32'])
      bench.run(kernel, empty, empty, empty, 0, dp);
    for (const pool of ['avg_pool', 'adaptive_avg_pool']) {
      bench.run(`${pool}_forward_f32`, empty, empty, 0, dp);
      meanBackward(pool, empty, empty, 0, spoiled(), dp);
    }
    bench.run('max_pool_backward_f32', empty, empty, empty, 0, 36, 8);
  });

  it.each([
    [3, 1],
    [2, 2],
    [3, 2],
    [3, 3],
  ])('windows of %d at stride %d have the same bits in every place of the vector', (kernel, stride) => {
    const mean = (cols: Axis, x: Float32Array): number[] => {
      bench.reset();
      const y = bench.f32(cols.windows);
      bench.run('avg_pool_forward_f32', y, bench.f32(x), 1, bench.i32(dims({ rows: axis(1, 1), cols })));
      return [...bench.readF32(y, cols.windows)];
    };
    const x = noise(40, 3);
    const whole = mean(axis(40, kernel, stride), x);
    // From a later window on: another lane, another alignment.
    for (const skip of [1, 2, 3, 4]) {
      const rest = x.subarray(skip * stride);
      expect(mean(axis(rest.length, kernel, stride), rest)).toEqual(whole.slice(skip));
    }
  });
});
