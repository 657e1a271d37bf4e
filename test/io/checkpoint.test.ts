import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  ArgumentError,
  backend,
  FormatError,
  getRngState,
  init,
  io,
  manualSeed,
  nn,
  optim,
  rand,
  ShapeError,
  scope,
  setRngState,
  shutdown,
  type Tensor,
} from '../../bindings/index.ts';
import { jsonFault } from '../../bindings/io/plain.ts';
import { holders, NO_BYTES } from '../support/bytes.ts';
import { type Make, optimizers, training } from '../support/checkpoint.ts';

beforeAll(() => init());
afterAll(() => shutdown());
beforeEach(() => manualSeed(0));

describe('checkpoint', () => {
  it.each(Object.entries(optimizers))('resumes to the same bits: %s', (_, make) => {
    const whole = training(make).run(13);
    for (const stop of [1, 3, 7]) {
      const first = training(make).run(stop);
      const second = training(make);
      manualSeed(99); // whatever came between
      expect(io.decodeCheckpoint(first, second.parts)).toEqual({ note: 'mine' });
      expect(second.run(13 - stop)).toEqual(whole);
    }
  });

  it('restores settings of the optimizer, also changed ones', () => {
    const { parts, run } = training(optimizers.Adam as Make);
    (parts.optimizer.paramGroups[0] as unknown as optim.AdamOptions).lr = 0.025;
    const bytes = run(1);
    const other = training(optimizers.Adam as Make);
    io.decodeCheckpoint(bytes, other.parts);
    expect(other.parts.optimizer.paramGroups[0]).toMatchObject({ lr: 0.025, betas: [0.9, 0.999], amsgrad: true });
  });

  it('keeps the random state', () => {
    const model = new nn.Linear(1, 1);
    const bytes = io.encodeCheckpoint({ model });
    const expected = scope(() => rand([5]).data);
    io.decodeCheckpoint(bytes, { model });
    expect(scope(() => rand([5]).data)).toEqual(expected);
    const state = getRngState();
    setRngState(state);
    expect(getRngState()).toEqual(state);
  });

  it('refuses other files and other models, and leaves all as it was', () => {
    const { parts, run } = training(optimizers.Adam as Make);
    const bytes = run(2);
    const model = new nn.Sequential(new nn.Linear(3, 9));
    const wide = new nn.Sequential(
      new nn.Linear(3, 9),
      new nn.BatchNorm1d(9),
      new nn.Tanh(),
      new nn.Dropout(),
      new nn.Linear(9, 1),
    );
    const before = io.encodeCheckpoint(parts);
    const blocks = backend().memory.blocks;
    expect(() => io.decodeCheckpoint(io.encodeSafetensors({}), parts)).toThrow(FormatError);
    expect(() => io.decodeCheckpoint(bytes.subarray(0, 100), parts)).toThrow(FormatError);
    expect(() => io.decodeCheckpoint(bytes, { model })).toThrow(/expected the keys/);
    expect(() => io.decodeCheckpoint(bytes, { model: wide })).toThrow(ShapeError);
    expect(() => io.decodeCheckpoint(bytes, { optimizer: new optim.Adam(wide.parameters().slice(0, 2)) })).toThrow(
      /groups of 2/,
    );
    // The optimizer fits, the model does not, and the other way round: neither is touched.
    expect(() => io.decodeCheckpoint(bytes, { ...parts, model: wide })).toThrow(ShapeError);
    expect(() =>
      io.decodeCheckpoint(bytes, { ...parts, optimizer: new optim.SGD(wide.parameters().slice(0, 1)) }),
    ).toThrow(/groups of 1/);
    expect(backend().memory.blocks).toBe(blocks);
    expect(io.encodeCheckpoint(parts)).toEqual(before);
  });

  const model = (): nn.Module => new nn.Linear(2, 2);
  class Hidden extends nn.Module {
    readonly hidden = { layer: 1 };
    forward(x: Tensor): Tensor {
      return x;
    }
  }
  const wrong: [what: string, parts: () => unknown, message: RegExp][] = [
    ['a model for the parts', model, /an object of parts, such as \{ model, optimizer \} as parts, got a Linear/],
    ['an optimizer for the parts', () => new optim.SGD(model().parameters()), /got a SGD/],
    ['a list of parts', () => [model()], /got a list/],
    ['null', () => null, /got null/],
    ['nothing', () => undefined, /got undefined/],
    ['no parts', () => ({}), /one or more of the parts model, optimizer, loader, got none/],
    ['parts that are undefined', () => ({ model: undefined }), /got none/],
    ['another name', () => ({ net: model() }), /the parts model, optimizer, loader, got 'net'; .* extra/],
    ['another name beside a model', () => ({ model: model(), optim: 1 }), /got 'optim'/],
    ['a name of Object.prototype', () => ({ constructor: model() }), /got 'constructor'/],
    ['a state for the model', () => ({ model: model().stateDict() }), /model to be an nn.Module, got an object/],
    ['null for the model', () => ({ model: null }), /model to be an nn.Module, got null/],
    ['a model for the optimizer', () => ({ optimizer: model() }), /optimizer to be an optimizer, got a Linear/],
    ['parameters for the optimizer', () => ({ optimizer: model().parameters() }), /got a list/],
    [
      'a loader without a state',
      () => ({ loader: { state: () => ({}) } }),
      /loader to be a DataLoader, .*, got an object/,
    ],
    ['a model without tensors', () => ({ model: new nn.ReLU() }), /has parameters or buffers, got a ReLU without any/],
    ['a model whose layers are hidden', () => ({ model: new Hidden() }), /got a Hidden without any; layers have to/],
  ];
  it.each(wrong)('refuses %s', async (_, parts, message) => {
    const file = io.encodeCheckpoint({ model: model() });
    const calls = [() => io.encodeCheckpoint(parts() as object), () => io.decodeCheckpoint(file, parts() as object)];
    for (const call of calls) {
      expect(call).toThrow(ArgumentError);
      expect(call).toThrow(message);
    }
    await expect(io.saveCheckpoint('/nowhere/m.ckpt', parts() as object)).rejects.toThrow(message);
  });

  it.each(Object.entries(NO_BYTES))('reads no %s', (_, bytes) => {
    expect(() => io.decodeCheckpoint(bytes as Uint8Array, { model: model() })).toThrow(ArgumentError);
  });

  it('reads whatever holds bytes', () => {
    const parts = { model: model() };
    for (const [name, bytes] of Object.entries(holders(io.encodeCheckpoint(parts, 7))))
      expect(io.decodeCheckpoint(bytes, parts), name).toBe(7);
  });

  const cyclic: unknown[] = [];
  cyclic.push({ cyclic });
  let deep: unknown = 1;
  for (let i = 0; i < 5000; i++) deep = [deep];
  let wide: unknown = 1;
  for (let i = 0; i < 60; i++) wide = [wide, wide];
  const lost: [what: string, extra: unknown, message: RegExp][] = [
    [
      'an infinite number',
      { best: { loss: Number.POSITIVE_INFINITY } },
      /extra finite numbers, got Infinity at extra.best.loss/,
    ],
    ['NaN', [1, Number.NaN], /got NaN at extra\[1\]/],
    ['undefined in an array', [undefined], /got undefined at extra\[0\]/],
    ['a function', { f: () => 1 }, /got a function at extra.f/],
    ['a bigint', [1n], /got 1n at extra\[0\]/],
    ['a symbol', [Symbol('s')], /got Symbol\(s\) at/],
    ['a date', { at: new Date() }, /got a Date at extra.at/],
    ['a Map', new Map([[1, 2]]), /got a Map at extra/],
    ['a typed array', { losses: new Float32Array(3) }, /got a Float32Array at extra.losses/],
    ['a module', { net: new Hidden() }, /got a Hidden at extra.net/],
    ['a cycle', cyclic, /at most 1000 levels, got more, or a cycle/],
    ['deep nesting', deep, /at most 1000 levels/],
    ['what has no end', wide, /at most 10000000 values, got more/],
    ['__proto__', JSON.parse('{"a":{"__proto__":{"b":1}}}'), /no key named __proto__, got one at extra.a/],
  ];
  it.each(lost)('refuses an extra with %s', (_, extra, message) => {
    expect(() => io.encodeCheckpoint({ model: model() }, extra)).toThrow(ArgumentError);
    expect(() => io.encodeCheckpoint({ model: model() }, extra)).toThrow(message);
  });

  it('takes as many values as it says, and no more', () => {
    const row = new Array<number>(999).fill(0); // 1000 values with itself
    const values = (rest: number) => [...new Array<unknown>(9999).fill(row), ...new Array<number>(rest).fill(0)];
    expect(jsonFault(values(999), 'extra')).toBeNull();
    expect(jsonFault(values(1000), 'extra')).toBe('at most 10000000 values, got more');
  });

  it('refuses an extra with a tensor', () => {
    const parts = { model: model() };
    expect(() => io.encodeCheckpoint(parts, { x: rand([2]) })).toThrow(/got a Tensor at extra.x/);
  });

  it('gives any other extra back as it was', () => {
    const parts = { model: model() };
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 4 }), (value) => {
        const extra = JSON.parse(JSON.stringify(value).replaceAll('__proto__', 'proto'));
        expect(io.decodeCheckpoint(io.encodeCheckpoint(parts, extra), parts)).toEqual(extra);
      }),
    );
    expect(io.decodeCheckpoint(io.encodeCheckpoint(parts), parts)).toBeNull();
  });
});
