// Models of several sizes that may differ, such as the batch and the length of texts; and constants, which are no
// weights.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  ArgumentError,
  functional as F,
  init,
  manualSeed,
  nn,
  randint,
  randn,
  shutdown,
  type Tensor,
} from '../../bindings/index.ts';
import { linear, pointsOf, ratio, same, sizeFrom, sum, textOf, times } from '../../bindings/onnx/export/sizes.ts';
import { type ExportOptions, exportOnnx, loadOnnx } from '../../bindings/onnx/index.ts';
import { checksModels } from './checker.ts';
import { holds, Of } from './runtime.ts';

beforeAll(() => init({ threads: 1 }));
afterAll(() => shutdown());

class Texts extends nn.Module {
  words = new nn.Embedding(11, 8);
  layer = new nn.TransformerEncoderLayer(8, 2, { dimFeedforward: 12, batchFirst: true });
  head = new nn.Linear(8, 3);
  forward(ids: Tensor): Tensor[] {
    const seen = this.layer.forward(this.words.forward(ids));
    return [this.head.forward(seen.mean(1)), this.head.forward(seen)];
  }
}

class Steps extends nn.Module {
  rnn = new nn.LSTM(4, 5, { bidirectional: true, batchFirst: true });
  gru = new nn.GRU(10, 3);
  head = new nn.Linear(3, 2);
  forward(x: Tensor): Tensor {
    const [y] = this.rnn.forward(x);
    const [z] = this.gru.forward(y.transpose(0, 1));
    return this.head.forward(z).sum(0);
  }
}

const ids = (n: number, length: number): Tensor => randint(0, 11, [n, length]);
const image = (n: number, h: number, w: number): Tensor => randn([n, 2, h, w]);

describe('a model of any batch and length', () => {
  it.each<[string, () => nn.Module, (n: number, length: number) => Tensor[], ExportOptions]>([
    [
      'a transformer',
      () => new Texts(),
      (n, l) => [ids(n, l)],
      { dynamicAxes: { input: { 0: 'batch', 1: 'length' } } },
    ],
    [
      'LSTM and GRU',
      () => new Steps(),
      (n, l) => [randn([n, l, 4])],
      { dynamicBatch: true, dynamicAxes: { input: { 1: 'steps' } } },
    ],
    [
      'a convolution',
      () =>
        new nn.Sequential(
          new nn.Conv2d(2, 3, 3, { padding: 1 }),
          new nn.ReLU(),
          new nn.AdaptiveAvgPool2d(1),
          new nn.Flatten(),
          new nn.Linear(3, 2),
        ),
      (n, l) => [image(n, l + 3, 5)],
      { dynamicBatch: true, dynamicAxes: { input: { '-2': 'height' } } },
    ],
    [
      'a product of two inputs',
      () =>
        new Of((a: Tensor, b: Tensor) =>
          F.softmax(a.matmul(b.transpose(1, 2)), -1)
            .matmul(b)
            .reshape(-1, 4),
        ),
      (n, l) => [randn([n, l, 4]), randn([n, 2 * l, 4])],
      { dynamicAxes: { input_0: { 0: 'n', 1: 'rows' }, input_1: { 0: 'n', 1: 'cols' } } },
    ],
    [
      'sizes that grow together',
      () =>
        new Of((a: Tensor) => [
          a.reshape(-1),
          a
            .unsqueeze(2)
            .expand([-1, -1, 2])
            .reshape(a.shape[0] as number, -1)
            .narrow(1, 1, 2 * (a.shape[1] as number) - 2),
        ]),
      (n, l) => [randn([n, l])],
      { dynamicAxes: { input: { 0: 'n', 1: 'l' } } },
    ],
  ])('%s', async (_, make, given, options) => {
    manualSeed(5);
    await holds(make(), given(2, 3), [given(4, 3), given(2, 7), given(1, 5), given(6, 1 + 3)], options);
  });

  it('says which sizes its inputs and outputs have', async () => {
    const model = new Of((x: Tensor) => [x.reshape(-1), F.pad(x, [1, 2]).reshape(-1)]);
    const options = { dynamicAxes: { input: { 0: 'batch', 1: 'length' } } };
    const read = await loadOnnx(await exportOnnx(model, randn([2, 2]), options));
    expect(read.inputs[0]?.shape).toEqual(['batch', 'length']);
    expect(read.outputs.map(({ shape }) => shape)).toEqual([['batch*length'], ['batch*length+3*batch']]);
  });

  it.each<[string, (x: Tensor) => unknown, ExportOptions, RegExp]>([
    [
      'an input that there is not',
      (x) => x,
      { dynamicAxes: { x: { 0: 'n' } } },
      /dims by the names of inputs, \[input\].*for 'x'/,
    ],
    [
      'a dim that there is not',
      (x) => x,
      { dynamicAxes: { input: { 2: 'n' } } },
      /a dim of 'input', which has 2, .*got 2/,
    ],
    ['no name', (x) => x, { dynamicAxes: { input: { 0: '2n' } } }, /a name such as 'length' for dim 0 of 'input'/],
    ['one name of two sizes', (x) => x, { dynamicAxes: { input: { 0: 'n', 1: 'n' } } }, /of one n, got 2 and 3/],
    [
      'what differs with the length',
      (x) => ((x.shape[1] as number) > 3 ? x.neg() : x.exp()),
      { dynamicAxes: { input: { 0: 'n', 1: 'l' } } },
      /does the same for every l and n, got exp and neg; export it for one size, without dynamicAxes/,
    ],
    [
      'a square',
      (x) => x.t().matmul(x).reshape(-1),
      { dynamicAxes: { input: { 1: 'l' } } },
      /expected a model that does the same for every l, got shapes \[9\]/,
    ],
  ])('is refused with %s', async (_, fn, options, message) => {
    const model = new Of(fn as never);
    await expect(exportOnnx(model, randn([2, 3]), options)).rejects.toThrow(ArgumentError);
    await expect(exportOnnx(model, randn([2, 3]), options)).rejects.toThrow(message);
  });
});

