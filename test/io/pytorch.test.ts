// PyTorch's files: those that PyTorch wrote (test/golden/files.py), what is refused, and those of ours.
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  arange,
  functional as F,
  FormatError,
  init,
  nn,
  optim,
  scope,
  shutdown,
  type Tensor,
  tensor,
} from '../../bindings/index.ts';
import * as io from '../../bindings/io/index.ts';
import { ArgumentError } from '../../bindings/memory/errors.ts';
import { holders, NO_BYTES } from '../support/bytes.ts';
import { file, written } from '../support/files.ts';
import { ours } from './ours.ts';

beforeAll(() => init({ simd: 'strict', threads: 1 }));
afterAll(() => shutdown());

type Values = Record<string, { dtype: string; shape: number[]; data: ArrayLike<number> }>;
interface Everything {
  dtypes: Values;
  layouts: Values;
  plain: Record<string, unknown>;
  parameter: Values[string];
  buffer: Values[string];
}

const numbers = ({ data }: Values[string]): number[] => Array.from(data);
const half = (count: number, from = 0, step = 1): number[] =>
  Array.from({ length: count }, (_, i) => (from + step * i - 4) / 2);
const count = (n: number, from: number): number[] => Array.from({ length: n }, (_, i) => from + i);

describe.each(['everything.pt', 'protocol-5.pt', 'legacy.pt'])('decodePyTorch of %s', (name) => {
  const read = () => io.decodePyTorch<Everything>(file(name));

  it('reads every dtype', async () => {
    const { dtypes } = await read();
    const floats = ['float32', 'float64', 'float16', 'bfloat16'];
    const signed = ['int64', 'int32', 'int16', 'int8'];
    const expected = Object.fromEntries([
      ...floats.map((dtype) => [dtype, ['f32', half(6)]]),
      ...signed.map((dtype) => [dtype, ['i32', count(6, -2)]]),
      ['uint8', ['u8', count(6, 0)]],
      ['bool', ['u8', [0, 1, 0, 1, 0, 1]]],
      ...['uint16', 'uint32', 'uint64'].map((dtype) => [dtype, ['i32', count(6, 0)]]),
    ]);
    expect(Object.fromEntries(Object.entries(dtypes).map(([key, x]) => [key, [x.dtype, numbers(x)]]))).toEqual(
      expected,
    );
    for (const x of Object.values(dtypes)) expect(x.shape).toEqual([2, 3]);
  });

  it('reads every layout', async () => {
    const { layouts, parameter, buffer } = await read();
    const all = half(24);
    const at = (shape: number[], f: (...i: number[]) => number): number[] => {
      const [a = 1, b = 1, c = 1] = shape;
      return Array.from(
        { length: a * b * c },
        (_, i) => all[f(Math.floor(i / (b * c)), Math.floor(i / c) % b, i % c)] as number,
      );
    };
    expect(numbers(layouts.transposed as Values[string])).toEqual(at([6, 4], (i, j) => j * 6 + i));
    expect(numbers(layouts.permuted as Values[string])).toEqual(at([4, 2, 3], (i, j, k) => j * 12 + k * 4 + i));
    expect(layouts.permuted?.shape).toEqual([4, 2, 3]);
    expect(numbers(layouts.strided as Values[string])).toEqual(half(8, 1, 3));
    expect(numbers(layouts.part as Values[string])).toEqual(half(6, 5));
    expect(layouts.part?.data).toBeInstanceOf(Float32Array);
    expect(numbers(layouts.expanded as Values[string])).toEqual([1.5, -2, 1.5, -2, 1.5, -2]);
    expect(numbers(layouts.integers as Values[string])).toEqual(
      count(12, 0).map((i) => (i % 3) * 4 + Math.floor(i / 3) - 2),
    );
    expect(layouts.empty).toEqual({ dtype: 'f32', shape: [0, 3], data: new Float32Array() });
    expect(layouts.scalar).toEqual({ dtype: 'f32', shape: [], data: Float32Array.of(2.5) });
    for (const x of [parameter, buffer]) expect(numbers(x)).toEqual([-2, -1.5]);
  });

  it('reads plain values', async () => {
    const { plain } = await read();
    const { shared, ...rest } = plain as { shared: object[] };
    expect(shared[0]).toBe(shared[1]);
    expect(rest).toEqual({
      ...{ none: null, true: true, false: false, int: 7, negative: -300, large: 2 ** 40, huge: 2n ** 70n },
      ...{ float: 0.1, infinite: Number.POSITIVE_INFINITY, text: 'Grüße 😀', empty: '', long: 'x'.repeat(300) },
      ...{ bytes: Uint8Array.of(0, 255), bytearray: Uint8Array.of(97, 98) },
      ...{
        list: [1, [2.5, 'three']],
        tuple: [1, 2],
        pair: [[], [1, 2, 3, 4]],
        set: new Set([1]),
        frozen: new Set(['a']),
      },
      ...{
        size: [2, 3],
        device: 'cpu',
        cuda: 'cuda:1',
        dtype: 'torch.bfloat16',
        numbered: { 0: 'zero', 1: { one: 1 } },
      },
    });
    expect(Object.getPrototypeOf(plain)).toBeNull();
  });
});

