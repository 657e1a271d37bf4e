// Making tensors, random ones among them, and reading them.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as r from '../../bindings/index.ts';
import { ArgumentError, functional as F, ShapeError, type Tensor, tensor } from '../../bindings/index.ts';
import { bits } from '../support/tensors.ts';

beforeAll(async () => {
  await r.init();
  r.manualSeed(0); // the generator's state lasts
});
afterAll(() => r.shutdown());

/** A test inside a scope that leaves no block behind. */
function test(name: string, body: () => void): void {
  it(name, () => {
    const before = r.backend().memory;
    r.scope(() => {
      body(); // whose value, if any, is not to outlive the scope
    });
    expect(r.backend().memory.used).toBe(before.used);
    expect(r.backend().memory.blocks).toBe(before.blocks);
  });
}

/** 0, 1, 2 … in a shape. */
const counting = (...shape: number[]): Tensor => r.arange(shape.reduce((a, b) => a * b, 1)).reshape(shape);

describe('making tensors', () => {
  test('from nested and typed arrays', () => {
    expect(
      tensor([
        [1, 2],
        [3, 4],
      ]).shape,
    ).toEqual([2, 2]);
    expect(tensor(5).shape).toEqual([]);
    expect(tensor([]).shape).toEqual([0]);
    expect(tensor([[], []]).shape).toEqual([2, 0]);
    expect(tensor([true, false]).toArray()).toEqual([1, 0]);
    expect(tensor(Int32Array.of(1, 2)).dtype).toBe('i32');
    expect(tensor(Uint8Array.of(1, 2)).dtype).toBe('u8');
    expect(tensor(Float64Array.of(1, 2)).dtype).toBe('f32');
    expect(tensor(Float32Array.of(1, 2, 3, 4), { shape: [2, 2] }).toArray()).toEqual([
      [1, 2],
      [3, 4],
    ]);
    expect(tensor([1, 2], { dtype: 'i32' }).data).toEqual(Int32Array.of(1, 2));
    expect(tensor([1.5], { requiresGrad: true }).requiresGrad).toBe(true);
  });

  test('a typed array is copied', () => {
    const source = Float32Array.of(1, 2);
    const x = tensor(source);
    source[0] = 9;
    expect(x.toArray()).toEqual([1, 2]);
    x.data[1] = 9;
    expect(x.toArray()).toEqual([1, 2]);
  });

  test('refuses what is no tensor', () => {
    const { blocks } = r.backend().memory;
    expect(() => tensor([[1, 2], [3]])).toThrow(ShapeError);
    expect(() => tensor([[1, 2], 3] as never)).toThrow(
      /tensor: expected rows of one length in shape \[2, 2\], got number/,
    );
    expect(() => tensor([1, 2, 3], { shape: [2, 2] })).toThrow(/tensor: expected 4 values for shape \[2, 2\], got 3/);
    expect(() => tensor([1.5], { dtype: 'i32' })).toThrow(
      /expected whole numbers from -2147483648 to 2147483647 for dtype i32, got 1.5$/,
    );
    expect(() => tensor([256], { dtype: 'u8' })).toThrow(ArgumentError);
    expect(() => tensor([1], { dtype: 'f64' as never })).toThrow(ArgumentError);
    expect(() => tensor([1], { dtype: 'i32', requiresGrad: true })).toThrow(/only f32 tensors have gradients/);
    expect(() => tensor(BigInt64Array.of(1n) as never)).toThrow(
      /expected a typed array of numbers, got one of bigints/,
    );
    expect(() => tensor('12' as never)).toThrow(ShapeError);
    expect(() => tensor([1, null] as never)).toThrow(ShapeError);
    expect(() => tensor([1], { shape: [1.5] })).toThrow(ArgumentError);
    expect(r.backend().memory.blocks).toBe(blocks);
  });

  test('constants and sequences', () => {
    expect(r.zeros([2, 2]).toArray()).toEqual([
      [0, 0],
      [0, 0],
    ]);
    expect(r.ones([2], { dtype: 'u8' }).data).toEqual(Uint8Array.of(1, 1));
    expect(r.full([2], -3, { dtype: 'i32' }).data).toEqual(Int32Array.of(-3, -3));
    for (const n of [2 ** 31 - 1, -(2 ** 31), 2 ** 24 + 1]) expect(r.full([], n, { dtype: 'i32' }).item()).toBe(n); // beyond f32's 24 bits
    expect(r.eye(2).toArray()).toEqual([
      [1, 0],
      [0, 1],
    ]);
    expect(r.zerosLike(tensor([1, 2], { dtype: 'i32' })).data).toEqual(Int32Array.of(0, 0));
    expect(r.onesLike(counting(2, 1)).shape).toEqual([2, 1]);
    expect(r.arange(3).toArray()).toEqual([0, 1, 2]);
    expect(r.arange(2, 8, 2.5).toArray()).toEqual([2, 4.5, 7]);
    expect(r.arange(3, 0, -1, { dtype: 'i32' }).data).toEqual(Int32Array.of(3, 2, 1));
    expect(r.arange(0).shape).toEqual([0]);
    expect(r.linspace(0, 1, 5).toArray()).toEqual([0, 0.25, 0.5, 0.75, 1]);
    expect(r.linspace(-1, 0.3, 3).data.at(-1)).toBe(Math.fround(0.3));
    expect(r.linspace(3, 4, 1).toArray()).toEqual([3]);
    expect(() => r.arange(0, 3, -1)).toThrow(ArgumentError);
    expect(() => r.arange(0, 3, 0)).toThrow(ArgumentError);
    expect(() => r.zeros([-1])).toThrow(ShapeError);
    expect(() => r.full([2], 1.5, { dtype: 'u8' })).toThrow(ArgumentError);
    expect(() => r.linspace(0, 1, -2)).toThrow(ShapeError);
  });
});

