// Which calls share a program: those whose arguments differ in nothing but the numbers in their tensors.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as rg from '../../bindings/index.ts';
import { compile, scope, Tensor, tensor } from '../../bindings/index.ts';
import { randomNumbers } from '../support/random.ts';
import { bits } from '../support/tensors.ts';

type Random = (below: number) => number;
const pick = <T>(random: Random, list: readonly T[]): T => list[random(list.length)] as T;

const EMPTY_MAP = new Map();
/** What is no tensor, list or object of lists. */
const VALUES = [null, undefined, 0, -0, 1, 2, Number.NaN, true, false, '', 'a', '1', EMPTY_MAP, Symbol.iterator, 10n];
const KEYS = ['a', 'b', 'a,b', '0', 'length', '__proto__'];

/** Tensors of one size in several layouts. */
const LAYOUTS: readonly ((random: Random) => Tensor)[] = [
  () => rg.rand([2, 3]),
  () => rg.rand([3, 2]).t(),
  () => rg.rand([2, 4]).slice(1, 0, 3),
  () => rg.rand([2, 4]).slice(1, 1, 4),
  () => rg.rand([3]).expand([2, 3]),
  () => rg.rand([2, 1]).expand([2, 3]),
  () => rg.rand([3, 2]),
  () => rg.rand([6]),
  () => rg.rand([]),
  (random) => tensor([random(9), random(9)], { dtype: 'i32' }),
  (random) => tensor([random(9), random(9)], { dtype: 'u8' }),
];

/** A description that makes the same structure each time, with other numbers in its tensors. */
type Shape =
  | { kind: 'tensor'; layout: number }
  | { kind: 'value'; value: unknown }
  | { kind: 'numbers'; values: readonly number[]; wide: boolean }
  | { kind: 'list'; items: Shape[] }
  | { kind: 'object'; entries: [string, Shape][] };

function shapeOf(random: Random, depth: number): Shape {
  const kind = random(depth > 0 ? 7 : 4);
  if (kind < 2) return { kind: 'tensor', layout: random(LAYOUTS.length) };
  if (kind === 2) return { kind: 'value', value: pick(random, VALUES) };
  if (kind === 3) return { kind: 'numbers', values: [random(2), random(2)], wide: random(2) === 0 };
  if (kind < 6) return { kind: 'list', items: Array.from({ length: random(4) }, () => shapeOf(random, depth - 1)) };
  const keys = KEYS.filter(() => random(3) === 0);
  if (random(2) === 0) keys.reverse();
  return { kind: 'object', entries: keys.map((key) => [key, shapeOf(random, depth - 1)]) };
}

/** The same but, mostly, for one place. */
function mutate(random: Random, shape: Shape): Shape {
  if (shape.kind === 'list' && shape.items.length > 0 && random(4) > 0) {
    const at = random(shape.items.length);
    const items = [...shape.items];
    if (random(4) === 0)
      items.push(...items.splice(at, 1)); // in another place
    else items[at] = mutate(random, items[at] as Shape);
    return { kind: 'list', items };
  }
  if (shape.kind === 'object' && shape.entries.length > 0 && random(4) > 0) {
    const at = random(shape.entries.length);
    return {
      kind: 'object',
      entries: shape.entries.map(([key, item], i) => [key, i === at ? mutate(random, item) : item]),
    };
  }
  return shapeOf(random, 1);
}

function build(random: Random, shape: Shape): unknown {
  switch (shape.kind) {
    case 'tensor':
      return (LAYOUTS[shape.layout] as (random: Random) => Tensor)(random);
    case 'value':
      return shape.value;
    case 'numbers':
      return shape.wide ? Float64Array.from(shape.values) : Float32Array.from(shape.values);
    case 'list':
      return shape.items.map((item) => build(random, item));
    default:
      return Object.fromEntries(shape.entries.map(([key, item]) => [key, build(random, item)]));
  }
}

