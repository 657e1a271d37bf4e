// What modules find in their fields, what they call it, and what they say where that is not clear.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as rg from '../../bindings/index.ts';
import { ArgumentError, functional as F, nn, ones, randn, type Tensor, tensor, zeros } from '../../bindings/index.ts';
import { expectClose } from '../support/tensors.ts';
import { Fields, keys } from './fields.ts';

const linear = (): nn.Linear => new nn.Linear(2, 2, { bias: false });

beforeAll(() => rg.init({ simd: 'strict' }));
afterAll(() => rg.shutdown());

describe('children', () => {
  const places: [string, (a: nn.Module, b: nn.Module) => unknown, string[]][] = [
    ['an array', (a, b) => [a, b], ['x.0', 'x.1']],
    ['arrays in arrays', (a, b) => [[a], [[b]]], ['x.0.0', 'x.1.0.0']],
    ['an object', (a, b) => ({ enc: a, decAttn: b }), ['x.enc', 'x.decAttn']],
    ['an object without prototype', (a, b) => Object.assign(Object.create(null), { a, b }), ['x.a', 'x.b']],
    [
      'a Map',
      (a, b) =>
        new Map<unknown, unknown>([
          ['enc', a],
          [7, [b]],
        ]),
      ['x.enc', 'x.7.0'],
    ],
    ['a Set', (a, b) => new Set([a, b]), ['x.0', 'x.1']],
    ['a ModuleList', (a, b) => new nn.ModuleList([a, b]), ['x.0', 'x.1']],
    ['a ModuleDict', (a, b) => new nn.ModuleDict({ a, bC: b }), ['x.a', 'x.bC']],
    [
      'a ModuleDict of a Map',
      (a, b) =>
        new nn.ModuleDict(
          new Map([
            ['b', b],
            ['a', a],
          ]),
        ),
      ['x.b', 'x.a'],
    ],
    ['a Sequential', (a, b) => new nn.Sequential(a as nn.Layer, b as nn.Layer), ['x.0', 'x.1']],
    ['a Sequential of a list', (a, b) => new nn.Sequential([a as nn.Layer, b as nn.Layer]), ['x.0', 'x.1']],
    ['a Sequential by name', (a, b) => new nn.Sequential({ fcA: a as nn.Layer, b: b as nn.Layer }), ['x.fcA', 'x.b']],
    ['beside numbers and holes', (a, b) => [1, null, a, undefined, 'x', b, () => a], ['x.2', 'x.5']],
  ];
  it.each(places)('in %s are trained, saved and switched', (_, hold, paths) => {
    const [a, b] = [linear(), new Fields({ inner: [linear(), new nn.Dropout(0.5)] })];
    const module = new Fields({ x: hold(a, b) });
    const below = paths.map((path) => module.getSubmodule(path));
    expect(new Set(below)).toEqual(new Set([a, b]));
    const weights = paths.map((path) => `${path}${module.getSubmodule(path) === a ? '' : '.inner.0'}.weight`);
    expect(keys(module)).toEqual(weights);
    expect(module.namedParameters().map(([name]) => name)).toEqual(weights);
    module.eval();
    expect(module.modules().map(({ training }) => training)).toEqual(module.modules().map(() => false));
    for (const each of [a, b, (b.inner as nn.Module[])[1]])
      expect(module.modules().includes(each as nn.Module)).toBe(true);
  });

  it('in circles and in two places: listed once, saved twice', () => {
    const shared = linear();
    const child = new Fields({ shared });
    const module = new Fields({ child, again: shared, list: [shared] });
    child.parent = module;
    child.self = { child };
    expect(module.namedParameters().map(([name]) => name)).toEqual(['child.shared.weight']);
    expect(module.namedParameters({ removeDuplicate: false }).map(([name]) => name)).toEqual(keys(module));
    expect(keys(module)).toEqual(['child.shared.weight', 'again.weight', 'list.0.weight']);
    expect(module.namedModules().map(([name]) => name)).toEqual(['', 'child', 'child.shared']);
    expect(String(module)).toContain('(parent): Fields(…)');
    const list: unknown[] = [linear()];
    list.push(list, { list });
    expect(keys(new Fields({ list }))).toEqual(['list.0.weight']);
  });

  it('deep down, and many', () => {
    let deep: unknown = linear();
    for (let i = 0; i < 20_000; i++) deep = [deep];
    expect(keys(new Fields({ deep }))).toHaveLength(1);
    let module: nn.Module = linear();
    for (let i = 0; i < 2000; i++) module = new Fields({ module });
    expect(module.parameters()).toHaveLength(1);
    expect(new Fields({ many: Array.from({ length: 150_000 }, (_, i) => ({ i })) }).parameters()).toEqual([]);
  });

  it('are visited from below by apply, in order', () => {
    const module = new Fields({ a: new Fields({ b: linear(), c: linear() }), d: linear() });
    const names = new Map(module.namedModules().map(([name, below]) => [below, name]));
    const seen: unknown[] = [];
    expect(module.apply((below) => seen.push(names.get(below)))).toBe(module);
    expect(seen).toEqual(['a.b', 'a.c', 'a', 'd', '']);
  });

  it('may keep some in evaluation by a train() of their own', () => {
    class Frozen extends nn.Module {
      readonly norm = new nn.BatchNorm1d(2);
      override train(...args: Parameters<nn.Module['train']>): this {
        super.train(...args);
        this.norm.eval();
        return this;
      }
      forward(x: Tensor): Tensor {
        return this.norm.forward(x);
      }
    }
    const frozen = new Frozen();
    const module = new Fields({ inner: [frozen, new nn.Dropout()] });
    frozen.norm.train();
    expect(module.train()).toBe(module);
    expect([frozen.training, frozen.norm.training]).toEqual([true, false]);
    module.eval();
    expect(module.modules().some(({ training }) => training)).toBe(false);
    for (const mode of ['no', 0, null, undefined])
      expect(() => {
        frozen.training = mode as never;
      }).toThrow(/training: expected true or false/);
  });

  it('by registerModule, and private ones with it', () => {
    class Hidden extends nn.Module {
      readonly #inner = this.registerModule('inner', linear());
      forward(x: Tensor): Tensor {
        return this.#inner.forward(x);
      }
    }
    const hidden = new Hidden();
    expect(keys(hidden)).toEqual(['inner.weight']);
    expect(hidden.addModule('other', null)).toBe(null);
    for (const name of ['inner', 'forward', 'train', 'a.b', '', '__proto__', 'training'])
      expect(() => hidden.registerModule(name, linear()), name).toThrow(ArgumentError);
  });
});

