// nn.init against PyTorch's definitions: values, bounds, spread and the shape of the distribution. The cases are a
// table over the exports, so that an initialiser without one does not compile.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as rg from '../../bindings/index.ts';
import { nn, type Tensor } from '../../bindings/index.ts';
import { type Distribution, ERRORS, expectDistributed, normal, truncated, uniform } from '../support/distributions.ts';

const { init } = nn;
type Name = keyof typeof init;
/** What one initialiser is tried with. */
type Cases = { readonly [title: string]: () => void };

const weight = (...shape: number[]): Tensor => rg.full(shape, Number.NaN);
/** A matrix and a convolution's weight, with fans that no mix-up leaves as they are. */
const MATRIX = [200, 150];
const KERNELS = [60, 20, 3, 5];
const fans = (shape: readonly number[]): { fanIn: number; fanOut: number } => {
  const [out = 0, inner = 0, ...kernel] = shape;
  const taps = kernel.reduce((a, b) => a * b, 1);
  return { fanIn: inner * taps, fanOut: out * taps };
};

/** A case for each weight of `shapes`: `fill` gives it the distribution that `expected` says. */
const distributed = (
  title: string,
  fill: (x: Tensor) => Tensor,
  expected: (fans: { fanIn: number; fanOut: number }) => Distribution,
  shapes: readonly (readonly number[])[] = [MATRIX, KERNELS],
): Cases =>
  Object.fromEntries(
    shapes.map((shape) => [
      `${title} of [${shape}]`,
      () => expectDistributed(fill(weight(...shape)).data, expected(fans(shape))),
    ]),
  );

const refuses = (title: string, call: () => unknown, message: RegExp, error = rg.ArgumentError): Cases => ({
  [title]: () => {
    expect(call).toThrow(error);
    expect(call).toThrow(message);
  },
});
const refusesVectors = (fill: (x: Tensor) => unknown): Cases =>
  refuses(
    'refuses a vector',
    () => fill(weight(4)),
    /expected a (weight|tensor) of at least 2 dims, got \[4\]/,
    rg.ShapeError,
  );

/** PyTorch's calculate_gain. */
const GAINS: Readonly<Record<nn.init.Nonlinearity, (slope: number) => number>> = {
  linear: () => 1,
  sigmoid: () => 1,
  tanh: () => 5 / 3,
  relu: () => Math.sqrt(2),
  leakyRelu: (slope) => Math.sqrt(2 / (1 + slope * slope)),
  selu: () => 3 / 4,
};
const nonlinearities = Object.keys(GAINS) as nn.init.Nonlinearity[];

/** Both modes with all nonlinearities, and the defaults: fan in, leaky ReLU with a slope of 0. */
const kaiming = (
  fill: (x: Tensor, options?: rg.nn.init.KaimingOptions) => Tensor,
  of: (std: number) => Distribution,
): Cases => {
  const given = (['fanIn', 'fanOut'] as const).flatMap((mode) =>
    nonlinearities.map((nonlinearity) =>
      distributed(
        `${mode}, ${nonlinearity}`,
        (x) => fill(x, { a: 0.7, mode, nonlinearity }),
        (fan) => of(GAINS[nonlinearity](0.7) / Math.sqrt(fan[mode])),
      ),
    ),
  );
  return Object.assign(
    distributed('defaults', fill, ({ fanIn }) => of(Math.sqrt(2 / fanIn))),
    ...given,
    refusesVectors(fill),
    refuses(
      'refuses another mode',
      () => fill(weight(2, 2), { mode: 'fan_in' as 'fanIn' }),
      /'fanIn' or 'fanOut' as mode, got 'fan_in'/,
    ),
    refuses(
      'refuses another nonlinearity',
      () => fill(weight(2, 2), { nonlinearity: 'softmax' as 'relu' }),
      /expected 'linear', .*, got 'softmax'/,
    ),
  );
};

const filled = (fill: (x: Tensor) => Tensor, value: number): Cases => ({
  everywhere: () => {
    for (const shape of [[], [7], [3, 5], [0, 4]])
      expect([...fill(weight(...shape)).data]).toEqual(new Array(shape.reduce((a, b) => a * b, 1)).fill(value));
  },
});