const network = () => new nn.Sequential(new nn.Linear(3, 4), new nn.Tanh(), new nn.BatchNorm1d(4), new nn.Linear(4, 1));

describe('decodePyTorch', () => {
  it.each(['state.pt', 'deflated.pt', 'zip64.pt'])('reads the state of a module in %s', async (name) => {
    const state = await io.decodePyTorch(file(name));
    const model = network();
    expect(model.loadStateDict(state)).toEqual({ missingKeys: [], unexpectedKeys: [] });
    expect(Object.keys(state)).toEqual(Object.keys(model.stateDict()));
    const [w] = model.parameters() as [Tensor];
    expect([...w.data]).toEqual([...(state['0.weight']?.data ?? [])]);
    expect(w.norm().item()).toBeGreaterThan(0.1);
  });

  it('reads the order of bytes of other machines', async () => {
    const [floats, integers] = await io.decodePyTorch<[io.FileTensor, io.FileTensor]>(file('big-endian.pt'));
    expect([...floats.data]).toEqual(half(5));
    expect([...integers.data]).toEqual(count(5, -2));
  });

  it('reads whatever holds bytes', async () => {
    for (const given of Object.values(holders(file('state.pt'))))
      expect(Object.keys(await io.decodePyTorch(given))).toHaveLength(9);
    for (const given of Object.values(NO_BYTES))
      await expect(io.decodePyTorch(given as Uint8Array)).rejects.toThrow(ArgumentError);
  });

  it('shows the bytes of the file where they are as a tensor has them', async () => {
    const bytes = file('state.pt');
    expect((await io.decodePyTorch(bytes))['0.weight']?.data.buffer).toBe(bytes.buffer);
  });

  it('keeps wide numbers where it is told to', async () => {
    await expect(io.decodePyTorch(file('wide.pt'))).rejects.toThrow(
      /fits i32, got 1099511627776 at element 1; pass \{ wide: true \} to keep it of a tensor of shape \[2\]/,
    );
    const { x, y } = await io.decodePyTorch<Record<string, io.WideTensor>>(file('wide.pt'), { wide: true });
    expect(x).toEqual({ dtype: 'i64', shape: [2], data: BigInt64Array.of(1n, 2n ** 40n) });
    expect(y).toEqual({ dtype: 'f64', shape: [1], data: Float64Array.of(1e300) });
  });

  it.each([false, true])('makes floats of quantised numbers, wide: %s', async (wide) => {
    const read = await io.decodePyTorch<Record<string, { dtype: string; shape: number[]; data: Float32Array }>>(
      file('quantized.pt'),
      { wide },
    );
    const told = Object.fromEntries(
      Object.entries(read).map(([key, { dtype, shape, data }]) => [key, [dtype, shape, [...data]]]),
    );
    // What x.dequantize() is; x counts from −1 in quarters, and is cut off at −0.75 or rounded.
    expect(told).toEqual({
      tensor: ['f32', [2, 3, 2], [-0.75, -0.75, -0.5, -0.25, 0, 0.25, 0.5, 0.75, 1, 1.25, 1.5, 1.75]],
      turned: ['f32', [2, 3, 2], [-1, 0.5, -0.5, 1, 0, 1.5, -0.75, 0.75, -0.25, 1.25, 0.25, 1.75]],
      channel: ['f32', [2, 3, 2], [-1, -0.75, -0.5, -0.5, 0, 0.25, 0.5, 0.75, 1, 1.5, 1.5, 1.75]],
    });
  });

  it.each([
    ['evil.pt', /got "(posix|nt)\.system"; nothing of the file was run/],
    ['evil-legacy.pt', /got "(posix|nt)\.system"/],
    ['module.pt', /got "torch\.nn\.modules\.linear\.Linear"/],
    ['numpy.pt', /got "numpy\._core\.multiarray\.scalar"/],
    ['sparse.pt', /got "torch\._utils\._rebuild_sparse_tensor"; .* save x\.to_dense\(\)/],
    ['sparse-csr.pt', /got "torch\._utils\._rebuild_sparse_tensor"; .* save x\.to_dense\(\)/],
    ['complex.pt', /got "torch\.ComplexFloatStorage"; .* save torch\.view_as_real\(x\)/],
    ['storage.pt', /got "torch\.storage\._load_from_bytes"|a storage alone/],
    ['tuple-key.pt', /keys of dicts that are strings or whole numbers/],
    ['script.pt', /got a program of TorchScript/],
    ['stored.npz', /with one data\.pkl/],
    ['version-1.npy', /a file of torch\.save, got a file of NumPy/],
  ])('refuses %s', async (name, message) => {
    await expect(io.decodePyTorch(file(name))).rejects.toThrow(FormatError);
    await expect(io.decodePyTorch(file(name))).rejects.toThrow(message);
  });
});

