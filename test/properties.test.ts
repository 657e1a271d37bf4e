// Properties over random shapes, against naive models.
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { backend, concat, init, scope, shutdown, stack, type Tensor, tensor } from '../bindings/index.ts';
import { contiguousStrides, numelOf } from '../bindings/tensor.ts';
import { at, build, commonShape, type Nd, nd, reduceNd, zip } from '../reference/nd.ts';
import { expectClose, toNd } from './support/tensors.ts';

beforeAll(() => init());
afterAll(() => shutdown());

const RUNS = 150;
/** Holds for random inputs, each in a scope of its own that leaves nothing behind. */
function holds<T>(arbitrary: fc.Arbitrary<T>, property: (value: T) => void, numRuns = RUNS): void {
  const { used, blocks } = backend().memory;
  fc.assert(
    fc.property(arbitrary, (value) => {
      scope(() => {
        property(value);
      });
    }),
    { numRuns, seed: 42 },
  );
  expect(backend().memory).toMatchObject({ used, blocks });
}

const sizes = fc.integer({ min: 0, max: 5 });
const shapes = (minLength = 0, maxLength = 4) => fc.array(sizes, { minLength, maxLength });
/** 1, 2, 3 …: every element tells where it came from. */
const counting = (shape: readonly number[]): Nd =>
  nd(
    shape,
    Array.from({ length: numelOf(shape) }, (_, i) => i + 1),
  );
const asTensor = (x: Nd): Tensor => tensor(Float32Array.from(x.data), { shape: x.shape });
const same = (actual: Tensor, expected: Nd): void => {
  expect(actual.shape).toEqual(expected.shape);
  expectClose(actual.data, expected.data, { relative: 1e-5, absolute: 1e-5 }, 'value');
};

/** Two or three shapes that broadcast: of one full shape, each with some dims cut off in front and some made 1. */
const broadcastable = (count: number) =>
  shapes(1)
    .chain((full) =>
      fc.tuple(
        fc.constant(full),
        fc.array(
          fc.tuple(
            fc.integer({ min: 0, max: full.length }),
            fc.array(fc.boolean(), { minLength: full.length, maxLength: full.length }),
          ),
          { minLength: count, maxLength: count },
        ),
      ),
    )
    .map(([full, cuts]) => cuts.map(([lead, ones]) => full.map((size, d) => (ones[d] ? 1 : size)).slice(lead)));

describe('broadcasting', () => {
  const ops = {
    add: (a: number, b: number) => a + b,
    sub: (a: number, b: number) => a - b,
    mul: (a: number, b: number) => a * b,
    div: (a: number, b: number) => a / b,
    maximum: Math.max,
    minimum: Math.min,
  } as const;

  it.each(Object.keys(ops) as (keyof typeof ops)[])('%s equals the naive definition', (name) => {
    holds(broadcastable(2), ([a, b]) => {
      const [x, y] = [counting(a as number[]), counting(b as number[])];
      same(asTensor(x)[name](asTensor(y)), zip(ops[name] as (...v: number[]) => number, x, y));
    });
  });

  it('fails exactly where the definition does', () => {
    holds(fc.tuple(shapes(), shapes()), ([a, b]) => {
      const common = commonShape(a, b);
      const fits = [a, b].every((shape) =>
        shape.every((size, d) => size === 1 || size === common[common.length - shape.length + d]),
      );
      const [x, y] = [asTensor(counting(a)), asTensor(counting(b))];
      if (fits) expect(x.add(y).shape).toEqual(common);
      else expect(() => x.add(y)).toThrow(/^add: expected shapes that broadcast together/);
    });
  });

  it('gives gradients of the inputs’ shapes that count the uses', () => {
    holds(broadcastable(3), ([a, b, c]) => {
      const [x, y, z] = [a, b, c].map((shape) => asTensor(counting(shape as number[])).requiresGrad_()) as [
        Tensor,
        Tensor,
        Tensor,
      ];
      const full = commonShape(a as number[], b as number[], c as number[]);
      x.add(y).sub(z).sum().backward();
      // In Σ (x + y − z) every element counts as often as it is repeated in the whole.
      for (const [t, sign] of [
        [x, 1],
        [y, 1],
        [z, -1],
      ] as const) {
        expect(t.grad?.shape).toEqual(t.shape);
        const uses = numelOf(full) / Math.max(1, t.size);
        expect(t.grad?.data.every((v) => v === sign * uses)).toBe(true);
      }
    });
  });
});

/** A view, in the library and in the model: from a position in the result to one in the source. */
interface Step {
  readonly name: string;
  apply(x: Tensor): Tensor;
  model(x: Nd): Nd;
}
const pick = (shape: readonly number[], n: number): number => (shape.length === 0 ? 0 : n % shape.length);
/** Factors of n, as a shape. */
function refactor(n: number, choice: number): number[] {
  if (n === 0) return [0, 1 + (choice % 3)];
  const divisors = Array.from({ length: n }, (_, i) => i + 1).filter((d) => n % d === 0);
  const first = divisors[choice % divisors.length] as number;
  return [first, n / first];
}

