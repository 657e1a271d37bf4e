import { describe, expect, it } from 'vitest';
import { builds, KernelBench, sizes, ulps } from '../support/kernels.ts';

const EPSILON = 2 ** -24;
const IGNORE = -100;
const NAN = Number.NaN;
const INF = Number.POSITIVE_INFINITY;
const at = (x: ArrayLike<number>, i: number) => x[i] as number;
const noise = (n: number, seed: number, size = 2) =>
  Float32Array.from({ length: n }, (_, i) => size * Math.sin(seed + i * i * 1.37));
const unit = (n: number, seed: number) => noise(n, seed, 0.5).map((v) => v + 0.5);

/** Every value lies within `few` roundings of a number of size `scale` plus its own. */
function expectClose(got: Float32Array, expected: ArrayLike<number>, label: string, scale = 1, few = 8) {
  const worst = got.reduce((most, v, k) => {
    const e = at(expected, k);
    return Math.max(most, Object.is(v, e) ? 0 : Math.abs(v - e) / (scale + Math.abs(e)));
  }, 0);
  expect(worst / EPSILON, label).toBeLessThanOrEqual(few);
}

// --- losses of one element: forward, backward and their arguments after the size

interface Elementwise {
  name: string;
  scalars: number[];
  /** The inputs, of n elements each. */
  x(n: number): Float32Array;
  t(n: number): Float32Array;
  loss(x: number, t: number): number;
  slope(x: number, t: number): number;
}

const softplus = (v: number) => Math.max(v, 0) + Math.log1p(Math.exp(-Math.abs(v)));
const sigmoid = (v: number) => 1 / (1 + Math.exp(-v));
const clamp = (v: number, limit: number) => Math.min(Math.max(v, -limit), limit);

const elementwise: Elementwise[] = [
  {
    name: 'bce',
    scalars: [],
    x: (n) => unit(n, 1),
    t: (n) => unit(n, 2),
    loss: (p, t) => (t - 1) * Math.max(Math.log1p(-p), -100) - t * Math.max(Math.log(p), -100),
    slope: (p, t) => (p - t) / Math.max((1 - p) * p, 1e-12),
  },
  ...[0, 0.5, 1, 3].map((beta) => ({
    name: 'smooth_l1',
    scalars: [beta],
    x: (n: number) => noise(n, 1),
    t: (n: number) => noise(n, 2),
    loss: (x: number, t: number) => {
      const d = Math.abs(x - t);
      return d < beta ? (d * d) / 2 / beta : d - beta / 2;
    },
    slope: (x: number, t: number) => (Math.abs(x - t) < beta ? (x - t) / beta : Math.sign(x - t)),
  })),
  ...[0.5, 1, 3].map((delta) => ({
    name: 'huber',
    scalars: [delta],
    x: (n: number) => noise(n, 1),
    t: (n: number) => noise(n, 2),
    loss: (x: number, t: number) => {
      const d = Math.abs(x - t);
      return d <= delta ? (d * d) / 2 : delta * (d - delta / 2);
    },
    slope: (x: number, t: number) => clamp(x - t, delta),
  })),
];

/** [loss, x, t, scalars, loss, its gradient]. */
const elementwiseSpecials: [string, number, number, number[], number, number][] = [
  ['bce', 0, 1, [], 100, -1e12],
  ['bce', 1, 0, [], 100, 1e12],
  ['bce', 0, 0, [], 0, 0],
  ['bce', 1, 1, [], 0, 0],
  ['bce', 1e-8, 0, [], 1e-8, 1],
  ['bce', NAN, 1, [], NAN, NAN],
  ['smooth_l1', 2, 2, [0], 0, 0],
  ['smooth_l1', INF, 2, [1], INF, 1],
  ['smooth_l1', -INF, 2, [0], INF, -1],
  ['smooth_l1', NAN, 2, [1], NAN, NAN],
  ['smooth_l1', 1e-40, 0, [0], 1e-40, 1],
  ['huber', -INF, 2, [2], INF, -2],
  ['huber', 3, NAN, [1], NAN, NAN],
  ['huber', 2, 1, [1], 0.5, 1],
];

