// The public functions on tensors: what they make of their arguments. The numbers themselves are the table's and
// PyTorch's business (table.test.ts, ../golden); here are dims, shapes, dtypes, views and the messages a user meets.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as r from '../../bindings/index.ts';
import { ArgumentError, DtypeError, functional as F, ShapeError, type Tensor, tensor } from '../../bindings/index.ts';

beforeAll(async () => {
  await r.init();
  r.manualSeed(0); // the generator's state lasts
});
afterAll(() => r.shutdown());

/** A test inside a scope that leaves no block behind. */
function test(name: string, body: () => void): void {
  it(name, () => {
    const before = r.backend().memory;
    r.scope(() => {
      body(); // whose value, if any, is not to outlive the scope
    });
    expect(r.backend().memory.used).toBe(before.used);
    expect(r.backend().memory.blocks).toBe(before.blocks);
  });
}

/** 0, 1, 2 … in a shape. */
const counting = (...shape: number[]): Tensor => r.arange(shape.reduce((a, b) => a * b, 1)).reshape(shape);

describe('reductions', () => {
  test('over any dims', () => {
    const x = counting(2, 3, 4);
    expect(x.sum().item()).toBe(276);
    expect(x.sum().shape).toEqual([]);
    expect(x.sum(undefined, { keepdim: true }).shape).toEqual([1, 1, 1]);
    expect(x.sum([0, 2]).toArray()).toEqual([60, 92, 124]);
    expect(x.sum([-1, 0], { keepdim: true }).shape).toEqual([1, 3, 1]);
    expect(x.mean([2, 0]).toArray()).toEqual([7.5, 11.5, 15.5]);
    expect(x.amax([0, 2]).toArray()).toEqual([15, 19, 23]);
    expect(x.var([0, 2], { correction: 0 }).toArray()).toEqual([37.25, 37.25, 37.25]);
    expect(x.var([0, 2], { correction: 0, keepdim: true }).shape).toEqual([1, 3, 1]);
    expect(x.argmax().item()).toBe(23);
    expect(x.argmax(1).toArray()).toEqual([
      [2, 2, 2, 2],
      [2, 2, 2, 2],
    ]);
    expect(x.argmin(-1, { keepdim: true }).shape).toEqual([2, 3, 1]);
    expect(x.transpose(0, 2).sum(0).toArray()).toEqual([
      [6, 54],
      [22, 70],
      [38, 86],
    ]);
    expect(tensor(3).sum(0).item()).toBe(3);
    expect(tensor(3).mean(-1).item()).toBe(3);
    expect(tensor([]).sum().item()).toBe(0);
    expect(tensor([]).prod().item()).toBe(1);
    expect(tensor([]).mean().item()).toBeNaN();
    expect(tensor([]).logsumexp().item()).toBe(Number.NEGATIVE_INFINITY);
    expect(tensor([1, Number.NaN, 3]).max().item()).toBeNaN();
  });

  test('refuse bad dims', () => {
    const x = counting(2, 3);
    expect(() => x.sum(2)).toThrow(/sum: expected dim from -2 to 1, got 2/);
    expect(() => x.sum([0, -2])).toThrow(/sum: expected each dim once, got \[0, 0\]/);
    expect(() => x.mean(0.5)).toThrow(ArgumentError);
    expect(() => tensor(1).sum(1)).toThrow(ShapeError);
    expect(() => tensor([]).max()).toThrow(/max: expected at least one element/);
    expect(() => x.norm(Number.NaN)).toThrow(ArgumentError);
    expect(() => tensor([1], { dtype: 'i32' }).prod()).toThrow(
      /prod: expected dtype f32, got i32; convert with \.to\('f32'\)/,
    );
    expect(() => r.sum(5 as never)).toThrow(/^sum: expected a tensor as x, got 5/);
    expect(() => r.add(r.tensor(1), '5' as never)).toThrow(/^add: expected a tensor or a number as other, got '5'/);
  });
});

