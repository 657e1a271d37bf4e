// A tensor in JavaScript: what it prints, converts to and refuses; that nobody can make it lie; and view().

import { inspect } from 'node:util';
import { serialize } from 'node:v8';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  ArgumentError,
  arange,
  compile,
  DtypeError,
  FreedError,
  full,
  GradError,
  init,
  ones,
  ShapeError,
  scope,
  shutdown,
  Tensor,
  tensor,
  zeros,
} from '../bindings/index.ts';

beforeAll(() => init());
afterAll(() => shutdown());

/** What `fn` throws. */
function thrown(fn: () => unknown): Error {
  try {
    fn();
  } catch (error) {
    return error as Error;
  }
  throw new Error('expected it to throw');
}

describe('text', () => {
  const cases: [Tensor: () => Tensor, text: string][] = [
    [() => tensor(3), 'tensor(3)'],
    [() => tensor(0.5, { requiresGrad: true }), 'tensor(0.5000, { requiresGrad: true })'],
    [() => tensor([1, 20, -3]), 'tensor([ 1, 20, -3])'],
    [
      () =>
        tensor([
          [1.5, 2],
          [-3, Number.NaN],
        ]),
      'tensor([[ 1.5000,  2.0000],\n        [-3.0000,     NaN]])',
    ],
    [
      () =>
        tensor([
          [[1], [2]],
          [[3], [4]],
        ]),
      'tensor([[[1],\n         [2]],\n\n        [[3],\n         [4]]])',
    ],
    [() => tensor([2 ** 31 - 1, -1], { dtype: 'i32' }), "tensor([2147483647,         -1], { dtype: 'i32' })"],
    [() => tensor([1, 0], { dtype: 'u8' }), "tensor([1, 0], { dtype: 'u8' })"],
    [() => tensor([16777216, 1]), 'tensor([16777216,        1])'],
    [() => tensor([1e-9, 5]), 'tensor([1.0000e-9, 5.0000e+0])'],
    [() => tensor([1e9, Number.NEGATIVE_INFINITY]), 'tensor([1.0000e+9, -Infinity])'],
    [() => tensor([Number.POSITIVE_INFINITY, Number.NaN]), 'tensor([Infinity,      NaN])'],
    [() => zeros([0, 3]), 'tensor([], { shape: [0, 3] })'],
    [() => zeros([1001], { dtype: 'u8' }), "tensor([0, 0, 0, …, 0, 0, 0], { shape: [1001], dtype: 'u8' })"],
    [() => arange(6).reshape([2, 3]).t(), 'tensor([[0, 3],\n        [1, 4],\n        [2, 5]])'],
    [
      () => arange(2100).reshape([2, 1050]),
      'tensor([[   0,    1,    2, …, 1047, 1048, 1049],\n        [1050, 1051, 1052, …, 2097, 2098, 2099]], { shape: [2, 1050] })',
    ],
  ];
  it.each(cases)('%#', (make, text) => {
    scope(() => {
      const x = make();
      expect(x.toString()).toBe(text);
      expect(inspect(x)).toBe(text);
      expect(inspect({ x }).replace(/\n {5}/g, '\n')).toContain(text.split('\n')[0]);
    });
  });

  it('breaks long rows within 80 columns', () => {
    const lines = scope(() => arange(1000).mul(1.5).toString()).split('\n');
    expect(lines.length).toBeGreaterThan(100);
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(82);
  });

  it('reads only what it prints of a large one', () => {
    scope(() => {
      const x = zeros([2000, 3000]);
      expect(x.toString().split('\n')).toHaveLength(7);
      expect(zeros([9, 9, 9, 9]).toString().match(/0/g)).toHaveLength(6 ** 4);
    });
  });

  it('is there for freed ones, and for those that compile() traces', () => {
    const x = ones([2, 3]);
    x.dispose();
    expect(`${x}`).toBe('tensor(freed, { shape: [2, 3] })');
    const seen: string[] = [];
    const f = compile((y: Tensor) => {
      seen.push(String(y), `${y.sum()}`);
      return y.neg();
    });
    scope(() => f(ones([2])));
    expect(seen.slice(0, 2)).toEqual(['tensor(traced, { shape: [2] })', 'tensor(traced, { shape: [] })']);
  });
});