describe('sizes', () => {
  const points = pointsOf({ b: 2, l: 5 });
  const size = (f: (b: number, l: number) => number) => {
    const made = sizeFrom(
      points.map(({ b, l }) => f(b as number, l as number)),
      points,
    );
    return made === undefined ? 'none' : textOf(made);
  };
  it.each([
    [(b: number, l: number) => b * l, 'b*l'],
    [(b: number, l: number) => 3 * b * l - 2 * b + l - 7, '3*b*l-2*b+l-7'],
    [() => 4, '4'],
    [(b: number) => b * b, 'none'],
    [(b: number, l: number) => Math.floor(l / 2) + b, 'none'],
    [(b: number, l: number) => l / 2 + b, 'none'],
  ])('are found: %s', (f, text) => {
    expect(size(f)).toBe(text);
  });

  it('are added, multiplied and divided', () => {
    const [b, l] = [(n: number) => n, (_: number, n: number) => n].map((f) =>
      sizeFrom(
        points.map((p) => f(p.b as number, p.l as number)),
        points,
      ),
    ) as [never, never];
    const area = times(b, linear(l, 2, 1));
    expect([textOf(area as never), textOf(sum(area as never, linear(b, -1, 0)))]).toEqual(['2*b*l+b', '2*b*l']);
    expect(times(b, b)).toBeUndefined();
    expect(ratio(linear(l, 6, 0), linear(l, 2, 0))).toBe(3);
    expect(ratio(linear(l, 6, 1), linear(l, 2, 0))).toBeUndefined();
    expect(same(sum(b, l), sum(l, b))).toBe(true);
  });
});

describe('constants of an exported model', () => {
  it('are no parameters where it is read again', async () => {
    manualSeed(5);
    const model = new nn.Sequential(
      new nn.Conv2d(2, 4, 3, { padding: 1, bias: false }),
      new nn.BatchNorm2d(4, { affine: false }),
      new nn.GroupNorm(2, 4, { affine: false }),
      new nn.Upsample({ scaleFactor: 2, mode: 'bicubic' }),
      new nn.AdaptiveAvgPool2d(3),
    );
    const read = await loadOnnx(await exportOnnx(model, image(2, 4, 4)));
    expect(read.namedParameters().map(([name]) => name)).toEqual(['0.weight']);
    const none = await loadOnnx(
      await exportOnnx(new Of((x: Tensor) => F.interpolate(x, { size: 7, mode: 'bicubic' })), image(2, 4, 4)),
    );
    expect(none.parameters()).toEqual([]);
  });
});

describe('the format', () => checksModels());