/** Rows of the shorter side are orthonormal but for the gain: W Wᵀ or Wᵀ W is gain² I. */
function expectOrthogonal(x: Tensor, gain: number): void {
  const rows = x.shape[0] as number;
  const cols = x.size / rows;
  const [count, length] = rows <= cols ? [rows, cols] : [cols, rows];
  const at = (i: number, j: number): number => x.data[rows <= cols ? i * cols + j : j * cols + i] as number;
  for (let a = 0; a < count; a++)
    for (let b = 0; b <= a; b++) {
      let dot = 0;
      for (let j = 0; j < length; j++) dot += at(a, j) * at(b, j);
      expect(Math.abs(dot - (a === b ? gain * gain : 0)), `${a} · ${b}`).toBeLessThan(1e-6 * Math.max(1, gain * gain));
    }
}

const cases: { readonly [K in Name]: Cases } = {
  uniform_: {
    ...distributed(
      'defaults',
      (x) => init.uniform_(x),
      () => uniform(0, 1),
      [[20_000]],
    ),
    ...distributed(
      'from −3 to 5',
      (x) => init.uniform_(x, -3, 5),
      () => uniform(-3, 5),
    ),
  },
  normal_: {
    ...distributed(
      'defaults',
      (x) => init.normal_(x),
      () => normal(0, 1),
      [[20_000]],
    ),
    ...distributed(
      'mean 2, std 0.5',
      (x) => init.normal_(x, 2, 0.5),
      () => normal(2, 0.5),
    ),
    'std 0': () => expect(init.normal_(weight(3), 2, 0).toArray()).toEqual([2, 2, 2]),
    ...refuses('refuses a negative std', () => init.normal_(weight(3), 0, -1), /normal_: expected std >= 0, got -1/),
  },
  truncNormal_: {
    ...distributed(
      'defaults',
      (x) => init.truncNormal_(x),
      () => truncated(0, 1, -2, 2),
      [[20_000]],
    ),
    ...distributed(
      'bounds that are values, not deviations',
      (x) => init.truncNormal_(x, { mean: 1, std: 2, a: 0, b: 2.5 }),
      () => truncated(1, 2, 0, 2.5),
    ),
    ...distributed(
      'small std, wide bounds',
      (x) => init.truncNormal_(x, { std: 0.02 }),
      () => truncated(0, 0.02, -0.2, 0.2),
    ),
    ...refuses('refuses bounds in the wrong order', () => init.truncNormal_(weight(3), { a: 2, b: -2 }), /a <= b/),
    ...refuses('refuses a std of 0', () => init.truncNormal_(weight(3), { std: 0 }), /expected std > 0/),
  },
  constant_: filled((x) => init.constant_(x, -2.5), -2.5),
  zeros_: filled(init.zeros_, 0),
  ones_: filled(init.ones_, 1),
  calculateFanInAndFanOut: {
    'of a matrix': () => expect(init.calculateFanInAndFanOut(weight(3, 5))).toEqual({ fanIn: 5, fanOut: 3 }),
    'of convolutions': () => {
      expect(init.calculateFanInAndFanOut(weight(6, 4, 3))).toEqual({ fanIn: 12, fanOut: 18 });
      expect(init.calculateFanInAndFanOut(weight(...KERNELS))).toEqual({ fanIn: 300, fanOut: 900 });
    },
    ...refusesVectors(init.calculateFanInAndFanOut),
  },
  calculateGain: {
    'of every nonlinearity': () => {
      for (const name of nonlinearities) expect(init.calculateGain(name), name).toBeCloseTo(GAINS[name](0.01), 12);
    },
    'with a slope': () => {
      for (const slope of [0, 0.2, 1])
        expect(init.calculateGain('leakyRelu', slope)).toBeCloseTo(GAINS.leakyRelu(slope), 12);
    },
    ...refuses(
      'refuses another name',
      () => init.calculateGain('leaky_relu' as 'relu'),
      /^calculateGain: expected 'linear', .*, got 'leaky_relu'/,
    ),
  },
  xavierUniform_: {
    ...distributed(
      'defaults',
      (x) => init.xavierUniform_(x),
      ({ fanIn, fanOut }) => uniform(-Math.sqrt(6 / (fanIn + fanOut)), Math.sqrt(6 / (fanIn + fanOut))),
    ),
    ...distributed(
      'gain 3',
      (x) => init.xavierUniform_(x, 3),
      ({ fanIn, fanOut }) => uniform(-3 * Math.sqrt(6 / (fanIn + fanOut)), 3 * Math.sqrt(6 / (fanIn + fanOut))),
    ),
    ...refusesVectors(init.xavierUniform_),
  },
  xavierNormal_: {
    ...distributed(
      'defaults',
      (x) => init.xavierNormal_(x),
      ({ fanIn, fanOut }) => normal(0, Math.sqrt(2 / (fanIn + fanOut))),
    ),
    ...distributed(
      'gain 3',
      (x) => init.xavierNormal_(x, 3),
      ({ fanIn, fanOut }) => normal(0, 3 * Math.sqrt(2 / (fanIn + fanOut))),
    ),
    ...refusesVectors(init.xavierNormal_),
  },
  kaimingUniform_: kaiming(init.kaimingUniform_, (std) => uniform(-Math.sqrt(3) * std, Math.sqrt(3) * std)),
  kaimingNormal_: kaiming(init.kaimingNormal_, (std) => normal(0, std)),
  orthogonal_: {
    ...Object.fromEntries(
      [
        [16, 16],
        [9, 30],
        [30, 9],
        [12, 3, 2, 2],
        [40, 2, 3, 3],
        [1, 5],
        [5, 1],
        [1, 1],
      ].flatMap((shape) =>
        [1, 2.5].map((gain) => [
          `[${shape}], gain ${gain}`,
          () => expectOrthogonal(init.orthogonal_(weight(...shape), gain), gain),
        ]),
      ),
    ),
    // Haar's measure: an element of many draws of n × n has mean 0 and variance 1/n.
    'favours no direction': () => {
      const n = 8;
      const draws = Array.from({ length: 2000 }, () => rg.scope(() => init.orthogonal_(weight(n, n)).data.slice()));
      for (let i = 0; i < n * n; i++) {
        const values = draws.map((draw) => draw[i] as number);
        const mean = values.reduce((a, b) => a + b, 0) / draws.length;
        expect(Math.abs(mean), `element ${i}`).toBeLessThan(ERRORS / Math.sqrt(n) / Math.sqrt(draws.length));
        const variance = values.reduce((a, b) => a + b * b, 0) / draws.length;
        expect(Math.abs(variance * n - 1), `element ${i}`).toBeLessThan(ERRORS * Math.sqrt(2 / draws.length));
      }
    },
    ...refusesVectors(init.orthogonal_),
  },
  dirac_: {
    'leaves channels as they are': () => {
      const x = rg.randn([2, 3, 5, 4]);
      for (const [out, groups] of [
        [3, 1],
        [5, 1],
        [2, 1],
        [6, 3],
      ] as const) {
        const w = init.dirac_(weight(out, 3, 3, 3), groups);
        const y = rg.functional.conv2d(x, w, null, { padding: 1 });
        const each = out / groups;
        for (let c = 0; c < out; c++) {
          const from = c % each;
          const off = from < 3 ? y.select(1, c).sub(x.select(1, from)) : y.select(1, c);
          expect(off.abs().max().item()).toBe(0);
        }
      }
      expect(init.dirac_(weight(1, 1, 4)).toArray()).toEqual([[[0, 0, 1, 0]]]);
    },
    ...refuses(
      'refuses matrices',
      () => init.dirac_(weight(2, 2)),
      /dirac_: expected a tensor of 3 to 5/,
      rg.ShapeError,
    ),
    ...refuses('refuses other groups', () => init.dirac_(weight(3, 2, 1), 2), /dirac_: expected groups that divide 3/),
  },
  sparse_: {
    'has the share of zeros in each column': () => {
      const x = init.sparse_(weight(40, 30), 0.3, 2);
      for (const column of x.t().toArray() as number[][]) expect(column.filter((v) => v === 0)).toHaveLength(12);
      expect(Math.abs(x.square().sum().item() / (28 * 30) - 4)).toBeLessThan(1);
    },
    ...refuses('refuses vectors', () => init.sparse_(weight(3), 0.5), /sparse_: expected a matrix/, rg.ShapeError),
    ...refuses('refuses other shares', () => init.sparse_(weight(3, 2), 1.5), /sparse_: expected sparsity from 0 to 1/),
  },
  eye_: {
    'square, wide and tall': () => {
      for (const [rows, cols] of [
        [3, 3],
        [2, 5],
        [5, 2],
        [1, 1],
      ] as const)
        expect(init.eye_(weight(rows, cols)).toArray()).toEqual(
          Array.from({ length: rows }, (_, i) => Array.from({ length: cols }, (__, j) => (i === j ? 1 : 0))),
        );
    },
    ...refuses(
      'refuses three dims',
      () => init.eye_(weight(2, 2, 2)),
      /eye_: expected a matrix, got \[2, 2, 2\]/,
      rg.ShapeError,
    ),
  },
};