describe('one number', () => {
  it('converts', () => {
    scope(() => {
      const loss = tensor([[1.5]], { requiresGrad: true }).sum();
      let total = 0;
      // @ts-expect-error TypeScript wants a number here; JavaScript does not
      total += loss;
      expect(total).toBe(1.5);
      expect(+loss).toBe(1.5);
      expect(Number(tensor([[7]], { dtype: 'i32' }))).toBe(7);
      expect((loss as unknown as number) > 1).toBe(true);
      expect((loss as unknown as number) < 1).toBe(false);
      expect(Math.max(loss as unknown as number, 1)).toBe(1.5);
      expect(`${loss} ${tensor([2])}`).toBe('1.5 tensor([2])');
    });
  });

  it('does not come from several, none, or freed ones', () => {
    scope(() => {
      const x = tensor([1, 2]) as unknown as number;
      for (const fn of [() => +x, () => x + 1, () => x > 1, () => Number(zeros([0])), () => `a${x * 2}`]) {
        expect(thrown(fn)).toBeInstanceOf(ShapeError);
        expect(thrown(fn).message).toMatch(/^tensor: expected one element where .*, got shape \[[02]\]; use add\(\)/);
      }
      const freed = tensor(1);
      freed.dispose();
      expect(thrown(() => +freed)).toBeInstanceOf(FreedError);
    });
  });
});