/** [x, t, posWeight, loss, its gradient] of BCE with logits. */
const logitSpecials: [number, number, number, number, number][] = [
  [1e4, 1, 1, 0, 0],
  [1e4, 0, 1, 1e4, 1],
  [-1e4, 1, 3, 3e4, -3],
  [-1e4, 0, 3, 0, 0],
  [20, 1, 1, Math.log1p(Math.exp(-20)), -Math.exp(-20)],
  [0, 0.5, 1, Math.LN2, 0],
  [-0, 1, 1, Math.LN2, -0.5],
  [INF, 0, 1, INF, 1],
  [-INF, 1, 2, NAN, -2], // 0 * -Infinity, as in PyTorch
  [NAN, 1, 1, NAN, NAN],
];

// --- losses of a row

interface Rows {
  x: Float32Array;
  target: Int32Array;
  weight: Float32Array | null;
  classes: number;
  smoothing: number;
}

const logSoftmax = (x: number[]) => {
  const top = Math.max(...x);
  const logSum = Math.log(x.reduce((sum, v) => sum + Math.exp(v - top), 0));
  return x.map((v) => v - top - logSum);
};

/** PyTorch's cross_entropy in f64, and its gradient for a gradient g of the losses. */
function crossEntropy({ x, target, weight, classes, smoothing }: Rows, g: Float32Array) {
  const w = Array.from({ length: classes }, (_, c) => (weight ? at(weight, c) : 1));
  const total = w.reduce((sum, v) => sum + v, 0);
  const losses: number[] = [];
  const dx: number[] = [];
  for (const [i, t] of target.entries()) {
    const logp = logSoftmax([...x.subarray(i * classes, (i + 1) * classes)]);
    const kept = t === IGNORE ? 0 : 1;
    const chosen = kept * (1 - smoothing) * (w[t] ?? 0);
    const spread = (kept * smoothing) / classes;
    losses.push(kept ? -chosen * at(logp, t) - spread * logp.reduce((sum, v, c) => sum + v * at(w, c), 0) : 0);
    for (const [c, v] of logp.entries()) {
      const p = Math.exp(v);
      dx.push(at(g, i) * (chosen * (p - (c === t ? 1 : 0)) + spread * (total * p - at(w, c))));
    }
  }
  return { losses, dx };
}

const targets = (rows: number, classes: number) =>
  Int32Array.from({ length: rows }, (_, i) => (i % 5 === 3 ? IGNORE : (i * 7) % classes));

