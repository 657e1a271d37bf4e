import { describe, expect, it } from 'vitest';
import { high, kept as keptBy, philox, type Words, words } from '../../reference/philox.ts';
import { builds, KernelBench, sizes } from '../support/kernels.ts';

/** key0, key1, counterLow, counterHigh. */
type State = Words;

const states: State[] = [
  [0, 0, 0, 0],
  [0xa4093822, 0x299f31d0, 0x243f6a88, 0x85a308d3],
  [0xffffffff, 0xffffffff, 0xfffffffe, 7], // carries into the high word within a vector
  [1, 2, 0xffffffff, 0xffffffff], // wraps around
];
const STATE: State = [12345, 678, 90, 0];

const unit = (w: number) => (w >>> 8) * 2 ** -24;
const moments = (x: Float32Array) => {
  const mean = x.reduce((sum, v) => sum + v, 0) / x.length;
  const central = (k: number) => x.reduce((sum, v) => sum + (v - mean) ** k, 0) / x.length;
  const std = Math.sqrt(central(2));
  return { mean, std, skew: central(3) / std ** 3, kurtosis: central(4) / std ** 4 };
};

it.each([
  [
    '00000000 00000000 00000000 00000000',
    '00000000 00000000',
    '6627e8d5 e169c58d bc57ac4c 9b00dbd8',
    '5f6fb709 0d893f64 4f121f81 4f730a48',
  ],
  [
    'ffffffff ffffffff ffffffff ffffffff',
    'ffffffff ffffffff',
    '408f276d 41c83b0e a20bc7c6 6d5451fd',
    '5207ddc2 45165e59 4d8ee751 8c52f662',
  ],
  [
    '243f6a88 85a308d3 13198a2e 03707344',
    'a4093822 299f31d0',
    'd16cfe09 94fdcceb 5001e420 24126ea1',
    '4dfccaba 190a87f0 c47362ba b6b5242a',
  ],
])('the reference gives the answers published with Random123: %s', (counter, key, answer, early) => {
  const hex = (text: string) => text.split(' ').map((w) => Number.parseInt(w, 16));
  expect(philox(hex(counter) as unknown as Words, hex(key) as unknown as [number, number])).toEqual(hex(answer));
  expect(philox(hex(counter) as unknown as Words, hex(key) as unknown as [number, number], 7)).toEqual(hex(early));
});

