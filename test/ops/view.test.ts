// view(): PyTorch's, which shares memory or throws.
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  arange,
  init,
  RetrogradError,
  ShapeError,
  scope,
  shutdown,
  type Tensor,
  tensor,
} from '../../bindings/index.ts';

beforeAll(() => init());
afterAll(() => shutdown());

/** `n` as a product, in one of several ways, with ones in between. */
function splitOf(n: number, way: number): number[] {
  const factors: number[] = [];
  for (let left = n, f = 2; left > 1; ) {
    if (left % f === 0) {
      factors.push(f);
      left /= f;
    } else f++;
  }
  const parts = way % 2 ? factors : factors.reverse();
  if (way < 2) return [n];
  const joined = way < 4 ? [parts.slice(0, 2).reduce((a, b) => a * b, 1), ...parts.slice(2)] : [1, ...parts];
  return joined.slice(0, 7).concat(joined.length > 7 ? [joined.slice(7).reduce((a, b) => a * b, 1)] : []);
}

describe('view', () => {
  it('takes sizes as a list or one by one, one of them -1', () => {
    scope(() => {
      const x = arange(6);
      for (const y of [x.view(2, 3), x.view([2, 3]), x.view(-1, 3), x.view([2, -1])])
        expect(y.toArray()).toEqual([
          [0, 1, 2],
          [3, 4, 5],
        ]);
      expect(x.view(2, 3).view(-1).shape).toEqual([6]);
      expect(tensor([5]).view([]).shape).toEqual([]);
      expect(tensor([5]).view([]).shape).toEqual([]);
    });
  });

  it('shares memory, and passes gradients on', () => {
    scope(() => {
      const x = arange(6);
      x.view(2, 3).select(0, 1).fill_(9);
      expect(x.toArray()).toEqual([0, 1, 2, 9, 9, 9]);
      const w = arange(6).requiresGrad_();
      w.mul(2).view(3, 2).select(0, 0).sum().backward();
      expect(w.grad?.toArray()).toEqual([2, 2, 0, 0, 0, 0]);
    });
  });

  it.each<[what: string, fn: () => unknown]>([
    ['another number of elements', () => arange(6).view(4)],
    ['two -1', () => arange(6).view(-1, -1)],
    ['a size that -1 cannot fill', () => arange(6).view(4, -1)],
    ['what needs a copy', () => arange(6).view(2, 3).t().view(6)],
    ['a dtype', () => (arange(6).view as (dtype: unknown) => unknown)('i32')],
  ])('refuses %s', (_, fn) => {
    expect(() => scope(fn as () => undefined)).toThrow(RetrogradError);
  });

  it('finds the strides wherever there are any, and only there', () => {
    const dims = fc.array(fc.integer({ min: 1, max: 4 }), { maxLength: 4 });
    const flags = fc.array(fc.boolean(), { minLength: 4, maxLength: 4 });
    const seen = { yes: 0, no: 0 };
    fc.assert(
      fc.property(dims, fc.nat(23), flags, flags, fc.nat(5), (shape, order, stepped, stretched, cut) => {
        scope(() => {
          // A tensor of any strides: permuted, every second element, or stretched.
          const whole = arange(shape.reduce((a, b) => a * b * 2, 1)).view(shape.map((size) => size * 2));
          let x = shape.reduce((y, size, d) => (stepped[d] ? y.slice(d, 0, 2 * size, 2) : y.slice(d, 0, size)), whole);
          const left = shape.map((_, d) => d);
          x = x.permute(shape.map((_, d) => left.splice((order >> d) % left.length, 1)[0] as number));
          x = x.shape.reduce(
            (y, size, d) =>
              stretched[d] && order % 2 ? y.narrow(d, 0, 1).expand(y.shape.map((n, e) => (e === d ? size : n))) : y,
            x,
          );
          const target = splitOf(x.size, cut);
          const addresses = x.toArray().toString() === '' ? [] : ([x.toArray()].flat(9) as number[]);
          // Values are addresses here. Strides that fit are what one step along each dim adds.
          const steps = target.map((_, d) => target.slice(d + 1).reduce((a, b) => a * b, 1));
          const strides = target.map((size, d) =>
            size > 1 ? (addresses[steps[d] as number] as number) - (addresses[0] as number) : 0,
          );
          const fits = addresses.every(
            (address, i) =>
              address ===
              (addresses[0] as number) +
                target.reduce(
                  (sum, size, d) => sum + (Math.floor(i / (steps[d] as number)) % size) * (strides[d] as number),
                  0,
                ),
          );
          let got: Tensor | null = null;
          try {
            got = x.view(target);
          } catch (error) {
            expect(error).toBeInstanceOf(ShapeError);
          }
          expect(got !== null).toBe(fits);
          if (got) expect([got.toArray()].flat(9)).toEqual(addresses);
          seen[fits ? 'yes' : 'no']++;
        });
      }),
      { numRuns: 1500 },
    );
    expect(Math.min(seen.yes, seen.no)).toBeGreaterThan(100);
  });
});