describe.each(builds)('%s', (build) => {
  const bench = new KernelBench(build);

  it.each(elementwise)('$name $scalars agrees with f64 at every size', ({ name, scalars, x, t, loss, slope }) => {
    for (const n of sizes) {
      bench.reset();
      const [xs, ts, gs] = [x(n), t(n), noise(n, 3)];
      const [xp, tp, gp, out] = [bench.f32(xs), bench.f32(ts), bench.f32(gs), bench.f32(n)];
      bench.run(`${name}_forward_f32`, out, xp, tp, n, ...scalars);
      expectClose(
        bench.readF32(out, n),
        xs.map((v, i) => loss(v, at(ts, i))),
        `loss of ${n}`,
      );
      bench.run(`${name}_backward_f32`, out, gp, xp, tp, n, ...scalars);
      const expected = Float64Array.from(xs, (v, i) => at(gs, i) * slope(v, at(ts, i)));
      expectClose(bench.readF32(out, n), expected, `gradient of ${n}`, 3);
      // dx may be any of the inputs.
      bench.run(`${name}_backward_f32`, gp, gp, xp, tp, n, ...scalars);
      expect(bench.readF32(gp, n)).toEqual(bench.readF32(out, n));
    }
  });

  it.each(elementwiseSpecials)('%s of %d against %d %j is %d, its gradient %d', (name, x, t, scalars, loss, slope) => {
    for (const n of [1, 4, 7]) {
      bench.reset();
      const [xp, tp, gp] = [x, t, 1].map((v) => bench.f32(Array(n).fill(v))) as [number, number, number];
      const out = bench.f32(n);
      bench.run(`${name}_forward_f32`, out, xp, tp, n, ...scalars);
      for (const v of bench.readF32(out, n)) expect(ulps(v, loss)).toBeLessThanOrEqual(2);
      bench.run(`${name}_backward_f32`, out, gp, xp, tp, n, ...scalars);
      for (const v of bench.readF32(out, n)) expect(ulps(v, slope)).toBeLessThanOrEqual(2);
    }
  });

  it.each([0, 1, 3, 4, 5, 17])('bce_with_logits with %i positive weights agrees with f64', (inner) => {
    for (const rows of [0, 1, 3, 33]) {
      bench.reset();
      const n = rows * (inner || 7);
      const [xs, ts, gs] = [noise(n, 1, 8), unit(n, 2), noise(n, 3)];
      const weights = inner ? unit(inner, 4).map((v) => v * 4) : null;
      const w = (i: number) => (weights ? at(weights, i % inner) : 1);
      const wp = weights ? bench.f32(weights) : 0;
      const [xp, tp, gp, out] = [bench.f32(xs), bench.f32(ts), bench.f32(gs), bench.f32(n)];
      bench.run('bce_with_logits_forward_f32', out, xp, tp, wp, n, inner);
      const losses = Float64Array.from(xs, (x, i) => (1 - at(ts, i)) * x + (1 + (w(i) - 1) * at(ts, i)) * softplus(-x));
      expectClose(bench.readF32(out, n), losses, `loss of ${rows} rows`, 8);
      bench.run('bce_with_logits_backward_f32', out, gp, xp, tp, wp, n, inner);
      const slopes = Float64Array.from(
        xs,
        (x, i) => at(gs, i) * ((1 + (w(i) - 1) * at(ts, i)) * sigmoid(x) - w(i) * at(ts, i)),
      );
      expectClose(bench.readF32(out, n), slopes, `gradient of ${rows} rows`, 4);
    }
  });

  it.each(logitSpecials)(
    'bce_with_logits of %d against %d, weight %d, is %d, its gradient %d',
    (x, t, w, loss, slope) => {
      bench.reset();
      const [xp, tp, wp, gp] = [x, t, w, 1].map((v) => bench.f32([v, v, v, v, v])) as [number, number, number, number];
      const out = bench.f32(5);
      bench.run('bce_with_logits_forward_f32', out, xp, tp, wp, 5, 5);
      expectClose(bench.readF32(out, 5), Array(5).fill(loss), 'loss', t === 1 && x === 20 ? 0 : 1e-30);
      bench.run('bce_with_logits_backward_f32', out, gp, xp, tp, wp, 5, 5);
      // sigmoid(x) - 1 is a difference of numbers of size 1.
      expectClose(bench.readF32(out, 5), Array(5).fill(slope), 'gradient', 1, 1);
    },
  );

  it.each([
    [0, false],
    [0, true],
    [0.1, false],
    [0.1, true],
    [1, true],
  ])('cross-entropy with smoothing %d, weights %s, agrees with f64', (smoothing, weighted) => {
    for (const classes of [1, 2, 3, 4, 5, 8, 15, 16, 17, 131, 1009]) {
      for (const rows of [0, 1, 9]) {
        bench.reset();
        const x = noise(rows * classes, classes, 5);
        const target = targets(rows, classes);
        const weight = weighted ? unit(classes, 4) : null;
        const g = noise(rows, 5);
        const expected = crossEntropy({ x, target, weight, classes, smoothing }, g);
        const [xp, tp, gp, wp] = [bench.f32(x), bench.i32(target), bench.f32(g), weight ? bench.f32(weight) : 0];
        const [losses, lse, dx] = [bench.f32(rows), bench.f32(rows), bench.f32(rows * classes)];
        bench.run('cross_entropy_forward_f32', losses, lse, xp, tp, wp, rows, classes, IGNORE, smoothing);
        expectClose(bench.readF32(losses, rows), expected.losses, `losses [${rows}, ${classes}]`, 10);
        bench.run('cross_entropy_backward_f32', dx, gp, xp, lse, tp, wp, rows, classes, IGNORE, smoothing);
        expectClose(bench.readF32(dx, rows * classes), expected.dx, `gradient [${rows}, ${classes}]`, 2, 4);
        bench.run('cross_entropy_backward_f32', xp, gp, xp, lse, tp, wp, rows, classes, IGNORE, smoothing);
        expect(bench.readF32(xp, rows * classes)).toEqual(bench.readF32(dx, rows * classes));
      }
    }
  });

  it('cross-entropy is as accurate beside logits of 1e4', () => {
    for (const shift of [1e4, -1e4]) {
      bench.reset();
      const x = Float32Array.from([0, 0.25, 1.5, -2, 3].map((v) => v + shift));
      const rows = { x, target: Int32Array.of(2), weight: null, classes: 5, smoothing: 0 };
      const expected = crossEntropy(rows, Float32Array.of(1));
      const [xp, tp, gp] = [bench.f32(x), bench.i32([2]), bench.f32([1])];
      const [losses, lse, dx] = [bench.f32(1), bench.f32(1), bench.f32(5)];
      bench.run('cross_entropy_forward_f32', losses, lse, xp, tp, 0, 1, 5, IGNORE, 0);
      bench.run('cross_entropy_backward_f32', dx, gp, xp, lse, tp, 0, 1, 5, IGNORE, 0);
      expectClose(bench.readF32(losses, 1), expected.losses, 'loss', 0);
      expectClose(bench.readF32(dx, 5), expected.dx, 'gradient', 0);
    }
  });

  it.each([
    [[-INF, 0, 0], 1, Math.LN2],
    [[-INF, 0, 0], 0, INF],
    [[1e4, -1e4], 1, 2e4],
    [[-INF, -INF], 0, NAN],
    [[1, NAN, 2], 0, NAN],
    [[1, INF, 2], 1, NAN],
  ])('cross-entropy of %j for class %i is %d', (x, target, expected) => {
    bench.reset();
    const [losses, lse] = [bench.f32(1), bench.f32(1)];
    bench.run('cross_entropy_forward_f32', losses, lse, bench.f32(x), bench.i32([target]), 0, 1, x.length, IGNORE, 0);
    expect(ulps(at(bench.readF32(losses, 1), 0), expected)).toBeLessThanOrEqual(1);
  });

  it.each([false, true])('nll and class weights, weights %s', (weighted) => {
    for (const [rows, classes, inner] of [
      [0, 3, 1],
      [1, 1, 1],
      [7, 5, 1],
      [3, 4, 5],
      [2, 3, 0],
      [4, 17, 3],
    ] as const) {
      bench.reset();
      const n = rows * inner;
      const [logp, g, target] = [noise(rows * classes * inner, 1), noise(n, 2), targets(n, classes)];
      const weight = weighted ? unit(classes, 4) : null;
      const w = Array.from(target, (t) => (t === IGNORE ? 0 : weight ? at(weight, t) : 1));
      const cell = Array.from(target, (t, k) => (Math.floor(k / inner) * classes + t) * inner + (k % inner));
      const [lp, gp, tp, wp] = [bench.f32(logp), bench.f32(g), bench.i32(target), weight ? bench.f32(weight) : 0];
      const [losses, dx] = [bench.f32(n), bench.f32(logp.length)];
      bench.run('nll_forward_f32', losses, lp, tp, wp, rows, classes, inner, IGNORE);
      const expected = Float32Array.from(w, (v, k) => (at(target, k) === IGNORE ? 0 : -v * at(logp, at(cell, k))));
      expect(bench.readF32(losses, n)).toEqual(expected);
      bench.run('nll_backward_f32', dx, gp, tp, wp, rows, classes, inner, IGNORE);
      const gradient = new Float32Array(logp.length);
      for (const [k, v] of w.entries()) if (at(target, k) !== IGNORE) gradient[at(cell, k)] = -v * at(g, k);
      expect(bench.readF32(dx, logp.length)).toEqual(gradient);
      bench.run('class_weights_f32', losses, tp, wp, n, classes, IGNORE);
      expect(bench.readF32(losses, n)).toEqual(Float32Array.from(w));
    }
  });

  it.each([
    [[], -1],
    [[0, 4, IGNORE, 2], -1],
    [[0, 5, -1], 1],
    [[0, 1, 2, 3, 4, -1], 5],
    [[-(2 ** 31)], 0],
    [[2 ** 31 - 1], 0],
  ])('check_targets_i32 of %j is %i', (target, expected) => {
    bench.reset();
    expect(bench.run('check_targets_i32', bench.i32(target), target.length, 5, IGNORE)).toBe(expected);
  });

  it.each([0, 1, 3, 4, 5, 8, 37])('check_range_f32 finds the first number out of range among %i', (n) => {
    const good = Array.from({ length: n }, (_, i) => (i % 3) / 2);
    expect(bench.run('check_range_f32', bench.f32(good), n, 0, 1)).toBe(-1);
    for (let at = 0; at < n; at++)
      for (const bad of [-1e-7, 1.0000002, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
        const values = good.map((v, i) => (i === at || i > at + 2 ? bad : v));
        expect(bench.run('check_range_f32', bench.f32(values), n, 0, 1)).toBe(at);
      }
  });
});