const names = Object.keys(cases) as Name[];
const fillers = names.filter((name): name is Exclude<Name, `calculate${string}`> => name.endsWith('_'));
/** Those that draw random numbers. */
const drawing = fillers.filter((name) => !['constant_', 'zeros_', 'ones_', 'eye_', 'dirac_'].includes(name));
const fill = (name: (typeof fillers)[number], x: Tensor): Tensor => {
  if (name === 'dirac_') init.dirac_(x.unsqueeze(2));
  return name === 'dirac_' ? x : filledBy(name, x);
};
const filledBy = (name: Exclude<(typeof fillers)[number], 'dirac_'>, x: Tensor): Tensor =>
  name === 'constant_' ? init.constant_(x, 3) : name === 'sparse_' ? init.sparse_(x, 0.5) : init[name](x);

describe.each(['strict', 'relaxed'] as const)('nn.init, %s build', (simd) => {
  beforeAll(() => rg.init({ simd }));
  afterAll(() => rg.shutdown());

  describe.each(names)('%s', (name) => {
    it.each(Object.entries(cases[name]))('%s', (_, run) => {
      rg.manualSeed(2026);
      rg.scope(run);
    });
  });

  it.each(fillers)('%s: gives its tensor back, leaves the tape and repeats with the seed', (name) => {
    rg.scope(() => {
      const x = rg.zeros([6, 4], { requiresGrad: true });
      rg.manualSeed(1);
      expect(fill(name, x)).toBe(x);
      expect([x.requiresGrad, x.grad]).toEqual([true, null]);
      const first = x.toArray();
      const [y, z] = [weight(6, 4), weight(6, 4)];
      fill(name, y);
      rg.manualSeed(1);
      expect(fill(name, z).toArray()).toEqual(first);
      expect(JSON.stringify(y.toArray()) !== JSON.stringify(first)).toBe(drawing.includes(name));
    });
  });

  it.each(fillers)('%s: writes a view and nothing beside it', (name) => {
    rg.scope(() => {
      const plain = weight(6, 4);
      rg.manualSeed(1);
      fill(name, plain);
      for (const make of [
        (whole: Tensor) => whole.narrow(1, 2, 4).narrow(0, 1, 6),
        (whole: Tensor) => whole.narrow(0, 0, 4).narrow(1, 0, 6).transpose(0, 1),
      ]) {
        const whole = rg.full([8, 8], 7);
        const view = make(whole);
        rg.manualSeed(1);
        expect(fill(name, view)).toBe(view);
        expect(view.toArray()).toEqual(plain.toArray());
        expect(whole.eq(7).sum().item()).toBe(64 - 24 + plain.eq(7).sum().item());
      }
      const expanded = rg.zeros([1, 4]).expand([6, 4]);
      expect(() => fill(name, expanded)).toThrow(/elements have places of their own/);
      expect(expanded.toArray()).toEqual(rg.zeros([6, 4]).toArray());
    });
  });

  it.each(drawing)('%s: refuses integers, and changes nothing then', (name) => {
    rg.scope(() => {
      const x = rg.zeros([2, 2], { dtype: 'i32' });
      expect(() => fill(name, x)).toThrow(/expected .*f32/);
      expect(x.toArray()).toEqual([
        [0, 0],
        [0, 0],
      ]);
    });
  });
});

it('has a case for every export', () => {
  expect(names.sort()).toEqual(Object.keys(init).sort());
});