describe('matmul', () => {
  test('has the shapes of PyTorch', () => {
    const shape = (a: number[], b: number[]): readonly number[] => r.zeros(a).matmul(r.zeros(b)).shape;
    expect(shape([3], [3])).toEqual([]);
    expect(shape([3], [3, 2])).toEqual([2]);
    expect(shape([2, 3], [3])).toEqual([2]);
    expect(shape([5, 2, 3], [3])).toEqual([5, 2]);
    expect(shape([3], [5, 3, 2])).toEqual([5, 2]);
    expect(shape([5, 2, 3], [3, 4])).toEqual([5, 2, 4]);
    expect(shape([5, 1, 2, 3], [7, 3, 4])).toEqual([5, 7, 2, 4]);
    expect(shape([0, 2, 3], [3, 4])).toEqual([0, 2, 4]);
    expect(shape([2, 0], [0, 4])).toEqual([2, 4]);
    expect(
      r
        .zeros([2, 0])
        .matmul(r.zeros([0, 2]))
        .toArray(),
    ).toEqual([
      [0, 0],
      [0, 0],
    ]);
  });

  test('takes transposes and slices as they are', () => {
    const a = counting(3, 2);
    const b = counting(3, 4).slice(1, 0, 4, 2);
    expect(a.t().matmul(b).toArray()).toEqual([
      [40, 52],
      [52, 70],
    ]);
  });

  test('says what does not fit', () => {
    expect(() => r.zeros([2, 3]).matmul(r.zeros([4, 5]))).toThrow(
      'matmul: expected inner dimensions to match, got [2, 3] and [4, 5]',
    );
    expect(() => r.zeros([]).matmul(r.zeros([2]))).toThrow(/at least 1 dim each, got \[\] and \[2\]; use mul/);
    expect(() => r.zeros([2, 2, 3]).matmul(r.zeros([3, 3, 2]))).toThrow(ShapeError);
    expect(() => F.linear(r.zeros([2, 3]), r.zeros([4, 2]))).toThrow(
      /linear: expected input \[n, in\] and weight \[out, in\]/,
    );
    expect(() => F.linear(r.zeros([]), r.zeros([4, 2]))).toThrow(ShapeError);
  });
});

describe('views', () => {
  test('share memory, and a copy does not', () => {
    const x = r.zeros([2, 3]);
    const views = [
      x.reshape([3, 2]),
      x.t(),
      x.slice(1, 1),
      x.select(0, 1),
      x.expand([4, 2, 3]),
      x.unsqueeze(0),
      x.flatten(),
      x.narrow(0, 0, 1),
      x.detach(),
      ...x.split(1),
    ];
    for (const view of views) expect(view.block).toBe(x.block);
    for (const copy of [x.clone(), x.t().reshape([6]), x.t().contiguous(), x.add(0)])
      expect(copy.block).not.toBe(x.block);
    expect(x.contiguous()).toBe(x);
  });

  test('slice as Python does', () => {
    const x = counting(6);
    expect(x.slice(0).toArray()).toEqual([0, 1, 2, 3, 4, 5]);
    expect(x.slice(0, -2).toArray()).toEqual([4, 5]);
    expect(x.slice(0, 1, -1, 2).toArray()).toEqual([1, 3]);
    expect(x.slice(0, 4, 2).toArray()).toEqual([]);
    expect(x.slice(0, -100, 100, 4).toArray()).toEqual([0, 4]);
    expect(x.slice(0, 9).shape).toEqual([0]);
    expect(x.reshape([2, 3]).slice(-1, 1).toArray()).toEqual([
      [1, 2],
      [4, 5],
    ]);
    expect(() => x.slice(1)).toThrow(ShapeError);
    expect(() => x.slice(0, 0, 3, 0)).toThrow(ArgumentError);
    expect(() => x.slice(0, 0, 3, -1)).toThrow(ArgumentError);
    expect(() => x.slice(0, 0.5)).toThrow(ArgumentError);
    expect(() => x.select(0, 6)).toThrow(/select: expected index from -6 to 5 in dim 0 of \[6\], got 6/);
    expect(() => x.narrow(0, 4, 3)).toThrow(ShapeError);
    expect(() => tensor(1).slice(0)).toThrow(ShapeError);
    expect(() => tensor(1).select(0, 0)).toThrow(ShapeError);
  });

  test('reshape infers one size', () => {
    const x = counting(2, 6);
    expect(x.reshape([-1]).shape).toEqual([12]);
    expect(x.reshape([3, -1]).shape).toEqual([3, 4]);
    expect(x.reshape([-1, 2, 2]).shape).toEqual([3, 2, 2]);
    expect(() => x.reshape([-1, -1])).toThrow(/reshape: expected a shape of 12 elements with at most one -1/);
    expect(() => x.reshape([5, -1])).toThrow(ShapeError);
    expect(() => x.reshape([5])).toThrow(ShapeError);
    expect(() => r.zeros([0]).reshape([0, -1])).toThrow(ShapeError);
    expect(r.zeros([0, 3]).reshape([-1, 3]).shape).toEqual([0, 3]);
  });

  test('the others', () => {
    expect(counting(2, 3, 4).flatten(1).shape).toEqual([2, 12]);
    expect(tensor(1).flatten().shape).toEqual([1]);
    expect(r.zeros([1, 3, 1]).squeeze().shape).toEqual([3]);
    expect(r.zeros([1, 3, 1]).squeeze(-1).shape).toEqual([1, 3]);
    expect(r.zeros([1, 3]).squeeze(1).shape).toEqual([1, 3]);
    expect(tensor(1).unsqueeze(-1).shape).toEqual([1]);
    expect(r.zeros([3]).expand([2, -1]).shape).toEqual([2, 3]);
    expect(tensor([1, 2]).t().shape).toEqual([2]);
    expect(counting(2, 3).permute([-1, 0]).toArray()).toEqual([
      [0, 3],
      [1, 4],
      [2, 5],
    ]);
    expect(() => r.zeros([3]).expand([-1, 3])).toThrow(ShapeError);
    expect(() => r.zeros([2, 3]).flatten(1, 0)).toThrow(/flatten: expected startDim <= endDim/);
    expect(() => r.zeros([2, 3]).permute([0])).toThrow(ShapeError);
    expect(() => r.zeros([2, 3]).transpose(0, 2)).toThrow(/transpose: expected dim from -2 to 1, got 2/);
  });
});