describe('JSON', () => {
  it('has dtype, shape and values', () => {
    scope(() => {
      const x = tensor([
        [1, 2.5],
        [Number.NaN, Number.NEGATIVE_INFINITY],
      ]);
      expect(JSON.parse(JSON.stringify({ x }))).toEqual({
        x: {
          dtype: 'f32',
          shape: [2, 2],
          values: [
            [1, 2.5],
            ['NaN', '-Infinity'],
          ],
        },
      });
      expect(JSON.stringify(tensor(3, { dtype: 'u8' }))).toBe('{"dtype":"u8","shape":[],"values":3}');
    });
  });

  it('is small for large ones', () => {
    scope(() => {
      const text = JSON.stringify([zeros([2000, 2000]), zeros([5, 5, 5, 5, 5])]);
      expect(text.length).toBeLessThan(20_000);
      expect(JSON.parse(text)[0]).toMatchObject({
        dtype: 'f32',
        shape: [2000, 2000],
        text: expect.stringMatching(/^tensor\(\[\[0, 0, 0, …/),
      });
    });
  });
});

describe('structured clones', () => {
  it('throw, and say what to send', () => {
    const compiled = compile((x: Tensor) => x.mul(2));
    scope(() => {
      const x = ones([3], { requiresGrad: true });
      const kinds = [x, x.mul(2), x.detach(), x.mul(2).t(), compiled(x.detach()), zeros([4], { dtype: 'u8' })];
      for (const value of [...kinds, { deep: [{ x }] }, new Map([[1, x]])])
        for (const clone of [structuredClone, serialize, (v: unknown) => new MessageChannel().port1.postMessage(v)])
          expect(thrown(() => clone(value)).message).toMatch(/send x\.data and x\.shape .*could not be cloned/);
    });
  });
});

describe('rows', () => {
  it('are the views that unbind() gives', () => {
    scope(() => {
      const x = tensor([
        [1, 2],
        [3, 4],
        [5, 6],
      ]);
      const seen: unknown[] = [];
      for (const row of x.unbind()) seen.push(row.toArray());
      expect(seen).toEqual(x.toArray());
      x.unbind()[1]?.fill_(0);
      expect(x.unbind(1).map((column) => column.toArray())).toEqual([
        [1, 0, 5],
        [2, 0, 6],
      ]);
      expect(x.unbind({ dim: -1 })).toHaveLength(2);
      expect(zeros([0, 2]).unbind()).toEqual([]);
      expect(thrown(() => tensor(1).unbind())).toBeInstanceOf(ShapeError);
    });
  });

  it('give gradients', () => {
    scope(() => {
      const x = tensor([[1, 2], [3, 4]], { requiresGrad: true }); // biome-ignore format: one line
      let sum = tensor(0);
      for (const row of x.unbind()) sum = sum.add(row.pow(2).sum());
      sum.backward();
      expect(x.grad?.toArray()).toEqual([
        [2, 4],
        [6, 8],
      ]);
    });
  });

  it('are not what equality in tests goes through: a tensor is no iterable', () => {
    scope(() => {
      const x = zeros([100, 100]);
      expect(Symbol.iterator in x).toBe(false);
      expect({ x }).toEqual({ x });
      expect({ x }).not.toEqual({ x: ones([100, 100]) });
    });
  });
});

describe('nobody can make a tensor lie', () => {
  it('by its shape or strides', () => {
    scope(() => {
      const x = tensor([
        [1, 2, 3],
        [4, 5, 6],
      ]);
      const y = x.t();
      for (const t of [x, y, x.reshape([6])])
        for (const key of ['shape', 'strides'] as const) {
          const before = [...t[key]];
          const list = t[key] as number[];
          list[0] = 100;
          list.push(7);
          expect(t[key]).toEqual(before);
        }
      const shape = [2, 3];
      const made = [
        zeros(shape),
        full(shape, 1),
        tensor(new Float32Array(6), { shape }),
        x.view(shape),
        x.reshape(shape),
      ];
      shape[0] = 1000;
      for (const t of made) expect(t.shape).toEqual([2, 3]);
      expect(x.add(1).toArray()).toEqual([
        [2, 3, 4],
        [5, 6, 7],
      ]);
    });
  });

  it('by what is read-only', () => {
    scope(() => {
      const x = ones([2]).mul(2) as unknown as Record<string, unknown>;
      for (const key of ['shape', 'strides', 'size', 'dtype', 'offset', 'ndim', 'isLeaf', 'retainsGrad', 'data'])
        expect(() => {
          x[key] = 3;
        }, key).toThrow(TypeError);
      expect(String(x)).toBe('tensor([2, 2])');
    });
  });

  it('by requiresGrad', () => {
    scope(() => {
      const x = ones([2]);
      x.requiresGrad = true;
      expect(x.requiresGrad).toBe(true);
      const result = x.mul(2);
      const set = (t: Tensor, value: unknown) => () => {
        t.requiresGrad = value as boolean;
      };
      expect(thrown(set(zeros([1], { dtype: 'i32' }), true))).toBeInstanceOf(DtypeError);
      expect(thrown(set(result, false))).toBeInstanceOf(ArgumentError);
      for (const value of [1, 'yes', null, {}]) expect(thrown(set(x, value))).toBeInstanceOf(ArgumentError);
      expect(x.requiresGrad && result.requiresGrad).toBe(true);
    });
  });

  it('by making one', () => {
    const Class = Tensor as unknown as new (...args: unknown[]) => Tensor;
    for (const args of [[], [[1, 2]], [{ freed: false, bytes: 4, ptr: 0 }, 'f32', [1]]])
      expect(thrown(() => new Class(...args))).toBeInstanceOf(ArgumentError);
  });
});

describe('PyTorch’s names', () => {
  it('dim and numel', () => {
    scope(() => {
      const x = zeros([2, 3, 0]);
      expect([x.dim(), x.ndim, x.numel(), x.size]).toEqual([3, 3, 0, 0]);
    });
  });

  it('retainGrad', () => {
    scope(() => {
      const leaf = ones([2], { requiresGrad: true });
      const y = leaf.mul(3);
      expect(y.retainsGrad).toBe(false);
      expect(y.retainGrad().retainsGrad).toBe(true);
      expect(leaf.retainGrad().retainsGrad).toBe(false); // as in PyTorch: leaves keep theirs anyway
      y.sum().backward();
      expect(y.grad?.toArray()).toEqual([1, 1]);
      expect(thrown(() => ones([1]).retainGrad())).toBeInstanceOf(GradError);
    });
  });
});

describe('methods that take no arguments', () => {
  it.each(['dim', 'numel', 'isContiguous', 'retainGrad', 'clearGrad', 'detach', 'item', 'toArray', 'keep', 'dispose'])(
    'refuse them: %s',
    (name) => {
      scope(() => {
        const x = tensor([2], { requiresGrad: true });
        const method = (x as unknown as Record<string, (...args: unknown[]) => unknown>)[name] as () => unknown;
        for (const args of [[1], [null], [{ retainGraph: true }], ['x', 2]]) {
          const error = thrown(() => method.apply(x, args as []));
          expect(error).toBeInstanceOf(ArgumentError);
          expect(error.message).toMatch(new RegExp(`^${name}: expected no (arguments|options), got `));
        }
        expect(x.requiresGrad && x.item()).toBe(2); // not disposed of
        method.call(x);
      });
    },
  );

  it('but requiresGrad_ takes one', () => {
    scope(() => {
      const x = ones([1]);
      expect(x.requiresGrad_().requiresGrad).toBe(true);
      expect(x.requiresGrad_(false).requiresGrad).toBe(false);
      expect(x.requiresGrad_({ requiresGrad: true }).requiresGrad).toBe(true);
      for (const args of [[1], ['no'], [true, true], [{ requires_grad: false }], [null]])
        expect(thrown(() => (x.requiresGrad_ as (...a: unknown[]) => unknown)(...args)).message).toMatch(
          /^requiresGrad_: expected/,
        );
      expect(x.requiresGrad).toBe(true);
    });
  });
});
