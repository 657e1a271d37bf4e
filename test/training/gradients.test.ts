// Gradients are checked where they are set, and calls that write them write all of them or none.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as r from '../../bindings/index.ts';
import { ArgumentError, DtypeError, FreedError, optim, RetrogradError, type Tensor } from '../../bindings/index.ts';
import { failAllocations, imageOf, numbered, wrongGradients } from '../support/failures.ts';

beforeAll(() => r.init());
afterAll(() => r.shutdown());

const test = (name: string, body: () => void): void => it(name, () => r.scope(body));
const SHAPE = [3, 4];
const leaf = (from = 0): Tensor => numbered(SHAPE, from).requiresGrad_();
const wrong = Object.entries(wrongGradients);

describe('the gradient that is set', () => {
  it.each(wrong)('is not %s', (_, make) =>
    r.scope(() => {
      const p = leaf();
      p.grad = numbered(SHAPE);
      const before = imageOf([p]);
      expect(() => {
        p.grad = make(SHAPE) as Tensor;
      }).toThrow(RetrogradError);
      expect(imageOf([p])).toEqual(before);
    }),
  );

  test('is not the tensor itself, nor that of integers', () => {
    const p = leaf();
    expect(() => {
      p.grad = p;
    }).toThrow(/^grad: expected another tensor as the gradient, got the tensor itself; use clone\(\)$/);
    expect(() => {
      r.tensor(Int32Array.of(1, 2)).grad = r.tensor([1, 2]);
    }).toThrow(DtypeError);
  });

  test('may be taken away by null and undefined', () => {
    const p = leaf();
    for (const nothing of [null, undefined]) {
      p.grad = numbered(SHAPE);
      p.grad = nothing;
      expect(p.grad).toBeNull();
    }
  });

  test('stays the user’s: letting go of it does not free its memory, nor that of its whole', () => {
    const p = leaf();
    const whole = numbered([2, ...SHAPE]);
    const half = whole.narrow(0, 1, 1).reshape(SHAPE);
    p.grad = half;
    p.clearGrad();
    expect([whole.data.length, half.data.length]).toEqual([24, 12]);
    p.grad = half;
    p.sum().backward();
    expect(half.data[0]).toBeCloseTo((whole.data[12] as number) + 0, 6);
    p.dispose();
    expect(half.data.length).toBe(12);
  });
});

describe('the gradient that backward() is given', () => {
  const readable = ['expanded', 'transposed', 'stepped'];
  it.each(wrong.filter(([name]) => !readable.includes(name)))('is not %s', (_, make) =>
    r.scope(() => {
      const p = leaf();
      const y = p.mul(2);
      const before = imageOf([p]);
      expect(() => y.backward(make(SHAPE) as Tensor)).toThrow(RetrogradError);
      expect(() => r.grad(y, [p], { gradOutputs: [make(SHAPE) as Tensor] })).toThrow(RetrogradError);
      expect(imageOf([p])).toEqual(before);
      y.sum().backward(); // the graph is as it was
    }),
  );

  test('may have any strides', () => {
    const p = leaf();
    for (const g of [r.tensor([[3]]).expand(SHAPE), numbered([4, 3]).transpose(0, 1)]) {
      p.clearGrad();
      p.mul(2).backward(g);
      expect(p.grad?.toArray()).toEqual(g.mul(2).toArray());
    }
  });

  test('may be the gradient of a leaf itself, which gets a copy', () => {
    const p = leaf();
    const g = numbered(SHAPE, 5);
    p.backward(g);
    p.backward(g);
    expect(p.grad?.toArray()).toEqual(g.mul(2).toArray());
    expect(g.toArray()).toEqual(numbered(SHAPE, 5).toArray());
  });

  test('is one for each output of grad()', () => {
    const p = leaf();
    const y = p.mul(2);
    for (const gradOutputs of [[], [r.ones(SHAPE), r.ones(SHAPE)]])
      expect(() => r.grad(y, [p], { gradOutputs })).toThrow(ArgumentError);
    expect(r.grad(y, p, { gradOutputs: r.ones(SHAPE) })[0]?.toArray()).toEqual(r.full(SHAPE, 2).toArray());
  });
});

