// Which calls share a program: those whose arguments differ in nothing but the numbers in their tensors.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as rg from '../../bindings/index.ts';
import { compile, scope, Tensor, tensor } from '../../bindings/index.ts';
import { randomNumbers } from '../support/random.ts';
import { bits } from '../support/tensors.ts';

type Random = (below: number) => number;
const pick = <T>(random: Random, list: readonly T[]): T => list[random(list.length)] as T;

const DATE = new Date(0);
/** What is no tensor, list, object, Map or Set. */
const VALUES = [null, undefined, 0, -0, 1, 2, Number.NaN, true, false, '', 'a', '1', DATE, Symbol.iterator, 10n];
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
  | { kind: 'set'; items: Shape[] }
  | { kind: 'object' | 'map'; entries: [string, Shape][] };

function shapeOf(random: Random, depth: number): Shape {
  const kind = random(depth > 0 ? 9 : 4);
  if (kind < 2) return { kind: 'tensor', layout: random(LAYOUTS.length) };
  if (kind === 2) return { kind: 'value', value: pick(random, VALUES) };
  if (kind === 3) return { kind: 'numbers', values: [random(2), random(2)], wide: random(2) === 0 };
  if (kind < 7)
    return {
      kind: kind < 6 ? 'list' : 'set',
      items: Array.from({ length: random(4) }, () => shapeOf(random, depth - 1)),
    };
  const keys = KEYS.filter(() => random(3) === 0);
  if (random(2) === 0) keys.reverse();
  return { kind: kind === 7 ? 'object' : 'map', entries: keys.map((key) => [key, shapeOf(random, depth - 1)]) };
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
  if ((shape.kind === 'object' || shape.kind === 'map') && shape.entries.length > 0 && random(4) > 0) {
    const at = random(shape.entries.length);
    return {
      kind: shape.kind,
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
    case 'set':
      return new Set(shape.items.map((item) => build(random, item)));
    case 'map':
      return new Map(shape.entries.map(([key, item]) => [key, build(random, item)]));
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
    case 'set':
      // One that holds a value twice has it once.
      return `set ${[...new Set(shape.items.map((item, i) => (item.kind === 'value' ? text(item) : `${i} ${text(item)}`)))].map((item) => item.replace(/^\d+ /, '')).join('; ')}`;
    case 'map':
      return `map {${shape.entries.map(([key, item]) => `${JSON.stringify(key)}: ${text(item)}`).join('; ')}}`;
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
  if (value instanceof Map) return digest([...value], place + 1);
  if (value instanceof Set) return digest([...value], place + 2);
  if (ArrayBuffer.isView(value))
    return tensor(Array.from(value as Float32Array))
      .sum()
      .mul(place);
  if (value !== null && typeof value === 'object' && Object.getPrototypeOf(value) === Object.prototype)
    return Object.entries(value).reduce(
      (sum, [key, item], i) => sum.add(digest(item, place * 5 + i + key.length)),
      tensor(0.5),
    );
  const at = VALUES.findIndex((known) => Object.is(known, value));
  return tensor((at < 0 ? KEYS.indexOf(value as string) : at) * place);
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

  it('tell apart where one tensor stands twice', () => {
    scope(() => {
      const f = compile((a: Tensor, { b, c }: { b: Tensor; c: Map<string, Tensor[]> }) => {
        a.mul(b).sum().backward();
        return [a.grad, b.grad, c.get('d')?.[0]?.grad ?? null].map((grad) => grad?.add(0) ?? null);
      });
      const leaf = (): Tensor => tensor([1, 2]).requiresGrad_();
      const grads = (a: Tensor, b: Tensor, d: Tensor): unknown =>
        f(a, { b, c: new Map([['d', [d]]]) }).map((grad) => grad?.toArray() ?? null);
      for (let turn = 0; turn < 2; turn++) {
        let [x, y] = [leaf(), leaf()];
        expect(grads(x, y, tensor([5, 5]))).toEqual([[1, 2], [1, 2], null]);
        [x, y] = [leaf(), leaf()];
        expect(grads(x, x, x)).toEqual([
          [2, 4],
          [2, 4],
          [2, 4],
        ]);
        expect(x.grad?.toArray()).toEqual([2, 4]);
        expect(grads(y, leaf(), y)).toEqual([
          [1, 2],
          [1, 2],
          [1, 2],
        ]);
      }
      expect(f.programs).toBe(3);
    });
  });

  it('may not change lists and objects among their arguments, which the next calls would not', () => {
    const changes: [unknown, (x: never) => void][] = [
      [[tensor(1)], (x: Tensor[]) => x.push(tensor(2))],
      [[tensor(1)], (x: Tensor[]) => x.fill(tensor(2))],
      [{ a: 1 }, (x: { a: number }) => x.a++],
      [{ b: { a: 1 } }, (x: { b: { c?: Tensor } }) => Object.assign(x.b, { c: tensor(1) })],
      [new Map([[1, 2]]), (x: Map<number, number>) => x.set(1, 3)],
      [new Set([1]), (x: Set<number>) => x.clear()],
    ];
    for (const [argument, change] of changes)
      expect(() => compile(change as (x: unknown) => void)(argument)).toThrow(
        /hold what they held.* return what it makes/,
      );
  });

  it('give back Maps and Sets, and refuse objects of classes that hold results', () => {
    class Output {
      constructor(readonly y: Tensor) {}
    }
    scope(() => {
      const f = compile((x: Tensor) => new Map([['a', new Set([x.mul(2), 7])]]));
      for (const k of [1, 2, 3]) {
        const [y, seven] = [...(f(tensor([k])).get('a') ?? [])] as [Tensor, number];
        expect([y.item(), seven]).toEqual([2 * k, 7]);
      }
      const g = compile((x: Tensor) => new Output(x.mul(2)));
      expect(() => g(tensor([1]))).toThrow(
        /results in lists, plain objects, Maps and Sets, got a Output with a tensor in y/,
      );
    });
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