describe('parameters and buffers', () => {
  it('are what is declared so; other tensors are constants', () => {
    const module = new Fields({
      w: new nn.Parameter(ones([2])),
      frozen: new nn.Parameter(ones([2]), false),
      constant: ones([2]),
      last: new nn.Parameter(ones([2])).mul(2),
      stat: new nn.Buffer(ones([3])),
      cache: new nn.Buffer(ones([4]), { persistent: false }),
      more: { v: [new nn.Parameter(ones([1]))] },
    });
    expect(module.namedParameters().map(([name]) => name)).toEqual(['w', 'frozen', 'more.v.0']);
    expect(module.namedBuffers().map(([name]) => name)).toEqual(['stat', 'cache']);
    expect(keys(module)).toEqual(['w', 'frozen', 'more.v.0', 'stat']);
    module.requiresGrad_(false).requiresGrad_();
    expect((module.constant as Tensor).requiresGrad).toBe(false);
    expect((module.frozen as Tensor).requiresGrad).toBe(true);
  });

  it('know what they are', () => {
    const x = ones([2]);
    const p = new nn.Parameter(x);
    expect([p instanceof nn.Parameter, p instanceof rg.Tensor, p instanceof nn.Buffer]).toEqual([true, true, false]);
    expect([x instanceof nn.Parameter, p.add(1) instanceof nn.Parameter]).toEqual([false, false]);
    expect([p.requiresGrad, p.isLeaf, x.requiresGrad]).toEqual([true, true, false]);
    rg.noGrad(() => p.fill_(7));
    expect(x.toArray()).toEqual([7, 7]); // the same memory
    const strided = new nn.Parameter(
      tensor([
        [1, 2],
        [3, 4],
      ]).t(),
    );
    expect([strided.isContiguous(), strided.toArray()]).toEqual([
      true,
      [
        [1, 3],
        [2, 4],
      ],
    ]);
    expect(() => new nn.Parameter(zeros([2], { dtype: 'i32' }))).toThrow(rg.DtypeError);
    expect(() => new nn.Parameter([1] as never)).toThrow(/Parameter: expected a tensor as data/);
    expect(rg.scope(() => new nn.Parameter(ones([2]))).toArray()).toEqual([1, 1]);
    let kept: Tensor | undefined;
    rg.scope(() => {
      kept = new nn.Parameter(ones([2]));
    });
    expect(kept?.toArray()).toEqual([1, 1]);
  });

  it('a leaf that requires a gradient and is no parameter is an error that names the field', () => {
    for (const fields of [{ wQ: ones([2], { requiresGrad: true }) }, { list: [[ones([2], { requiresGrad: true })]] }]) {
      const module = new Fields({ inner: new Fields(fields) });
      for (const call of [
        () => module.parameters(),
        () => module.stateDict(),
        () => new rg.optim.SGD(module.parameters()),
      ])
        expect(call).toThrow(
          /Fields: expected an nn.Parameter in (wQ|list\.0\.0), got a tensor .* assign new nn.Parameter/,
        );
      expect(String(module)).toContain('inner'); // printing is for looking at such things
    }
  });

  it('what was a parameter stays one', () => {
    const layer = new nn.Linear(2, 2);
    layer.weight = ones([2, 2]);
    expect(() => layer.parameters()).toThrow(/Linear: expected an nn.Parameter in weight, got a tensor/);
    const weight = new nn.Parameter(ones([2, 2]));
    layer.weight = weight;
    layer.bias = null;
    expect(layer.parameters()).toHaveLength(1);
    expect(layer.parameters()[0]).toBe(weight);
    for (const value of [1, 'x', {}, [ones([1])], linear()]) {
      layer.bias = value as never;
      expect(() => layer.stateDict()).toThrow(/Linear: expected a tensor or null in bias, got/);
    }
    const module = new Fields();
    expect(module.registerBuffer('mean', ones([2]))).toBe(module.mean);
    module.registerBuffer('seen', ones([2]), { persistent: false });
    module.registerBuffer('none', null);
    expect(module.registerParameter('w', new nn.Parameter(ones([1])))).toBe(module.w);
    module.mean = zeros([2]);
    expect(module.namedBuffers().map(([name]) => name)).toEqual(['mean', 'seen']);
    expect(keys(module)).toEqual(['w', 'mean']);
    expect(() => module.registerParameter('v', ones([1]))).toThrow(
      /registerParameter: expected an nn.Parameter or null/,
    );
    expect(() => module.registerBuffer('forward', ones([1]))).toThrow(/registerBuffer: expected a name that is free/);
    expect(() => (module as never as { registerBuffer(name: string): void }).registerBuffer('x')).toThrow(
      /registerBuffer: expected a tensor or null as tensor, got nothing/,
    );
  });

  it('by path, in either spelling', () => {
    const module = new Fields({ tokenEmbedding: [linear()], stat: new nn.Buffer(ones([1])) });
    const [w] = module.parameters();
    expect(module.getParameter('token_embedding.0.weight')).toBe(w);
    expect(module.getParameter('tokenEmbedding.0.weight')).toBe(w);
    expect(module.getSubmodule('')).toBe(module);
    expect(module.getBuffer('stat')).toBe(module.stat);
    expect(() => module.getSubmodule('nope')).toThrow(
      /getSubmodule: expected the path of a module, got 'nope'; there are ''/,
    );
    expect(module.namedParameters('net').map(([name]) => name)).toEqual(['net.token_embedding.0.weight']);
    expect(module.parameters(false)).toEqual([]);
  });

  it('of lists and dictionaries', () => {
    const list = new nn.ParameterList([ones([1])]).append(new nn.Parameter(ones([2]))).extend([ones([3])]);
    list.insert(0, zeros([4])).insert(-1, zeros([5]));
    expect(list.parameters().map(({ size }) => size)).toEqual([4, 1, 2, 5, 3]);
    expect([list.at(-1).size, list[1]?.size, list.pop().size, list.pop(0).size, list.length]).toEqual([3, 1, 3, 4, 3]);
    expect(keys(list)).toEqual(['0', '1', '2']);
    for (const index of [3, -4, 0.5, Number.NaN]) expect(() => list.at(index)).toThrow(ArgumentError);
    const dict = new nn.ParameterDict({ a: ones([1]) }).set('b', ones([2])).update({ c: ones([3]) });
    expect([...dict.keys()]).toEqual(['a', 'b', 'c']);
    expect([...dict].map(([key, x]) => `${key}${x.size}`)).toEqual(['a1', 'b2', 'c3']);
    expect([dict.delete('a'), dict.has('a'), dict.get('b')?.size, dict.size]).toEqual([true, false, 2, 2]);
    for (const key of ['a.b', '', '__proto__']) expect(() => dict.set(key, ones([1])), key).toThrow(ArgumentError);
    expect(() => dict.update({ d: ones([1]), e: 1 as never })).toThrow(ArgumentError);
    expect(dict.has('d')).toBe(false);
  });
});

