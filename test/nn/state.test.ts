// By which names states know what a module holds, and how saved numbers come into it.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as rg from '../../bindings/index.ts';
import { nn, ones, type Tensor, zeros } from '../../bindings/index.ts';
import { Fields, keys } from './fields.ts';

const linear = (): nn.Linear => new nn.Linear(2, 2, { bias: false });

beforeAll(() => rg.init({ simd: 'strict' }));
afterAll(() => rg.shutdown());

describe('names in states', () => {
  it('are Python’s for fields in camelCase, and else as they are', () => {
    const names = ['tokenEmbedding', 'Wq', 'W_o', 'qkvProj2', 'inProjQKV', 'fc_1', '_hidden', 'QKV', 'convT2d', 'b'];
    const module = new Fields(Object.fromEntries(names.map((name) => [name, new nn.Parameter(ones([1]))])));
    expect(keys(module)).toEqual([
      'token_embedding',
      'Wq',
      'W_o',
      'qkv_proj2',
      'in_proj_qkv',
      'fc_1',
      '_hidden',
      'QKV',
      'conv_t2d',
      'b',
    ]);
    expect(module.namedParameters().map(([name]) => name)).toEqual(keys(module));
    expect(module.namedChildren()).toEqual([]);
  });

  it('that are one are an error that names both', () => {
    const two = [linear(), linear()] as const;
    expect(() => new Fields({ fooBar: two[0], foo_bar: two[1] }).parameters()).toThrow(
      /Fields: expected a name of its own for each field, got fooBar and foo_bar, which are both 'foo_bar' in a state/,
    );
    expect(() =>
      new Fields({
        x: new Map<unknown, unknown>([
          [1, two[0]],
          ['1', two[1]],
        ]),
      }).stateDict(),
    ).toThrow(/both 'x.1'/);
    for (const key of ['a.b', '', '__proto__', Symbol('s'), {}, Object.create(null)])
      expect(() => new Fields({ x: new Map([[key, two[0]]]) }).stateDict()).toThrow(/expected names without dots/);
  });

  it('are found in either spelling, where it is clear which is meant', () => {
    const value = (n: number) => ({ shape: [1], data: Float32Array.of(n) });
    const module = new Fields({ tokenEmbedding: new nn.Parameter(zeros([1])), Wq: [new nn.Parameter(zeros([1]))] });
    const numbers = (): unknown[] => module.parameters().map((x) => x.item());
    for (const [embedding, wq] of [
      ['token_embedding', 'Wq.0'],
      ['tokenEmbedding', 'W_q.0'],
    ] as const) {
      module.loadStateDict({ [embedding]: value(3), [wq]: value(4) });
      expect(numbers()).toEqual([3, 4]);
      for (const x of module.parameters()) rg.noGrad(() => x.zero_());
    }
    expect(() => module.loadStateDict({ token_Embedding: value(1), 'Wq.0': value(2) })).not.toThrow();
    expect(() =>
      module.loadStateDict({ tokenEmbedding: value(1), token_Embedding: value(5), 'Wq.0': value(2) }),
    ).toThrow(
      /loadStateDict: expected one key for each tensor, got tokenEmbedding and token_Embedding for token_embedding/,
    );
    expect(() => module.loadStateDict({ token_embedding: value(1), 'wq.0': value(2), 'W_q.0': value(3) })).toThrow(
      /got wq.0 and W_q.0 for Wq.0/,
    );
    expect(() => module.loadStateDict({ token_embedding: value(1), '_wq.0': value(2) })).toThrow(
      /none for Wq.0 and also _wq.0/,
    );
  });
});

describe('loadStateDict', () => {
  const saved = (shape: number[], data: unknown = new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(9)) => ({
    shape,
    data,
  });
  const module = (): Fields =>
    new Fields({
      a: new nn.Parameter(ones([2])),
      b: new nn.Parameter(ones([3])),
      n: new nn.Buffer(ones([1], { dtype: 'i32' })),
    });
  const good = { a: saved([2]), b: saved([3]), n: saved([1], Int32Array.of(2)) };
  const bad: [string, object, RegExp][] = [
    ['another shape', { ...good, b: saved([2]) }, /expected b of shape \[3\], got \[2\]/],
    ['too few numbers', { ...good, b: saved([3], new Float32Array(2)) }, /expected 3 numbers for b, got 2/],
    ['bigints', { ...good, b: saved([3], new BigInt64Array(3)) }, /typed array of numbers/],
    ['an array', { ...good, b: saved([3], [1, 2, 3]) }, /typed array of numbers/],
    ['nothing', { ...good, b: null }, /for b, got object/],
    ['fractions for integers', { ...good, n: saved([1], Float32Array.of(1.5)) }, /whole numbers/],
    ['one missing', { a: good.a, n: good.n }, /none for b; pass \{ strict: false \}/],
    [
      'many too many',
      { ...good, ...Object.fromEntries(Array.from({ length: 11 }, (_, i) => [`extra${i}`, good.a])) },
      /also extra0, .*, extra7 and 3 more;/,
    ],
    ['one too many', { ...good, c: good.a, '__proto__ ': good.a }, /also c, __proto__ ;/],
    ['no object', [] as never, /expected an object as stateDict/],
  ];
  it.each(bad)('changes nothing where it throws: %s', (_, state, message) => {
    const own = module();
    expect(() => own.loadStateDict(state as never)).toThrow(message);
    expect(Object.values(own.stateDict()).map((x) => x.toArray())).toEqual([[1, 1], [1, 1, 1], [1]]);
  });

  it('says what it skipped where it is not strict', () => {
    const own = module();
    expect(own.loadStateDict({ b: good.b as never, c: good.a as never }, { strict: false })).toEqual({
      missingKeys: ['a', 'n'],
      unexpectedKeys: ['c'],
    });
    expect(Object.values(own.stateDict()).map((x) => x.toArray())).toEqual([[1, 1], [9, 9, 9], [1]]);
    expect(() => own.loadStateDict(good as never, { strickt: false } as never)).toThrow(/did you mean strict/);
    expect(own.loadStateDict(good as never, true)).toEqual({ missingKeys: [], unexpectedKeys: [] });
  });

  it('writes strided tensors where they are, and no freed or expanded ones', () => {
    const base = zeros([3, 2]);
    const own = new Fields();
    own.registerBuffer('m', base.t());
    own.loadStateDict({ m: { shape: [2, 3], data: Float32Array.of(1, 2, 3, 4, 5, 6) } });
    expect([(own.m as Tensor).toArray(), base.toArray()]).toEqual([
      [
        [1, 2, 3],
        [4, 5, 6],
      ],
      [
        [1, 4],
        [2, 5],
        [3, 6],
      ],
    ]);
    own.m = ones([1]).expand([2]);
    expect(() => own.loadStateDict({ m: { shape: [2], data: new Float32Array(2) } })).toThrow(/expanded/);
    const gone = ones([2]);
    own.m = gone;
    gone.dispose();
    expect(() => own.loadStateDict({ m: { shape: [2], data: new Float32Array(2) } })).toThrow(rg.FreedError);
  });
});
