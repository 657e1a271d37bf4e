// The functions that are computed and not just rounded, over f32s of every exponent, against f64. The bounds are those
// that the kernels' docstrings name.
import { describe, expect, it } from 'vitest';
import { type Unary, unary } from '../../reference/elementwise.ts';
import { power } from '../../reference/special.ts';
import { type Build, builds, KernelBench, ulps } from '../support/kernels.ts';

const bounds = {
  exp: 2,
  expm1: 2,
  log: 2,
  log1p: 2,
  erf: 3,
  sin: 2,
  cos: 2,
  tanh: 3,
  sigmoid: 3,
  gelu: 4,
  gelu_tanh: 3,
  silu: 3,
  mish: 4,
  softsign: 2,
  rsqrt: 1.5,
  elu: 2,
  selu: 3,
  softplus: 3,
};
const scalarsOf: Partial<Record<keyof typeof bounds, [number, number]>> = { elu: [1, 0], softplus: [1, 20] };
const odd = ['erf', 'sin', 'tanh', 'softsign'] as const;

const COUNT = 1 << 16;
const BLOCK = 1 << 13;
const GOLDEN = 0x9e3779b1;

/** f32s whose bits are spread evenly over all patterns, with every kind of low bits. */
function patterns(count: number, seed: number): Float32Array {
  const bits = new Uint32Array(count);
  for (let i = 0; i < count; i++) bits[i] = Math.imul(i + seed, GOLDEN);
  return new Float32Array(bits.buffer);
}

describe.each(builds)('functions, %s', (build: Build) => {
  const bench = new KernelBench(build);

  function apply(name: string, x: Float32Array, scalars: readonly number[]): Float32Array {
    bench.reset();
    const out = bench.f32(x.length);
    bench.run(`${name}_forward_f32`, out, bench.f32(x), x.length, ...scalars);
    return bench.readF32(out, x.length);
  }

  for (const name of Object.keys(bounds) as (keyof typeof bounds)[]) {
    it(`${name} is within ${bounds[name]} units of the last place`, () => {
      const op: Unary = unary[name];
      const [p, q] = scalarsOf[name] ?? [0, 0];
      let worst = 0;
      let where = 0;
      for (let from = 0; from < COUNT; from += BLOCK) {
        const x = patterns(BLOCK, from);
        const y = apply(name, x, scalarsOf[name] ?? []);
        for (let i = 0; i < BLOCK; i++) {
          const off = ulps(y[i] as number, op.forward(x[i] as number, p, q));
          if (off > worst) [worst, where] = [off, x[i] as number];
        }
      }
      expect(worst, `at ${where}`).toBeLessThanOrEqual(bounds[name]);
    });
  }

  it('odd functions are odd, to the bit', () => {
    for (const name of odd) {
      const x = patterns(BLOCK, 1);
      const mirrored = apply(
        name,
        x.map((v) => -v),
        [],
      ).map((v) => -v);
      expect(mirrored).toEqual(apply(name, x, []));
    }
  });

  it('tanh, erf and sigmoid never leave their range', () => {
    const x = Float32Array.from({ length: BLOCK }, (_, i) => (i - BLOCK / 2) / 128);
    for (const [name, low] of [
      ['tanh', -1],
      ['erf', -1],
      ['sigmoid', 0],
    ] as const) {
      const y = apply(name, x, []);
      expect(Math.min(...y)).toBeGreaterThanOrEqual(low);
      expect(Math.max(...y)).toBe(1);
    }
  });

  it('sin and cos hold at multiples of pi/2, near and far', () => {
    const turns = Float32Array.from({ length: 4096 }, (_, i) => (i < 2048 ? i : 1.37 ** (i % 250) * i) * (Math.PI / 2));
    // The f32 that comes nearest to a multiple of pi/2, and its like.
    turns.set([16367173 * 2 ** 72, -16367173 * 2 ** 72, 9570924 * 2 ** 51, 3.4028234663852886e38]);
    for (const name of ['sin', 'cos'] as const) {
      const y = apply(name, turns, []);
      turns.forEach((x, i) => {
        expect(ulps(y[i] as number, Math[name](x)), `${name}(${x})`).toBeLessThanOrEqual(2);
      });
    }
  });

  it('pow is within 0.6 units of the last place', () => {
    let worst = 0;
    let where = '';
    for (let from = 0; from < COUNT; from += BLOCK) {
      const a = patterns(BLOCK, from).map(Math.abs);
      // Exponents that leave most results between the least denormal and the greatest number.
      const b = a.map((v, i) => {
        const most = 150 / Math.max(1e-30, Math.abs(Math.log2(v)));
        return i % 8 === 0 ? Math.round(i / 16 - 256) : most * (((i * 13) % 1024) / 512 - 1);
      });
      bench.reset();
      const out = bench.f32(BLOCK);
      bench.run('pow_forward_f32', out, bench.f32(a), bench.f32(b), bench.i32([1, BLOCK, 1, 1]));
      const y = bench.readF32(out, BLOCK);
      for (let i = 0; i < BLOCK; i++) {
        const off = ulps(y[i] as number, power(a[i] as number, b[i] as number));
        if (off > worst) [worst, where] = [off, `${a[i]} ** ${b[i]}`];
      }
    }
    expect(worst, where).toBeLessThanOrEqual(0.6);
  });
});