describe('lists of modules', () => {
  it('Sequential is indexed, iterated and grows', () => {
    const [a, b, c] = [linear(), new nn.ReLU(), linear()];
    const model = new nn.Sequential(a, b).append(c);
    expect([model[0], model.at(-1), model.length, [...model]]).toEqual([a, c, 3, [a, b, c]]);
    model[1] = new nn.Tanh();
    const x = randn([3, 2]);
    expect(model.forward(x).toArray()).toEqual(c.forward(a.forward(x).tanh()).toArray());
    expect(new nn.Sequential().forward(x)).toBe(x);
    for (const wrong of [[1], [null], ['relu'], [[1]], [{ a: 1 }], [a, { b }]])
      expect(() => new nn.Sequential(...(wrong as never[]))).toThrow(ArgumentError);
    expect(() => new nn.Sequential({ 'a.b': a })).toThrow(/expected a name without dots, got 'a.b'/);
  });

  it('Sequential says what stands in it that cannot', () => {
    const model = new nn.Sequential(linear());
    model[3] = linear();
    expect(() => model.parameters()).toThrow(
      /Sequential: expected items one after the other, got one at 3 behind 1; use append/,
    );
    delete model[3];
    model[0] = 'relu' as never;
    expect(() => model.forward(randn([1, 2]))).toThrow(/^Sequential: layer 0: expected a module, got string/);
  });

  it('programs know what their dictionaries hold', () => {
    const dict = new nn.ModuleDict({ a: linear() });
    const weights = new nn.ParameterDict({ w: ones([2]) });
    const run = rg.compile((x: Tensor) => (dict.get('a') as nn.Linear).forward(x).mul(weights.get('w') as Tensor));
    const x = randn([3, 2]);
    for (let i = 0; i < 5; i++) {
      dict.set('a', linear());
      weights.update({ w: ones([2]).mul(i) });
      const expected = (dict.get('a') as nn.Linear).forward(x).mul(i);
      expect(run(x).toArray()).toEqual(expected.toArray());
      expect(run(x).toArray()).toEqual(expected.toArray());
    }
  });

  it('those that compute nothing say so', () => {
    for (const list of [new nn.ModuleList(), new nn.ModuleDict(), new nn.ParameterList(), new nn.ParameterDict()])
      expect(() => list.forward()).toThrow(/expected a module that computes, got a container/);
  });
});