describe('joining and splitting', () => {
  test('split, concat and stack', () => {
    const x = counting(5, 2);
    expect(x.split(2).map((part) => part.shape)).toEqual([
      [2, 2],
      [2, 2],
      [1, 2],
    ]);
    expect(x.split([1, 4]).map((part) => part.toArray())).toEqual([
      [[0, 1]],
      [
        [2, 3],
        [4, 5],
        [6, 7],
        [8, 9],
      ],
    ]);
    expect(x.split(1, -1).map((part) => part.shape)).toEqual([
      [5, 1],
      [5, 1],
    ]);
    expect(r.concat(x.split(2)).toArray()).toEqual(x.toArray());
    expect(r.concat([x, x.slice(1, 1)], 1).shape).toEqual([5, 3]);
    expect(r.stack([tensor([1, 2]), tensor([3, 4])], -1).toArray()).toEqual([
      [1, 3],
      [2, 4],
    ]);
    expect(r.stack([tensor(1), tensor(2)]).toArray()).toEqual([1, 2]);
    expect(r.concat([tensor(Uint8Array.of(1, 2)), tensor(Uint8Array.of(3))]).data).toEqual(Uint8Array.of(1, 2, 3));
    expect(r.concat([tensor(Int32Array.of(1)), tensor(Int32Array.of(-3))]).data).toEqual(Int32Array.of(1, -3));
    expect(() => r.concat([])).toThrow(ArgumentError);
    expect(() => r.concat([tensor(1)])).toThrow(/use stack/);
    expect(() => r.stack([tensor([1]), tensor([1, 2])])).toThrow(
      /stack: expected tensors of one shape, got \[1\] and \[2\]/,
    );
    expect(() => x.split([2, 2])).toThrow(/split: expected sizes that add up to 5, got \[2, 2\]/);
    expect(() => x.split([6, -1])).toThrow(ArgumentError);
    expect(() => x.split(0)).toThrow(ArgumentError);
  });

  test('indexing', () => {
    const x = counting(3, 2);
    expect(x.indexSelect(0, tensor([2, 0], { dtype: 'i32' })).toArray()).toEqual([
      [4, 5],
      [0, 1],
    ]);
    expect(x.gather(0, tensor([[2]], { dtype: 'i32' })).toArray()).toEqual([[4]]);
    expect(F.oneHot(tensor([1, 0], { dtype: 'i32' }), 3).toArray()).toEqual([
      [0, 1, 0],
      [1, 0, 0],
    ]);
    expect(() => x.indexSelect(0, tensor([3], { dtype: 'i32' }))).toThrow(
      /indexSelect: expected indices from 0 to 2 for dim 0 of \[3, 2\], got 3 at position 0/,
    );
    expect(() => x.indexSelect(0, tensor([0]))).toThrow(DtypeError);
    expect(() => x.gather(0, tensor([0], { dtype: 'i32' }))).toThrow(ShapeError);
    expect(() => F.oneHot(tensor([3], { dtype: 'i32' }), 3)).toThrow(ArgumentError);
    expect(() => F.oneHot(tensor([0], { dtype: 'i32' }), 0)).toThrow(ArgumentError);
    expect(() => F.oneHot(tensor([0]), 3)).toThrow(DtypeError);
  });

  test('masks pick, and say what does not fit', () => {
    const x = counting(2, 3);
    const mask = (...values: number[]): Tensor => tensor(values, { dtype: 'u8' });
    expect(r.maskedSelect(x.t(), mask(0, 2)).toArray()).toEqual([3, 4, 5]);
    expect(r.maskedSelect(x, mask(0, 0, 0)).shape).toEqual([0]);
    expect(x.indexSelect(1, mask(1, 0, 9)).toArray()).toEqual([
      [0, 2],
      [3, 5],
    ]);
    expect(() => r.maskedSelect(x, mask(1, 0))).toThrow(/^maskedSelect: expected shapes that broadcast/);
    expect(() => r.maskedSelect(x, r.zeros([4, 2, 3], { dtype: 'u8' }))).toThrow(
      /^maskedSelect: expected a mask that stretches to \[2, 3\], got \[4, 2, 3\]/,
    );
    expect(() => x.maskedFill(x, 0)).toThrow(/^maskedFill: expected dtype u8, got f32/);
    expect(() => x.to('i32').maskedFill(x.gt(0), 0.5)).toThrow(
      /^maskedFill: expected both of one dtype, got f32 and i32/,
    );
    expect(() => x.indexSelect(1, mask(1, 0))).toThrow(/^indexSelect: expected a mask of shape \[3\], got \[2\]/);
  });
});

