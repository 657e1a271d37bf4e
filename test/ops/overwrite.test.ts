// Every method that writes in place, against the function that it is made of.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { overwriting } from '../../bindings/functional/overwrite.ts';
import * as r from '../../bindings/index.ts';
import { GradError, RetrogradError, ShapeError, type Tensor, tensor } from '../../bindings/index.ts';
import { numbered } from '../support/failures.ts';
import { bits } from '../support/tensors.ts';

beforeAll(() => r.init());
afterAll(() => r.shutdown());

const SHAPE = [3, 4];
type Name = (typeof overwriting)[number];
type Method = (...args: unknown[]) => Tensor;
const method = (x: Tensor, name: string): Method => {
  const fn = (x as unknown as Record<string, Method>)[name] as Method;
  return (...args) => fn.apply(x, args);
};
const mask = (): Tensor => numbered([4], 4).gt(0);
const INTEGERS: readonly string[] = ['bitwiseAnd', 'bitwiseOr', 'bitwiseXor', 'bitwiseNot'];

/** Arguments of a call; `wants` says whether tensors among them ask for a gradient. */
function argsOf(name: Name, dtype: r.Dtype, wants = false): unknown[] {
  const other = (): Tensor => {
    const y = numbered([4], 7).mul(3).add(4);
    return dtype === 'f32' ? y.requiresGrad_(wants) : y.to(dtype);
  };
  switch (name) {
    case 'clamp':
      return [dtype === 'f32' ? -0.5 : 1, 2];
    case 'lerp':
      return [other(), 0.3];
    case 'maskedFill':
      return [mask(), 7];
    case 'cumsum':
      return [1];
    case 'pow':
      return [2];
    case 'scatterAdd':
      return [0, tensor([[2, 0, 0, 1]], { dtype: 'i32' }), numbered([1, 4], 7).requiresGrad_(wants)];
    default:
      return /^(add|sub|mul|div|eq|ne|lt|le|gt|ge|bitwise(And|Or|Xor)|logical(And|Or|Xor))$/.test(name)
        ? [other()]
        : [];
  }
}

/** Values inside the domain of every function here. */
const valuesOf = (dtype: r.Dtype): Tensor =>
  numbered(SHAPE)
    .abs()
    .add(0.25)
    .mul(dtype === 'f32' ? 1 : 9)
    .to(dtype);

describe.each(overwriting)('%s_', (name) => {
  const dtypes: r.Dtype[] = INTEGERS.includes(name)
    ? ['i32', 'u8']
    : name === 'scatterAdd'
      ? ['f32']
      : ['f32', 'i32', 'u8'];

  it.each(dtypes)('leaves in %s tensors of every layout what the function gives, or nothing new', (dtype) => {
    r.scope(() => {
      const x = valuesOf(dtype);
      const expected = method(x, name)(...argsOf(name, dtype));
      const whole = r.zeros([6, 9], { dtype });
      const layouts = [x.clone(), whole.narrow(0, 2, 3).narrow(1, 4, 4), r.zeros([4, 3], { dtype }).transpose(0, 1)];
      for (const y of layouts) {
        y.copy_(x);
        if (expected.dtype === 'f32' && dtype !== 'f32') {
          const { blocks } = r.backend().memory;
          const args = argsOf(name, dtype);
          const before = r.backend().memory.blocks - blocks;
          expect(() => method(y, `${name}_`)(...args)).toThrow(
            new RegExp(`^${name}_: expected a result that fits ${dtype}, got f32; convert x with .to`),
          );
          expect(r.backend().memory.blocks).toBe(blocks + before);
          expect(bits(y.contiguous())).toBe(bits(x));
        } else {
          const args = argsOf(name, dtype);
          const { blocks } = r.backend().memory;
          expect(method(y, `${name}_`)(...args)).toBe(y);
          expect(r.backend().memory.blocks, 'nothing stays').toBe(blocks);
          expect(y.dtype).toBe(dtype);
          expect(bits(y.contiguous())).toBe(bits(expected.to(dtype)));
        }
      }
      expect(whole.sum().item()).toBeCloseTo((layouts[1] as Tensor).sum().item(), 3);
    });
  });

  if (INTEGERS.includes(name)) return;

  it('becomes a part of the history, with the gradients of the function', () => {
    r.scope(() => {
      const gradients = (write: (x: Tensor, args: unknown[]) => Tensor): unknown => {
        const leaf = valuesOf('f32').requiresGrad_();
        const args = argsOf(name, 'f32', true);
        const y = write(leaf.mul(1), args).mul(numbered(SHAPE, 3));
        const wanted = [leaf, ...args.filter((a): a is Tensor => (a as Partial<Tensor>).requiresGrad === true)];
        return y.requiresGrad
          ? r.grad(y.sum(), wanted, { materializeGrads: true }).map((g) => g?.toArray())
          : wanted.map(({ shape }) => r.zeros(shape).toArray());
      };
      const expected = gradients((x, args) => method(x, name)(...args).to('f32'));
      expect(gradients((x, args) => method(x, `${name}_`)(...args))).toEqual(expected);
    });
  });

  it('writes no leaf that wants a gradient, but inside noGrad', () => {
    r.scope(() => {
      const leaf = valuesOf('f32').requiresGrad_();
      const args = argsOf(name, 'f32');
      const before = bits(leaf);
      const { blocks } = r.backend().memory;
      expect(() => method(leaf, `${name}_`)(...args)).toThrow(GradError);
      expect(() => method(leaf, `${name}_`)(...args)).toThrow(new RegExp(`^${name}_: expected .* to be a leaf`));
      expect([bits(leaf), r.backend().memory.blocks]).toEqual([before, blocks]);
      const expected = r.noGrad(() => method(leaf, name)(...args).to('f32'));
      r.noGrad(() => method(leaf, `${name}_`)(...args));
      expect([leaf.requiresGrad, leaf.isLeaf, bits(leaf)]).toEqual([true, true, bits(expected)]);
    });
  });

  it('is the same when compiled, also on a tensor of the user’s', () => {
    r.scope(() => {
      const args = argsOf(name, 'f32');
      const [eager, buffer] = [valuesOf('f32'), valuesOf('f32')];
      const step = r.compile((scale: Tensor) => {
        method(buffer, `${name}_`)(...args);
        return buffer.mul(scale);
      });
      for (let i = 0; i < 3; i++) {
        method(eager, `${name}_`)(...args);
        expect(step(tensor([2])).toArray()).toEqual(eager.mul(2).toArray());
        expect(buffer.toArray()).toEqual(eager.toArray());
      }
    });
  });
});