describe('forward', () => {
  it('may be a field, and is known as the module’s all the same', () => {
    class Net extends nn.Module {
      readonly inner = linear();
      forward = (x: Tensor): Tensor => this.inner.forward(x).relu();
    }
    const net = new Net();
    const seen: unknown[] = [];
    net.registerForwardHook((module, [x], y) => void seen.push(module, x, y));
    const x = randn([1, 2]);
    const y = net.forward(x);
    expect([net, x, y].map((each, i) => each === seen[i])).toEqual([true, true, true]);
    expect(Object.keys(net)).toEqual(['inner', 'forward'].filter((name) => name !== 'forward'));
    expect(
      rg
        .compile((z: Tensor) => net.forward(z))(x)
        .toArray(),
    ).toEqual(y.toArray());
  });

  it('of a subclass need not call that of its base', () => {
    class Twice extends nn.Linear {
      override forward(...[x, scale = 2]: [x: Tensor, scale?: number]): Tensor {
        return F.linear(x, this.weight, this.bias).mul(scale);
      }
    }
    const twice = new Twice(2, 2);
    const x = ones([1, 2]);
    expect(twice.forward(x, 3).toArray()).toEqual(F.linear(x, twice.weight, twice.bias).mul(3).toArray());
    expect(keys(twice)).toEqual(['weight', 'bias']);
    expect(() => new Fields({ forward: undefined })).not.toThrow();
    expect(() => new (class extends (nn.Module as never as new () => nn.Linear) {})().forward(x)).toThrow(
      /expected a method forward, got none/,
    );
  });
});

describe('momentum null', () => {
  it.each(['eager', 'compiled'])('makes running statistics the mean of all batches: %s', (mode) => {
    const norm = new nn.BatchNorm1d(2, { momentum: null });
    const batches = [0, 1, 2].map(() => randn([6, 2]));
    const step = (x: Tensor): Tensor => norm.forward(x);
    const run = mode === 'eager' ? step : rg.compile(step);
    for (const x of batches) run(x);
    const mean = (statistic: (x: Tensor) => Tensor): number[] =>
      rg.stack(batches.map(statistic)).mean(0).toArray() as number[];
    const close = (x: Tensor | null, expected: number[]): void =>
      expectClose(x?.data ?? [], expected, { relative: 1e-5 }, 'statistics');
    close(
      norm.runningMean,
      mean((x) => x.mean(0)),
    );
    close(
      norm.runningVar,
      mean((x) => x.var(0)),
    );
    expect(norm.numBatchesTracked?.item()).toBe(3);
  });
});