/** One step, from three random numbers and the shape it meets. */
function stepFor(shape: readonly number[], kind: number, n: number, m: number): Step {
  const dim = pick(shape, n);
  const size = shape[dim] ?? 1;
  const remap = (x: Nd, to: readonly number[], source: (index: readonly number[]) => number[]): Nd =>
    build(to, (index) => at(x, source(index)));
  const identity: Step = { name: 'contiguous', apply: (x) => x.contiguous(), model: (x) => x };
  switch (kind) {
    case 0: {
      const to = refactor(numelOf(shape), m);
      return { name: 'reshape', apply: (x) => x.reshape(to), model: (x) => nd(to, x.data) };
    }
    case 1: {
      const other = pick(shape, m);
      const swap = <T>(list: readonly T[]): T[] =>
        list.map((v, d) => (d === dim ? (list[other] as T) : d === other ? (list[dim] as T) : v));
      return {
        name: 'transpose',
        apply: (x) => x.transpose(dim, other - x.ndim),
        model: (x) => remap(x, swap(shape), (index) => swap(index)),
      };
    }
    case 2: {
      if (shape.length === 0) return identity;
      const start = m % (size + 1);
      const step = 1 + (n % 3);
      const length = Math.ceil((size - start) / step);
      return {
        name: 'slice',
        apply: (x) => x.slice(dim, start, undefined, step),
        model: (x) =>
          remap(
            x,
            shape.map((s, d) => (d === dim ? length : s)),
            (index) => index.map((i, d) => (d === dim ? start + i * step : i)),
          ),
      };
    }
    case 3: {
      if (shape.length === 0 || size === 0) return identity;
      const i = m % size;
      return {
        name: 'select',
        apply: (x) => x.select(dim, i - size),
        model: (x) => remap(x, shape.toSpliced(dim, 1), (index) => index.toSpliced(dim, 0, i)),
      };
    }
    case 4: {
      if (shape.length > 5) return identity;
      const to = [1 + (m % 3), ...shape.map((s, d) => (s === 1 && d % 2 === m % 2 ? 2 : s))];
      return { name: 'expand', apply: (x) => x.expand(to), model: (x) => build(to, (index) => at(x, index)) };
    }
    case 5:
      if (shape.length > 5) return identity;
      return {
        name: 'unsqueeze',
        apply: (x) => x.unsqueeze(dim),
        model: (x) => nd(shape.toSpliced(dim, 0, 1), x.data),
      };
    default:
      return {
        name: 'squeeze',
        apply: (x) => x.squeeze(),
        model: (x) =>
          nd(
            shape.filter((s) => s !== 1),
            x.data,
          ),
      };
  }
}

describe('views', () => {
  const chain = fc.tuple(
    shapes(),
    fc.array(fc.tuple(fc.integer({ min: 0, max: 6 }), fc.nat(100), fc.nat(100)), { maxLength: 6 }),
  );

  it('chains of them equal the naive model, and so do their gradients', () => {
    holds(
      chain,
      ([shape, choices]) => {
        let model = counting(shape);
        const leaf = asTensor(model).requiresGrad_();
        let view: Tensor = leaf;
        for (const [kind, n, m] of choices) {
          const step = stepFor(model.shape, kind, n, m);
          view = step.apply(view);
          model = step.model(model);
          expect(view.shape, step.name).toEqual(model.shape);
        }
        expect(Array.from(view.data)).toEqual(Array.from(model.data));
        expect(view.toArray()).toEqual(asTensor(model).toArray());
        // Each element of the leaf gets the sum of the weights of the places it went to: the model's values say which.
        if (view === leaf) return;
        const weights = counting(model.shape);
        view.backward(asTensor(weights));
        const expected = new Float64Array(leaf.size);
        model.data.forEach((value, i) => {
          expected[value - 1] = (expected[value - 1] as number) + (weights.data[i] as number);
        });
        expect(leaf.grad?.shape).toEqual(shape);
        expect(Array.from((leaf.grad as Tensor).data)).toEqual(Array.from(expected));
      },
      400,
    );
  });

  it('ops read any chain of views as they read a copy', () => {
    holds(chain, ([shape, choices]) => {
      let view = asTensor(counting(shape));
      for (const [kind, n, m] of choices) view = stepFor(view.shape, kind, n, m).apply(view);
      const copy = tensor(view.data, { shape: view.shape });
      for (const f of [
        (x: Tensor) => x.exp(),
        (x: Tensor) => x.sum(),
        (x: Tensor) => x.add(x),
        (x: Tensor) => x.mul(2).relu(),
        (x: Tensor) => x.cumsum(0),
        (x: Tensor) => x.to('i32'),
      ])
        expect(Array.from(f(view).data)).toEqual(Array.from(f(copy).data));
    });
  });
});