describe('a write in place', () => {
  const test = (name: string, body: () => void): void => it(name, () => r.scope(body));

  test('does not stretch its tensor', () => {
    const x = tensor([1, 2]);
    expect(() => x.add_(numbered([3, 2]))).toThrow(ShapeError);
    expect(() => x.add_(numbered([3, 2]))).toThrow(/^add_: expected a source that stretches to \[2\], got \[3, 2\]/);
    expect(x.toArray()).toEqual([1, 2]);
  });

  test('takes what the function takes, and says its own name', () => {
    const x = tensor([1, 2]);
    for (const call of [
      () => x.add_(null as never),
      () => x.add_('a' as never),
      () => method(x, 'neg_')(1),
      () => x.clamp_(),
      () => x.clamp_({ low: 1 } as never),
      () => x.lerp_(1 as never, 2),
    ])
      expect(call).toThrow(RetrogradError);
    expect(() => x.add_(null as never)).toThrow(/^add_: expected a tensor or a number as other, got null/);
  });

  test('reads its other tensor before it is written, where they share memory', () => {
    const x = tensor([1, 2, 3, 4]);
    x.narrow(0, 1, 3).add_(x.narrow(0, 0, 3));
    expect(x.toArray()).toEqual([1, 3, 5, 7]);
    x.mul_(x);
    expect(x.toArray()).toEqual([1, 9, 25, 49]);
  });

  test('is a moving average', () => {
    const [shadow, weight] = [r.zeros([2]), tensor([1, 2]).requiresGrad_()];
    r.noGrad(() => shadow.mul_(0.75).add_(weight.mul(0.25)));
    r.noGrad(() => shadow.lerp_(weight, 0.25));
    expect(shadow.toArray()).toEqual([0.4375, 0.875]);
    expect(shadow.requiresGrad).toBe(false);
  });

  test('copy_ casts, fill_ and zero_ write views, and a filled result has no history', () => {
    const x = tensor([1, 2, 3], { dtype: 'i32' });
    expect(x.copy_(tensor([1.7, -2.7, 5])).toArray()).toEqual([1, -2, 5]);
    const m = numbered([3, 4]);
    m.transpose(0, 1).narrow(0, 1, 2).zero_();
    expect(m.eq(0).sum().item()).toBe(6);
    const leaf = tensor([1, 2]).requiresGrad_();
    const y = leaf.mul(2);
    y.fill_(3);
    leaf.mul(y).sum().backward();
    expect(leaf.grad?.toArray()).toEqual([3, 3]);
    expect(() => leaf.fill_(1)).toThrow(/^fill_: expected y not to be a leaf that requires a gradient/);
    expect(() => tensor([1], { dtype: 'u8' }).fill_(300)).toThrow(r.ArgumentError);
  });
});

it('running statistics are written both or not at all', () => {
  const { batchNorm, instanceNorm } = r.functional;
  const whole = r.zeros(8);
  const bad: Record<string, () => Tensor> = {
    scalar: () => tensor(1),
    'another size': () => r.ones(4),
    rows: () => r.ones(2, 3),
    expanded: () => r.ones(1).expand([3]),
    'another dtype': () => r.ones(3, { dtype: 'i32' }),
    'the same memory': () => whole.slice(0, 2, 5),
    freed: () => {
      const x = r.ones(3);
      x.dispose();
      return x;
    },
  };
  const norms = [
    (...pair: [Tensor, Tensor]) => batchNorm(r.randn([2, 3, 4]), ...pair, { training: true }),
    (...pair: [Tensor, Tensor]) => instanceNorm(r.randn([2, 3, 4]), ...pair),
  ];
  for (const norm of norms)
    for (const [what, make] of Object.entries(bad))
      for (const first of [true, false]) {
        const good = whole.slice(0, 0, 3);
        expect(() => (first ? norm(make(), good) : norm(good, make())), what).toThrow(RetrogradError);
        expect(whole.toArray(), what).toEqual(new Array(8).fill(0));
      }
});