/** The training of files.py. */
const step = (model: nn.Sequential, optimizer: optim.Optimizer<object>): void =>
  scope(() => {
    const x = arange(15).reshape([5, 3]).div(10).sub(0.7);
    optimizer.zeroGrad();
    F.mseLoss(model.forward(x), tensor([[0], [0], [0], [0], [0]])).backward();
    optimizer.step();
  });

describe('a checkpoint of PyTorch', () => {
  const makers: Record<string, (p: Tensor[]) => optim.Optimizer<object>> = {
    SGD: (p) => new optim.SGD(p, { lr: 1 }),
    Adam: (p) => new optim.Adam(p),
    AdamW: (p) => new optim.AdamW(p),
    RMSprop: (p) => new optim.RMSprop(p),
  };
  type Run = { model: nn.StateDict; optimizer: optim.OptimizerState; epoch: number };
  const later = JSON.parse(readFileSync(new URL('files/runs.json', import.meta.url), 'utf8'));

  it.each(Object.keys(makers))('goes on: %s', async (name) => {
    const run = (await io.decodePyTorch<Record<string, Run>>(file('runs.pt')))[name] as Run;
    const model = network();
    const optimizer = makers[name]?.(model.parameters()) as optim.Optimizer<object>;
    model.loadStateDict(run.model);
    optimizer.loadStateDict(run.optimizer);
    expect(run.epoch).toBe(3);
    for (let i = 0; i < 2; i++) step(model, optimizer);
    for (const [key, x] of Object.entries(model.stateDict()))
      for (const [i, value] of [...x.data].entries())
        expect(Math.abs(value - later[name][key][i]), `${key} ${i}`).toBeLessThan(2e-5);
    // And back: what we save of it is what we read.
    const saved = io.encodePyTorch({ optimizer: optim.pytorchStateDict(optimizer) });
    const again = await io.decodePyTorch<{ optimizer: optim.OptimizerState }>(saved);
    const other = makers[name]?.(model.parameters()) as optim.Optimizer<object>;
    other.loadStateDict(again.optimizer);
    // SGD counts no steps there.
    const words = (of: optim.Optimizer<object>) => JSON.stringify(optim.pytorchStateDict(of));
    expect(words(other)).toBe(words(optimizer));
  });
});

describe('encodePyTorch', () => {
  it('comes back as it went', async () => {
    const tied = tensor([1, 2]);
    const value = {
      x: tensor([[1, 2, 3]]),
      i: tensor([1, -2], { dtype: 'i32' }),
      m: tensor([1, 0], { dtype: 'u8' }),
      plain: { a: null, b: [true, -0.5, -0, 2 ** 53, -(2n ** 64n), 'é'], c: new Set(['z']), d: { e: {} } },
      tied: [tied, tied],
    };
    const back = await io.decodePyTorch<typeof value>(io.encodePyTorch(value));
    expect([...back.x.data]).toEqual([1, 2, 3]);
    expect(back.x.shape).toEqual([1, 3]);
    expect([back.i.dtype, ...back.i.data]).toEqual(['i32', 1, -2]);
    expect([back.m.dtype, ...back.m.data]).toEqual(['u8', 1, 0]);
    expect(back.plain).toEqual(value.plain);
    expect(back.tied[0]).toBe(back.tied[1]);
  });

  it('writes the bytes that PyTorch has read (test/golden/files.py)', async () => {
    written('ours.pt', ours());
    expect(Buffer.compare(ours(), file('ours.pt'))).toBe(0);
  });

  it.each([
    ['a function', { a: [() => 1] }, /plain values, got a function at a\.0/],
    ['undefined', undefined, /as value, got/],
    ['a Date', new Date(0), /arrays, plain objects, Maps and Sets .*, got a Date at the top/],
    ['a wrong tensor', { w: { dtype: 'f32', shape: [3], data: new Float32Array(2) } }, /fills shape \[3\] at w, got 2/],
    [
      'a tensor of another dtype',
      { w: { dtype: 'i8', shape: [1], data: new Int8Array(1) } },
      /of the dtype f32, i32, u8, .* at w/,
    ],
    ['a key that is none', new Map([[[1], 2]]), /keys that are strings or whole numbers/],
    ['a large integer', 2n ** 200n, /at most 12 bytes/],
  ])('refuses %s', (_, value, message) => {
    expect(() => io.encodePyTorch(value)).toThrow(ArgumentError);
    expect(() => io.encodePyTorch(value)).toThrow(message);
  });

  it('refuses a cycle', () => {
    const cycle: unknown[] = [];
    cycle.push({ cycle });
    expect(() => io.encodePyTorch(cycle)).toThrow(/at most 500 levels deep/);
  });
});