describe('arrays whose memory was given away', () => {
  it.each([Float32Array, Float64Array, Int32Array, Uint8Array])(
    'are refused, not taken for empty ones: %o',
    (Class) => {
      const sent = new Class(4);
      structuredClone(sent.buffer, { transfer: [sent.buffer] });
      expect(() => tensor(sent)).toThrow(/^tensor: expected numbers, got an array whose buffer was transferred/);
      expect(tensor(new Class(0)).shape).toEqual([0]);
      expect(tensor(new Class(4).subarray(4)).shape).toEqual([0]);
    },
  );
});

describe('random numbers', () => {
  test('repeat to the bit after manualSeed, and go on differently', () => {
    const draws = [
      () => r.rand([7]),
      () => r.randn([5]),
      () => r.bernoulli([9], 0.5),
      () => r.randint(0, 100, [4]),
      () => r.randperm(6),
      () => F.dropout(r.ones([9])),
    ];
    const draw = (): string[] => draws.map((make) => bits(make()));
    for (const make of draws) expect(bits(make()), String(make)).not.toBe(bits(make()));
    r.manualSeed(7);
    const first = draw();
    const second = draw();
    expect(second).not.toEqual(first);
    r.manualSeed(7);
    expect(draw()).toEqual(first);
    const state = r.getRngState();
    const third = draw();
    r.setRngState(state);
    expect(draw()).toEqual(third);
    r.manualSeed(2 ** 40 + 7);
    expect(draw()).not.toEqual(first);
    expect(() => r.manualSeed(-1)).toThrow(ArgumentError);
    expect(() => r.setRngState([1, 2])).toThrow(/expected the 4 words of getRngState\(\), got 2/);
  });

  test('have the moments and the bounds they promise', () => {
    r.manualSeed(1);
    const n = 20000;
    const u = r.rand([n], { low: -1, high: 3 });
    expect(u.mean().item()).toBeCloseTo(1, 1);
    expect(u.var().item()).toBeCloseTo(16 / 12, 1);
    expect(u.min().item()).toBeGreaterThanOrEqual(-1);
    expect(u.max().item()).toBeLessThan(3);
    const z = r.randn([n], { mean: 2, std: 0.5 });
    expect(z.mean().item()).toBeCloseTo(2, 1);
    expect(z.std().item()).toBeCloseTo(0.5, 1);
    const b = r.bernoulli([n], 0.3);
    expect(b.mean().item()).toBeCloseTo(0.3, 1);
    const i = r.randint(-2, 3, [n]);
    expect(i.dtype).toBe('i32');
    expect([...new Set(i.data)].sort((a, c) => a - c)).toEqual([-2, -1, 0, 1, 2]);
    expect([...r.randperm(100).data].sort((a, c) => a - c)).toEqual(Array.from({ length: 100 }, (_, k) => k));
    expect(r.randperm(0).shape).toEqual([0]);
    const dropped = F.dropout(r.ones([n]), { p: 0.25 });
    expect(dropped.mean().item()).toBeCloseTo(1, 1);
    expect(() => r.randint(3, 3, [1])).toThrow(ArgumentError);
    expect(() => r.randint(0, 2 ** 31 + 1, [1])).toThrow(
      /^randint: expected low >= -2147483648 and high <= 2147483648/,
    );
    const wide = r.randint(-(2 ** 31), 2 ** 31, [1000]).data;
    expect([Math.min(...wide) < -(2 ** 30), Math.max(...wide) > 2 ** 30]).toEqual([true, true]);
  });

  test('dropout passes everything when it does not train', () => {
    const x = counting(3);
    expect(F.dropout(x, { training: false })).toBe(x);
    expect(F.dropout(x, { p: 0 })).toBe(x);
    expect(F.dropout(x, { p: 1 }).toArray()).toEqual([0, 0, 0]);
    expect(() => F.dropout(x, { p: 2, training: false })).toThrow(ArgumentError);
  });
});

describe('reading', () => {
  test('item, data, toArray, toString', () => {
    const x = counting(2, 3).transpose(0, 1);
    expect(x.toArray()).toEqual([
      [0, 3],
      [1, 4],
      [2, 5],
    ]);
    expect(x.data).toEqual(Float32Array.of(0, 3, 1, 4, 2, 5));
    expect(x.select(0, 1).select(0, 1).item()).toBe(4);
    expect(tensor(7, { dtype: 'u8' }).item()).toBe(7);
    expect(() => x.item()).toThrow(/item: expected one element, got shape \[3, 2\]/);
    expect(String(tensor([[1, 2.5]]))).toBe('tensor([[1.0000, 2.5000]])');
    expect(x.ndim).toBe(2);
    expect(x.numel()).toBe(6);
    expect(tensor([[]]).toArray()).toEqual([[]]);
  });

  test('to converts and clips', () => {
    const x = tensor([-1.7, 0.2, 300, Number.NaN]);
    expect(x.to('f32')).toBe(x);
    expect(x.to('i32').data).toEqual(Int32Array.of(-1, 0, 300, 0));
    expect(x.to('u8').data).toEqual(Uint8Array.of(0, 0, 255, 0));
    expect(tensor(Int32Array.of(-5, 300)).to('u8').data).toEqual(Uint8Array.of(251, 44)); // the low byte, as in PyTorch
    expect(tensor(Uint8Array.of(200)).to('f32').toArray()).toEqual([200]);
    expect(() => x.to('f16' as never)).toThrow(ArgumentError);
  });
});
