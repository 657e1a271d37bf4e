// Running statistics: what batchNorm(), instanceNorm() and their layers take, and what they do to it.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as r from '../../bindings/index.ts';
import { ArgumentError, functional as F, nn, RetrogradError, type Tensor, tensor } from '../../bindings/index.ts';
import { numbered, wrongGradients } from '../support/failures.ts';
import { bits } from '../support/tensors.ts';

beforeAll(() => r.init());
afterAll(() => r.shutdown());

const test = (name: string, body: () => void): void => it(name, () => r.scope(body));
type Norm = (x: Tensor, mean: Tensor | null, variance: Tensor | null) => Tensor;
const norms: Record<string, Norm> = {
  'batchNorm, training': (x, mean, variance) => F.batchNorm(x, mean, variance, { training: true }),
  'batchNorm, evaluating': (x, mean, variance) => F.batchNorm(x, mean, variance, { training: false }),
  instanceNorm: (x, mean, variance) => F.instanceNorm(x, mean, variance),
  'instanceNorm, running': (x, mean, variance) => F.instanceNorm(x, mean, variance, { useInputStats: false }),
};
const CHANNELS = [4];
/** Of one dim, no layout is a transposed one. */
const wrong = Object.entries(wrongGradients).filter(([name]) => !['transposed', 'of as many elements'].includes(name));

describe.each(Object.entries(norms))('%s', (_, norm) => {
  it.each(wrong)('takes no statistics that are %s', (_name, make) =>
    r.scope(() => {
      const x = numbered([2, 4, 3]);
      for (const [mean, variance] of [
        [make(CHANNELS), r.ones(CHANNELS)],
        [r.zeros(CHANNELS), make(CHANNELS)],
      ] as [Tensor, Tensor][]) {
        const witness = numbered([5]);
        const image = bits(witness);
        expect(() => norm(x, mean, variance)).toThrow(RetrogradError);
        expect(bits(witness)).toBe(image);
      }
    }),
  );

  test('takes both or neither', () => {
    const x = numbered([2, 4, 3]);
    expect(() => norm(x, r.zeros(CHANNELS), null)).toThrow(
      /expected runningMean and runningVar, or neither, got no runn/,
    );
    expect(() => norm(x, null, r.ones(CHANNELS))).toThrow(ArgumentError);
  });
});

describe('statistics that share memory', () => {
  test('are refused where both are written', () => {
    const both = r.ones([6]);
    expect(() =>
      F.batchNorm(numbered([2, 4, 3]), both.narrow(0, 0, 4), both.narrow(0, 2, 4), { training: true }),
    ).toThrow(/expected runningMean and runningVariance to have memory of their own, got two that share it/);
    expect(both.toArray()).toEqual(r.ones([6]).toArray());
  });

  test('with the input are written after it was read', () => {
    const [whole, apart] = [numbered([2, 4, 3]), numbered([2, 4, 3])];
    const mean = whole.reshape([24]).narrow(0, 2, 4);
    const other = mean.clone();
    const y = F.batchNorm(whole, mean, r.ones(CHANNELS), { training: true });
    expect(y.toArray()).toEqual(F.batchNorm(apart, other, r.ones(CHANNELS), { training: true }).toArray());
    expect(mean.toArray()).toEqual(other.toArray());
  });

  test('of neighbours in one block stay apart', () => {
    const both = r.concat([r.zeros([4]), r.ones([4])], 0);
    const x = numbered([2, 4, 3]);
    F.batchNorm(x, both.narrow(0, 0, 4), both.narrow(0, 4, 4), { training: true });
    const [mean, variance] = [r.zeros(CHANNELS), r.ones(CHANNELS)];
    F.batchNorm(x, mean, variance, { training: true });
    expect(both.toArray()).toEqual([...(mean.toArray() as number[]), ...(variance.toArray() as number[])]);
  });
});

test('no statistics are no evaluation', () => {
  expect(() => F.batchNorm(numbered([2, 4]), null, null)).toThrow(
    /batchNorm: expected runningMean and runningVar with training: false, got none/,
  );
  expect(() => F.instanceNorm(numbered([2, 4, 3]), null, null, { useInputStats: false })).toThrow(ArgumentError);
});

describe('momentum null', () => {
  test('of BatchNorm1d is the mean over all batches', () => {
    const norm = new nn.BatchNorm1d(1, { momentum: null });
    const seen: number[][] = [];
    for (const batch of [
      [1, 3],
      [2, 8],
      [0, 5],
      [7, 8.5],
    ]) {
      seen.push(batch);
      norm.forward(tensor(batch.map((v) => [v])));
      const means = seen.map(([a, b]) => ((a as number) + (b as number)) / 2);
      const variances = seen.map(([a, b]) => ((a as number) - (b as number)) ** 2 / 2);
      const average = (list: number[]): number => list.reduce((a, b) => a + b) / list.length;
      expect(norm.runningMean?.item()).toBeCloseTo(average(means), 5);
      expect(norm.runningVar?.item()).toBeCloseTo(average(variances), 5);
    }
    expect(norm.numBatchesTracked?.item()).toBe(4);
    norm.eval();
    norm.forward(tensor([[1], [2]]));
    expect(norm.numBatchesTracked?.item()).toBe(4);
  });

  test('is the same when compiled', () => {
    const make = (): nn.BatchNorm1d => new nn.BatchNorm1d(3, { momentum: null });
    const [eager, compiled] = [make(), make()];
    const step = r.compile((x: Tensor) => compiled.forward(x));
    for (let i = 0; i < 4; i++) {
      const x = numbered([5, 3], i);
      expect(step(x).toArray()).toEqual(eager.forward(x).toArray());
      expect(compiled.runningVar?.toArray()).toEqual(eager.runningVar?.toArray());
    }
  });

  test('of InstanceNorm1d leaves the statistics', () => {
    const norm = new nn.InstanceNorm1d(4, { momentum: null, trackRunningStats: true });
    norm.forward(numbered([2, 4, 3]));
    expect(norm.runningMean?.toArray()).toEqual([0, 0, 0, 0]);
  });
});