describe('reductions', () => {
  const cases = shapes(1).chain((shape) =>
    fc.tuple(
      fc.constant(shape),
      fc.subarray(
        shape.map((_, d) => d),
        { minLength: 1 },
      ),
      fc.boolean(),
      fc.boolean(),
    ),
  );
  const reductions = {
    sum: (lane: readonly number[]) => lane.reduce((a, b) => a + b, 0),
    mean: (lane: readonly number[]) => lane.reduce((a, b) => a + b, 0) / lane.length,
    amax: (lane: readonly number[]) => Math.max(...lane),
    norm: (lane: readonly number[]) => Math.hypot(...lane),
  } as const;

  it.each(Object.keys(reductions) as (keyof typeof reductions)[])('%s over any set of dims', (name) => {
    holds(cases, ([shape, dims, keepdim, negative]) => {
      const x = counting(shape);
      const named = dims.map((dim) => (negative ? dim - shape.length : dim)).reverse();
      const run = (): Tensor => asTensor(x)[name]({ dim: named, keepdim });
      if (name === 'amax' && dims.some((dim) => shape[dim] === 0)) {
        // Empty lanes have no largest value; where there are none at all, nothing is asked.
        const kept = shape.filter((_, d) => !dims.includes(d));
        if (numelOf(kept) > 0) expect(run).toThrow(/^amax: expected at least one element to reduce/);
        return;
      }
      // The reduced dims last, then as one run.
      const kept = shape.map((_, d) => d).filter((d) => !dims.includes(d));
      const order = [...kept, ...dims];
      const moved = build(
        order.map((d) => shape[d] as number),
        (index) => {
          const source: number[] = [];
          order.forEach((d, i) => {
            source[d] = index[i] as number;
          });
          return at(x, source);
        },
      );
      const flat = reduceNd(moved, { dim: kept.length, end: shape.length, keepdim: false }, reductions[name]);
      same(
        run(),
        keepdim
          ? nd(
              shape.map((s, d) => (dims.includes(d) ? 1 : s)),
              flat.data,
            )
          : flat,
      );
    });
  });
});

describe('round trips', () => {
  it('split and concat', () => {
    holds(fc.tuple(shapes(1), fc.nat(3), fc.integer({ min: 1, max: 4 })), ([shape, n, size]) => {
      const dim = pick(shape, n);
      const x = asTensor(counting(shape));
      const parts = x.split(size, dim);
      expect(parts.every((part) => part.block === x.block)).toBe(true);
      same(concat(parts, dim), toNd(x));
    });
  });

  it('stack and select', () => {
    holds(fc.tuple(shapes(0, 3), fc.nat(3), fc.integer({ min: 1, max: 4 })), ([shape, n, count]) => {
      const dim = n % (shape.length + 1);
      const parts = Array.from({ length: count }, (_, i) => asTensor(counting(shape)).add(100 * i));
      const joined = stack(parts, dim - shape.length - 1);
      parts.forEach((part, i) => {
        same(joined.select(dim, i), toNd(part));
      });
    });
  });

  it('tensor, toArray and tensor', () => {
    const dtypes = fc.constantFrom('f32', 'i32', 'u8');
    holds(
      fc.tuple(shapes(0, 4), dtypes, fc.infiniteStream(fc.oneof(fc.float(), fc.integer()))),
      ([shape, dtype, stream]) => {
        const limit = { f32: (v: number) => Math.fround(v), i32: (v: number) => v | 0, u8: (v: number) => v & 255 }[
          dtype
        ];
        const values = Array.from({ length: numelOf(shape) }, () => limit(stream.next().value as number));
        const x = tensor(values, { shape, dtype });
        expect(Array.from(x.data)).toEqual(values);
        // A size of 0 hides those behind it in nested arrays.
        const again = tensor(x.toArray(), { dtype });
        const visible = shape.includes(0) ? shape.slice(0, shape.indexOf(0) + 1) : shape;
        expect(again.shape).toEqual(visible);
        expect(Array.from(again.data)).toEqual(values);
        expect(again.strides).toEqual(contiguousStrides(visible));
      },
    );
  });

  it('a permutation and its inverse', () => {
    holds(
      shapes(1).chain((shape) =>
        fc.tuple(
          fc.constant(shape),
          fc.shuffledSubarray(
            shape.map((_, d) => d),
            { minLength: shape.length },
          ),
        ),
      ),
      ([shape, dims]) => {
        const x = asTensor(counting(shape));
        const inverse = dims.map((_, d) => dims.indexOf(d));
        const back = x.permute(dims).contiguous().permute(inverse);
        expect(back.shape).toEqual(shape);
        expect(Array.from(back.data)).toEqual(Array.from(x.data));
      },
    );
  });
});