describe('backward()', () => {
  it.each(wrong)('changes nothing where the last gradient is %s', (_, make) =>
    r.scope(() => {
      const ps = [leaf(), leaf(1), leaf(2)];
      const loss = (): Tensor => ps.reduce((sum, p) => sum.add(p.square().sum()), r.tensor(0));
      loss().backward();
      ps[2]?.takeGrad(make(SHAPE) as Tensor);
      const before = imageOf(ps.slice(0, 2));
      for (const createGraph of [false, true]) {
        const root = loss();
        expect(() => root.backward(undefined, { createGraph })).toThrow(RetrogradError);
        expect(imageOf(ps.slice(0, 2))).toEqual(before);
        ps[2]?.takeGrad(null);
        root.backward(); // which is there still
        ps[2]?.takeGrad(make(SHAPE) as Tensor);
        for (const p of ps.slice(0, 2)) p.clearGrad();
        r.scope(() => {
          for (const p of ps.slice(0, 2)) p.square().sum().backward();
        });
      }
    }),
  );

  test('changes nothing when memory runs out, wherever it does', () => {
    const ps = [leaf(), leaf(1)];
    for (const createGraph of [false, true]) {
      for (const p of ps) p.clearGrad();
      ps[0]?.square().sum().backward();
      const before = imageOf(ps);
      const { blocks } = r.backend().memory;
      const root = ps.reduce((sum, p) => sum.add(p.tanh().square().sum()), r.tensor(0));
      const failures = failAllocations(
        () => root.backward(undefined, { createGraph, retainGraph: true }),
        () => expect(imageOf(ps)).toEqual(before),
      );
      expect(failures).toBeGreaterThan(3);
      expect(imageOf(ps)).not.toEqual(before);
      if (!createGraph) expect(r.backend().memory.blocks).toBeGreaterThan(blocks);
    }
  });

  test('adds to the gradients of given inputs only', () => {
    const [a, b] = [leaf(), leaf(1)];
    const y = a.mul(b);
    y.sum().backward(undefined, { inputs: [b] });
    expect([a.grad, b.grad?.toArray()]).toEqual([null, a.toArray()]);
    expect(() =>
      a
        .mul(b)
        .sum()
        .backward(undefined, { inputs: [r.ones([2])] }),
    ).toThrow(/^backward: expected inputs that require a gradient, got one of shape \[2\] that does not/);
  });
});

describe('what backward() takes', () => {
  test('is what PyTorch takes, by position or by name', () => {
    const p = leaf();
    const y = p.square();
    const g = numbered(SHAPE, 3);
    const expected = p.mul(g).mul(2).toArray();
    for (const call of [
      () => y.backward(g, true),
      () => y.backward(g, { retainGraph: true }),
      () => y.backward({ gradient: g, retainGraph: true }),
      () => y.backward(g, null, true),
      () => r.backward(y, g, true, false, [p]),
    ]) {
      p.clearGrad();
      call();
      expect(p.grad?.toArray()).toEqual(expected);
    }
    const loss = y.sum();
    loss.backward({ retainGraph: true });
    loss.backward({ retainGraph: false });
    expect(() => loss.backward()).toThrow(/^backward: expected the values that \w+ saved, got a graph that was walked/);
  });

  test('and nothing else', () => {
    const p = leaf();
    const y = p.square().sum();
    for (const args of [
      [1],
      [true],
      ['x'],
      [null, 1],
      [null, null, 1],
      [null, null, false, 3],
      [{ retain_graph: true }],
      [{}, {}],
    ])
      expect(() => (y.backward as (...rest: unknown[]) => void)(...args), JSON.stringify(args)).toThrow(ArgumentError);
    expect(() => y.backward({ retain_graph: true } as never)).toThrow(/did you mean retainGraph\?$/);
    expect(p.grad).toBeNull();
    y.backward();
  });
});