describe('arithmetic', () => {
  test('with numbers, with integers, with masks', () => {
    const x = tensor([1, 2, 3]);
    expect(x.add(1).toArray()).toEqual([2, 3, 4]);
    expect(x.pow(2).toArray()).toEqual([1, 4, 9]);
    expect(r.sub(x, 1).toArray()).toEqual([0, 1, 2]);
    const i = tensor([1, 2], { dtype: 'i32' });
    expect(i.add(i).data).toEqual(Int32Array.of(2, 4));
    expect(i.mul(3).dtype).toBe('i32');
    for (const n of [2 ** 24 + 1, -(2 ** 24) - 3, 2 ** 31 - 9, -(2 ** 31)])
      expect(i.sub(i).add(n).data).toEqual(Int32Array.of(n, n));
    expect(() => i.add(2 ** 31)).toThrow(
      /^add: expected whole numbers from -2147483648 to 2147483647 for dtype i32, got 2147483648$/,
    );
    expect([i.add(1.5).dtype, i.add(1.5).toArray()]).toEqual(['f32', [2.5, 3.5]]);
    expect(() => i.pow(-1)).toThrow(/^pow: expected integers to the power of at least 0, got -1; convert them/);
    expect(
      i
        .mul(2 ** 16)
        .pow(2)
        .toArray(),
    ).toEqual([0, 0]); // it wraps, as a product does
    expect([i.div(i).dtype, i.div(i).toArray()]).toEqual(['f32', [1, 1]]); // true division, as in PyTorch
    const mask = x.gt(1.5);
    expect(mask.data).toEqual(Uint8Array.of(0, 1, 1));
    expect(r.where(mask, x, 0).toArray()).toEqual([0, 2, 3]);
    expect(() => r.where(x, x, 0)).toThrow(DtypeError);
    expect(() => x.add(null as never)).toThrow(/add: expected a tensor or a number as other, got null/);
    expect(x.clamp({ min: 1.5 }).toArray()).toEqual([1.5, 2, 3]);
    expect(() => x.clamp({ min: 2, max: 1 })).toThrow(ArgumentError);
    expect(() => x.add(tensor([1, 2]))).toThrow(
      'add: expected shapes that broadcast together, got [3] and [2]; sizes at dim 0 are 3 and 2, and neither is 1',
    );
  });

  test('norms take both running statistics, or neither', () => {
    const x = r.rand([3, 2, 4]);
    const [mean, one] = [r.zeros([2]), r.ones([2])];
    const half = /expected runningMean and runningVar, or neither, got no running(Mean|Var)/;
    for (const training of [true, false]) {
      expect(() => F.batchNorm(x, mean, null, { training })).toThrow(half);
      expect(() => F.batchNorm(x, null, one, { training })).toThrow(half);
      expect(() => F.instanceNorm(x, mean, null, { useInputStats: training })).toThrow(half);
    }
    expect(() => F.batchNorm(x, null, null)).toThrow(
      'batchNorm: expected runningMean and runningVar with training: false, got none',
    );
    expect(() => F.instanceNorm(x, { useInputStats: false })).toThrow(
      'instanceNorm: expected runningMean and runningVar with useInputStats: false, got none',
    );
    expect(F.batchNorm(x, null, null, null, null, true).toArray()).toEqual(
      F.batchNorm(x, null, null, { training: true }).toArray(),
    );
  });

  test('reductions of losses', () => {
    const x = counting(2, 2);
    const y = r.zeros([2, 2]);
    expect(F.mseLoss(x, y).item()).toBe(3.5);
    expect(F.mseLoss(x, y, { reduction: 'sum' }).item()).toBe(14);
    expect(F.l1Loss(x, y, { reduction: 'none' }).toArray()).toEqual([
      [0, 1],
      [2, 3],
    ]);
    expect(() => F.mseLoss(x, y, { reduction: 'avg' as never })).toThrow(
      /mseLoss: expected 'mean', 'sum' or 'none' as reduction, got 'avg'/,
    );
    for (const loss of [F.mseLoss, F.l1Loss, F.smoothL1Loss, F.huberLoss, F.bceLoss, F.bceWithLogitsLoss, F.klDivLoss])
      expect(() => loss(x, r.zeros([2])), loss.name).toThrow(ShapeError);
    const classes = tensor([0, 2], { dtype: 'i32' });
    expect(() => F.crossEntropy(x, classes)).toThrow(
      /crossEntropy: expected classes from 0 to 1 \(or ignoreIndex -100\), got 2 at position 1/,
    );
    expect(() => F.crossEntropy(x, tensor([0], { dtype: 'i32' }))).toThrow(
      /expected class targets of shape \[2\], got \[1\]/,
    );
    for (const loss of [F.crossEntropy, F.nllLoss]) {
      for (const target of [tensor([0, 1]), tensor([0, 1], { dtype: 'u8' })])
        expect(() => loss(x, target)).toThrow(
          `${loss.name}: expected class targets in i32, got ${target.dtype} [2]; convert with .to('i32'), or make them so`,
        );
    }
    expect(() => F.mseLoss(x, 0 as never)).toThrow('mseLoss: expected a tensor as target, got 0');
    // PyTorch's positions, its deprecated ones included.
    expect(F.mseLoss(x, y, undefined, null, 'sum').item()).toBe(14);
    expect(() => F.mseLoss(x, y, true as never)).toThrow(/mseLoss: expected no sizeAverage but null, got true/);
    expect(() => F.mseLoss(x, y, 'sum' as never)).toThrow(/mseLoss: expected no sizeAverage but null, got 'sum'/);
    expect(() => F.nllLoss(tensor(1), tensor(1))).toThrow(
      /nllLoss: expected input \[n, classes, \.\.\.\], got a single number/,
    );
    expect(() => F.gelu(x, { approximate: 'erf' as never })).toThrow(ArgumentError);
  });
});