/** One text for all that share a program. Layouts 2 and 3 differ in where they begin alone. */
function text(shape: Shape): string {
  switch (shape.kind) {
    case 'tensor':
      return `tensor ${shape.layout === 3 ? 2 : shape.layout}`;
    case 'value':
      return `value ${VALUES.findIndex((value) => Object.is(value, shape.value))}`;
    case 'numbers':
      return `numbers ${shape.wide} ${shape.values}`;
    case 'list':
      return `[${shape.items.map(text).join('; ')}]`;
    default:
      return `{${shape.entries.map(([key, item]) => `${JSON.stringify(key)}: ${text(item)}`).join('; ')}}`;
  }
}

/** A number that all of a structure goes into, each part by its place. */
function digest(value: unknown, place = 1): Tensor {
  if (value instanceof Tensor) {
    const x = value.dtype === 'f32' ? value : value.to('f32');
    return rg
      .arange(1, 1 + x.numel())
      .mul(x.flatten())
      .sum()
      .mul(place);
  }
  if (Array.isArray(value))
    return value.reduce((sum: Tensor, item, i) => sum.add(digest(item, place * 3 + i)), tensor(value.length));
  if (ArrayBuffer.isView(value))
    return tensor(Array.from(value as Float32Array))
      .sum()
      .mul(place);
  if (value !== null && typeof value === 'object' && Object.getPrototypeOf(value) === Object.prototype)
    return Object.entries(value).reduce(
      (sum, [key, item], i) => sum.add(digest(item, place * 5 + i + key.length)),
      tensor(0.5),
    );
  return tensor(VALUES.findIndex((known) => Object.is(known, value)) * place);
}

describe('calls of a compiled function', () => {
  beforeAll(() => rg.init({ threads: 1, simd: 'strict' }));
  afterAll(() => rg.shutdown());

  it('share a program if and only if they differ in nothing but the numbers in tensors', () => {
    let [shared, apart] = [0, 0];
    for (let seed = 1; seed <= 300; seed++)
      scope(() => {
        const random = randomNumbers(seed);
        const first = Array.from({ length: 1 + random(3) }, () => shapeOf(random, 3));
        const list: Shape = { kind: 'list', items: first };
        const mutated = mutate(random, list);
        const second = random(3) > 0 && mutated.kind === 'list' ? mutated.items : first;
        const alike = text(list) === text({ kind: 'list', items: second });
        const fn = (...args: unknown[]): Tensor => digest(args);
        const f = compile(fn);
        // The third and the fourth call trace again, and find no difference.
        for (const shapes of [first, second, first, second, first]) {
          const args = shapes.map((shape) => build(random, shape));
          expect(bits(f(...args)), `seed ${seed}`).toBe(bits(fn(...args)));
        }
        expect(f.programs, `seed ${seed}: ${text(list)}`).toBe(alike ? 1 : 2);
        if (alike) shared++;
        else apart++;
        f.dispose();
      });
    expect(Math.min(shared, apart)).toBeGreaterThan(80);
  });

  it('tell apart which tensors want a gradient and have one', () => {
    scope(() => {
      const f = compile((x: Tensor) => (x.grad ? x.grad.mul(2) : x.mul(x.requiresGrad ? 3 : 5)).detach());
      const x = tensor([1]);
      expect(f(x).item()).toBe(5);
      x.requiresGrad_();
      expect(f(x).item()).toBe(3);
      x.square().sum().backward();
      expect(f(x).item()).toBe(4);
      x.clearGrad();
      expect(f(x).item()).toBe(3);
      expect(f.programs).toBe(3);
    });
  });

  it('refuse arguments and results that hold themselves', () => {
    scope(() => {
      const list: unknown[] = [];
      list.push(list);
      const object: Record<string, unknown> = {};
      object.self = object;
      for (const cyclic of [list, object]) {
        expect(() => compile((_: unknown) => 1)(cyclic)).toThrow(
          /^compile: expected arguments nested at most 100 deep/,
        );
        expect(() => compile(() => cyclic)()).toThrow(/^compile: expected results nested at most 100 deep/);
      }
    });
  });
});