describe('the tape', () => {
  test('is off in noGrad, on in enableGrad, and set by setGradEnabled', () => {
    const p = leaf();
    const seen = (): boolean[] => [r.isGradEnabled(), p.mul(2).requiresGrad];
    expect(seen()).toEqual([true, true]);
    expect(r.noGrad(seen)).toEqual([false, false]);
    expect(r.noGrad(() => r.enableGrad(seen))).toEqual([true, true]);
    expect(r.setGradEnabled(false, seen)).toEqual([false, false]);
    r.setGradEnabled(false);
    expect(seen()).toEqual([false, false]);
    r.setGradEnabled(true);
    expect(seen()).toEqual([true, true]);
  });

  test('is as it was after a throw, whose error keeps its name', () => {
    for (const run of [r.noGrad, r.enableGrad, (fn: () => void) => r.setGradEnabled(false, fn)]) {
      expect(() => run(() => numbered([2]).add(numbered([3])))).toThrow(/^add: /);
      expect(r.isGradEnabled()).toBe(true);
    }
  });

  it('takes no asynchronous function, and leaves no rejection behind', async () => {
    for (const [name, run] of Object.entries({ noGrad: r.noGrad, enableGrad: r.enableGrad })) {
      const call = (): unknown => run(() => Promise.reject(new Error('lost')));
      expect(call).toThrow(new RegExp(`^${name}: expected a synchronous function, got one that returns a promise`));
      expect(() => run(3 as never)).toThrow(new RegExp(`^${name}: expected a function as fn, got 3`));
    }
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(r.isGradEnabled()).toBe(true);
  });
});

describe('grad()', () => {
  test('takes one input alone, and gives zeros for what takes no part where it is asked to', () => {
    const [a, b] = [leaf(), leaf(1)];
    expect(r.grad(a.sum(), a)[0]?.toArray()).toEqual(r.ones(SHAPE).toArray());
    const [, zeros] = r.grad(a.sum(), [a, b], { materializeGrads: true });
    expect(zeros?.toArray()).toEqual(r.zeros(SHAPE).toArray());
    expect(() => r.grad(a.sum(), [r.ones(SHAPE)])).toThrow(/expected inputs that require a gradient/);
  });

  test('leaves the graph where an input takes no part', () => {
    const [a, b] = [leaf(), leaf(1)];
    const y = a.square().sum();
    expect(() => r.grad(y, [b])).toThrow(/to take part in the outputs/);
    y.backward();
    expect(a.grad).not.toBeNull();
  });
});

describe('clipping', () => {
  const clips: Record<string, (ps: readonly Tensor[]) => unknown> = {
    clipGradNorm: (ps) => optim.clipGradNorm(ps, 0.1),
    'clipGradNorm of another order': (ps) => optim.clipGradNorm(ps, 0.1, { normType: 3 }),
    clipGradValue: (ps) => optim.clipGradValue(ps, 0.1),
  };
  const prepared = (): Tensor[] => {
    const ps = [leaf(), leaf(1), leaf(2)];
    for (const p of ps) p.square().sum().backward();
    return ps;
  };

  describe.each(Object.entries(clips))('%s', (_, clip) => {
    it.each(wrong)('changes nothing where the last gradient is %s', (__, make) =>
      r.scope(() => {
        const ps = prepared();
        ps[2]?.takeGrad(make(SHAPE) as Tensor);
        const before = imageOf(ps.slice(0, 2));
        expect(() => clip(ps)).toThrow(RetrogradError);
        expect(imageOf(ps.slice(0, 2))).toEqual(before);
      }),
    );

    test('changes nothing when memory runs out, wherever it does', () => {
      const ps = prepared();
      const before = imageOf(ps);
      failAllocations(
        () => clip(ps),
        () => expect(imageOf(ps)).toEqual(before),
      );
      expect(imageOf(ps)).not.toEqual(before);
    });

    test('takes a tensor, a list or any iterable of them, and nothing else', () => {
      const ps = prepared();
      clip(new Set(ps) as unknown as Tensor[]);
      clip(ps[0] as unknown as Tensor[]);
      for (const bad of [null, undefined, 3, 'abc', {}, [1], [null], [ps]])
        expect(() => clip(bad as unknown as Tensor[])).toThrow(ArgumentError);
    });
  });

  test('of a freed gradient is a FreedError', () => {
    const p = leaf();
    p.grad = numbered(SHAPE);
    p.grad.dispose();
    expect(() => optim.clipGradValue([p], 1)).toThrow(FreedError);
  });
});