describe.each(builds)('%s', (build) => {
  const bench = new KernelBench(build);
  const statePointer = (state: State) => bench.i32(state.map((w) => w | 0));

  /** n f32 of a kernel that takes (out, n, first, ...scalars, state). */
  function drawn(kernel: string, n: number, scalars: number[], state: State = STATE) {
    bench.reset();
    const out = bench.f32(n);
    bench.run(kernel, out, n, 0, ...scalars, statePointer(state));
    return bench.readF32(out, n);
  }

  it.each(states)('randint_i32 is Philox, scaled, under key %i %i from counter %i %i', (...state) => {
    for (const n of [...sizes, 2, 6, 7, 19, 63, 64, 65]) {
      bench.reset();
      const [out, pointer] = [bench.i32(n), statePointer(state)];
      bench.run('randint_i32', out, n, 0, 0, 0, pointer);
      expect(Uint32Array.from(bench.readI32(out, n), (w) => w >>> 0)).toEqual(words(state, n));
      bench.run('randint_i32', out, n, 0, -5, 1000, pointer);
      expect([...bench.readI32(out, n)]).toEqual(Array.from(words(state, n), (w) => high(w, 1000) - 5));
      expect([...bench.readI32(pointer, 4)].map((w) => w >>> 0)).toEqual(state);
    }
  });

  it('random_advance moves by whole blocks, with the carry', () => {
    for (const [n, low, expected] of [
      [0, 5, [5, 1]],
      [1, 5, [6, 1]],
      [4, 5, [6, 1]],
      [5, 5, [7, 1]],
      [2 ** 31 - 1, 0, [2 ** 29, 1]],
      [8, 0xffffffff, [1, 2]],
    ] as const) {
      bench.reset();
      const pointer = statePointer([3, 4, low, 1]);
      bench.run('random_advance', pointer, n);
      expect([...bench.readI32(pointer, 4)].map((w) => w >>> 0)).toEqual([3, 4, ...expected]);
    }
  });

  it('a draw cut at a block is the same draw', () => {
    for (const [kernel, scalars] of [
      ['uniform_f32', [-1, 1]],
      ['normal_f32', [0, 1]],
      ['bernoulli_f32', [0.3]],
    ] as const) {
      const whole = drawn(kernel, 100, [...scalars]);
      for (const cut of [4, 36, 64]) {
        const rest = drawn(kernel, 100 - cut, [...scalars], [STATE[0], STATE[1], STATE[2] + cut / 4, STATE[3]]);
        expect([...drawn(kernel, cut, [...scalars]), ...rest]).toEqual([...whole]);
      }
    }
  });

  it.each([
    [0, 1],
    [-2, 3],
    [1, 2],
    [-2, -1],
    [-1, 0],
    [5, 5],
  ])('uniform_f32 lies in [%d, %d) and is spread evenly', (low, top) => {
    for (const n of sizes) {
      const bits = words(STATE, n);
      for (const [i, v] of drawn('uniform_f32', n, [low, top]).entries()) {
        expect(v).toBeCloseTo(low + (top - low) * unit(bits[i] as number), 5);
      }
    }
    const x = drawn('uniform_f32', 100_000, [low, top]);
    expect(Math.min(...x.subarray(0, 50_000), ...x.subarray(50_000))).toBeGreaterThanOrEqual(low);
    if (top > low) expect(x.every((v) => v < top)).toBe(true);
    const { mean, std } = moments(x);
    expect(mean).toBeCloseTo((low + top) / 2, 1);
    expect(std).toBeCloseTo((top - low) / Math.sqrt(12), 1);
  });

  it('uniform_f32 does not reach its upper end by rounding', () => {
    // f32 has eight numbers in this range, and every sixteenth draw is nearest to its end.
    const top = 1 + 2 ** -20;
    const x = drawn('uniform_f32', 1009, [1, top]);
    expect(Math.max(...x)).toBe(top - 2 ** -23);
    expect(Math.min(...x)).toBe(1);
  });

  it('normal_f32 is Box and Muller on pairs of words', () => {
    for (const n of sizes) {
      const bits = words(STATE, (n + 1) & ~1);
      for (const [i, v] of drawn('normal_f32', n, [1, 2]).entries()) {
        const u = (bits[i & ~1] as number) * 2 ** -32 + 2 ** -33;
        const angle = 2 * Math.PI * unit(bits[i | 1] as number);
        const z = Math.sqrt(-2 * Math.log(u)) * (i & 1 ? Math.sin(angle) : Math.cos(angle));
        expect(v).toBeCloseTo(1 + 2 * z, 5);
      }
    }
  });

  it('normal_f32 has the moments and the tail of a normal distribution', () => {
    const x = drawn('normal_f32', 1 << 20, [3, 2]);
    const { mean, std, skew, kurtosis } = moments(x);
    expect(mean).toBeCloseTo(3, 1.5);
    expect(std).toBeCloseTo(2, 1.5);
    expect(skew).toBeCloseTo(0, 1);
    expect(kurtosis).toBeCloseTo(3, 1);
    const beyond = x.filter((v) => Math.abs(v - 3) > 6).length / x.length;
    expect(beyond).toBeCloseTo(0.0027, 3);
    expect(x.every(Number.isFinite)).toBe(true);
  });

  it.each([
    [0, 0],
    [1, 1],
    [0.5, 0.5],
    [0.1, 0.1],
  ])('bernoulli_f32 happens with probability %d', (p, expected) => {
    for (const n of sizes) {
      const threshold = Math.fround(p) * 2 ** 32;
      const want = Float32Array.from(words(STATE, n), (w) => (w < threshold ? 1 : 0));
      expect(drawn('bernoulli_f32', n, [p])).toEqual(want);
    }
    const { mean } = moments(drawn('bernoulli_f32', 100_000, [p]));
    if (p === 0 || p === 1) expect(mean).toBe(expected);
    else expect(mean).toBeCloseTo(expected, 2);
  });

  it('what has probability 1 happens for the greatest word too', () => {
    const state: State = [1, 2, 1560177888, 0];
    expect(words(state, 4)[1]).toBe(0xffffffff);
    expect([...drawn('bernoulli_f32', 4, [1], state)]).toEqual([1, 1, 1, 1]);
  });

  it.each([0, 1e-9, 0.1, 0.5, 1])('dropout with p = %d drops, scales and goes back by the same mask', (p) => {
    for (const n of sizes) {
      for (const inPlace of [false, true]) {
        bench.reset();
        const x = Float32Array.from({ length: n }, (_, i) => i + 1);
        const [xp, mask, state] = [bench.f32(x), bench.u8(n), statePointer(STATE)];
        const out = inPlace ? xp : bench.f32(n);
        bench.run('dropout_forward_f32', out, mask, xp, n, 0, p, state);
        const scale = Math.fround(1 / Math.fround(1 - Math.fround(p)));
        const kept = keptBy(STATE, n, p);
        const scaled = Float32Array.from(x, (v, i) => (kept[i] ? v * scale : 0));
        expect([...bench.readU8(mask, n)]).toEqual(kept);
        expect(bench.readF32(out, n)).toEqual(scaled);
        const dx = bench.f32(n);
        bench.run('dropout_backward_f32', dx, bench.f32(x), mask, n, p);
        expect(bench.readF32(dx, n)).toEqual(scaled);
      }
    }
  });

  it('dropout cut at a block is the same dropout', () => {
    const dropped = (n: number, first: number) => {
      bench.reset();
      const [x, out, mask] = [bench.f32(Array(n).fill(1)), bench.f32(n), bench.u8(n)];
      bench.run('dropout_forward_f32', out, mask, x, n, first, 0.3, statePointer(STATE));
      return [...bench.readU8(mask, n)];
    };
    for (const cut of [16, 48, 64, 80])
      expect([...dropped(cut, 0), ...dropped(100 - cut, cut)]).toEqual(dropped(100, 0));
  });

  it('dropout meets p to more bits than a byte has', () => {
    const [n, p] = [1 << 20, 0.0005];
    bench.reset();
    const [x, mask] = [bench.f32(n), bench.u8(n)];
    bench.run('dropout_forward_f32', x, mask, x, n, 0, p, statePointer(STATE));
    const dropped = n - bench.readU8(mask, n).reduce((sum, keep) => sum + keep, 0);
    expect(Math.abs(dropped - n * p)).toBeLessThan(4 * Math.sqrt(n * p));
  });

  it('a dropped element is 0 whatever it was', () => {
    for (const v of [Number.NaN, Number.POSITIVE_INFINITY]) {
      bench.reset();
      const [x, out, mask] = [bench.f32(Array(7).fill(v)), bench.f32(7), bench.u8(7)];
      bench.run('dropout_forward_f32', out, mask, x, 7, 0, 1, statePointer(STATE));
      expect([...bench.readF32(out, 7)]).toEqual(Array(7).fill(0));
      bench.run('dropout_backward_f32', out, x, mask, 7, 1);
      expect([...bench.readF32(out, 7)]).toEqual(Array(7).fill(0));
    }
  });
});
