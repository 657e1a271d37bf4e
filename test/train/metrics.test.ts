// Metrics over uneven batches, against scikit-learn's on all the data at once: in one piece, put together of two, saved
// and read back, and in compiled functions.
import { readFileSync } from 'node:fs';
import { afterAll, describe, expect, it } from 'vitest';
import { compile, init, ShapeError, shutdown, type Tensor, tensor } from '../../bindings/index.ts';
import * as train from '../../bindings/train/index.ts';

await init({ simd: 'strict', threads: 1 });
afterAll(() => shutdown());

type Nested = readonly number[] | readonly Nested[];
type Value = number | readonly Value[];
interface Case {
  readonly data: string;
  readonly metric: string;
  readonly options: Readonly<Record<string, unknown>>;
  readonly weighted: boolean;
  readonly value: Value;
}
interface Golden {
  readonly data: Readonly<Record<string, { scores: Nested; target: Nested; weight: readonly number[] }>>;
  readonly cases: readonly Case[];
  readonly curves: Readonly<
    Record<string, Readonly<Record<string, Readonly<Record<string, readonly (number | string)[]>>>>>
  >;
}
const golden: Golden = JSON.parse(readFileSync(new URL('../golden/metrics.json', import.meta.url), 'utf8'));

type AnyMetric = train.StreamingMetric<unknown>;
type Batch = [output: Tensor, target: Tensor, weight?: Tensor];
type Make = new (options?: object) => AnyMetric;
const make = (metric: string, options: object): AnyMetric => {
  const Metric = (train as never as Record<string, Make>)[metric] as Make;
  return Object.keys(options).length > 0 ? new Metric(options) : new Metric();
};

/** The rows of a data set in uneven batches. */
function batches(name: string, weighted: boolean): Batch[] {
  const { scores, target, weight } = golden.data[name] as Golden['data'][string];
  const isClass = !/numbers|columns|far/.test(name);
  const cuts = [0, 1, 18, 19, scores.length];
  return cuts.slice(1).map((to, i) => {
    const part = <T>(rows: readonly T[]): readonly T[] => rows.slice(cuts[i], to);
    const batch: Batch = [
      tensor(part(scores as readonly Nested[]) as never),
      tensor(part(target as readonly Nested[]) as never, { dtype: isClass ? 'i32' : 'f32' }),
    ];
    if (weighted) batch.push(tensor(part(weight) as number[]));
    return batch;
  });
}

function expectNear(found: unknown, value: Value): void {
  if (typeof value !== 'number') {
    expect((found as unknown[]).length).toBe(value.length);
    for (const [i, each] of value.entries()) expectNear((found as unknown[])[i], each);
    return;
  }
  expect(Math.abs((found as number) - value)).toBeLessThanOrEqual(2e-6 * Math.max(1, Math.abs(value)));
}

const titleOf = ({ data, metric, options, weighted }: Case): string =>
  `${metric} ${JSON.stringify(options)} of ${data}${weighted ? ', weighted' : ''}`;
const cases = golden.cases.map((each) => [titleOf(each), each] as const);

it.each(cases)('%s is that of scikit-learn', (_, { data, metric, options, weighted, value }) => {
  const whole = make(metric, options);
  const halves = [make(metric, options), make(metric, options)] as [AnyMetric, AnyMetric];
  const resumed = make(metric, options);
  whole.update(...(batches(data, weighted)[2] as Batch));
  whole.reset();
  for (const [i, batch] of batches(data, weighted).entries()) {
    whole.update(...batch);
    (halves[i % 2] as AnyMetric).update(...batch);
    const next = make(metric, options);
    next.loadState(structuredClone(resumed.state()));
    next.update(...batch);
    resumed.loadState(next.state());
  }
  expectNear(whole.compute(), value);
  expect(resumed.compute()).toEqual(whole.compute());
  halves[0].merge(halves[1]);
  expectNear(halves[0].compute(), value);
});

/** One of each kind, of those whose state is of one size. */
const COMPILED = golden.cases.filter(
  ({ metric, data, weighted, options: { average, ...options } }, at, all) =>
    !/AUROC|AveragePrecision/.test(metric) &&
    Object.keys(options).join('').replace('logits', '') === '' &&
    at ===
      all.findIndex((other) => other.metric === metric && other.data === data && weighted !== (data === 'columns')),
);
it.each(COMPILED.map((each) => [titleOf(each), each] as const))('%s is the same compiled', (_, each) => {
  const [eager, compiled] = [make(each.metric, each.options), make(each.metric, each.options)];
  const step = compile((...batch: Batch) => compiled.update(...batch));
  const all = batches(each.data, each.weighted);
  for (const batch of [...all, ...all, ...all]) {
    eager.update(...batch);
    step(...batch);
  }
  expect(step.programs).toBeLessThanOrEqual(all.length);
  expect(compiled.compute()).toEqual(eager.compute());
  compiled.reset();
  for (const batch of all) step(...batch);
  expectNear(compiled.compute(), each.value);
});

describe('curves', () => {
  it.each(Object.keys(golden.curves))('are those of scikit-learn, %s', (name) => {
    for (const [metric, curve] of Object.entries(golden.curves[name] as object)) {
      const own = make(metric, {});
      for (const batch of batches('binary', name === 'weighted')) own.update(...batch);
      const found = own.compute() as Record<string, Float64Array>;
      for (const [key, values] of Object.entries(curve as Record<string, (number | string)[]>)) {
        const numbers = values.map(Number);
        expect(Array.from(found[key] as Float64Array, (x) => Number(x.toPrecision(5)))).toEqual(
          numbers.map((x) => Number(x.toPrecision(5))),
        );
      }
    }
  });

  it.each(['binary', 'multilabel', 'multiclass'])('counted at all scores that there are are exact, %s', (data) => {
    for (const weighted of [false, true])
      for (const metric of ['AUROC', 'AveragePrecision'])
        for (const average of data === 'binary' || !weighted ? ['macro'] : ['macro', 'micro', 'weighted', 'none']) {
          const steps = Array.from({ length: 1001 }, (_, i) => i / 1000);
          const [exact, binned] = [make(metric, { average }), make(metric, { average, thresholds: steps })];
          const rounded = (x: Tensor): Tensor => x.sigmoid().mul(1000).round().div(1000);
          const even = (x: Tensor): Tensor =>
            data === 'multiclass' ? x.softmax(1).mul(1000).round().div(1000) : rounded(x);
          const counted = compile((...[x, ...rest]: Batch) => binned.update(even(x), ...rest));
          for (const [x, ...rest] of batches(data, weighted)) {
            exact.update(even(x), ...rest);
            counted(x, ...rest);
          }
          expectNear(binned.compute(), exact.compute() as Value);
        }
  });

  it('refuse to keep scores inside of compile()', () => {
    const [x, y] = batches('binary', false)[2] as Batch;
    const step = compile((output: Tensor, target: Tensor) => new train.AUROC().update(output, target));
    expect(() => step(x, y)).toThrow(/update.*count them by thresholds/);
  });
});

describe('what is odd', () => {
  it('gives NaN where nothing was seen', () => {
    for (const metric of [...new Set(golden.cases.map((each) => each.metric))].filter(
      (name) => name !== 'ConfusionMatrix',
    ))
      expect(make(metric, {}).compute()).toBeNaN();
    expect(new train.Precision({ average: 'none' }).compute()).toEqual([]);
    expect(new train.ConfusionMatrix().compute()).toEqual([]);
  });

  it('counts beyond 2^24', () => {
    const metric = new train.MeanMetric();
    for (const value of [2 ** 25, 1, 1, 1]) metric.update(value);
    expect(metric.compute()).toBe((2 ** 25 + 3) / 4);
    const counts = new train.ConfusionMatrix({ numClasses: 2 });
    const y = tensor(Int32Array.of(0, 1));
    counts.loadState({
      task: 'multiclass',
      sums: { cells: { shape: [1, 2, 2], values: Float32Array.of(2 ** 26, 0, 0, 0, 0, 0, 0, 0) } },
      rows: {},
    });
    for (let i = 0; i < 3; i++) counts.update(y, y);
    expect(counts.compute()).toEqual([
      [2 ** 26 + 3, 0],
      [0, 3],
    ]);
  });

  it('reads classes along dim 1 or the last one, in images and in texts', () => {
    const scores = tensor(
      Float32Array.from({ length: 2 * 5 * 3 }, (_, i) => Math.sin(i * 7)),
      { shape: [2, 5, 3] },
    );
    const target = tensor(
      Int32Array.from({ length: 10 }, (_, i) => i % 3),
      { shape: [2, 5] },
    );
    const [last, first, flat] = [new train.F1Score(), new train.F1Score(), new train.F1Score()];
    last.update(scores, target);
    first.update(scores.permute(0, 2, 1), target);
    flat.update(scores.reshape(10, 3), target.reshape(10));
    expect(last.compute()).toBe(flat.compute());
    expect(first.compute()).toBe(flat.compute());
  });

  it('takes images of masks, with targets that do not count', () => {
    const mask = tensor([
      [
        [
          [0, 1],
          [1, 1],
        ],
      ],
      [
        [
          [0, 0],
          [1, 0],
        ],
      ],
    ]);
    const output = tensor([
      [
        [
          [0.2, 0.9],
          [0.1, 0.8],
        ],
      ],
      [
        [
          [0.7, 0.3],
          [0.6, 0.2],
        ],
      ],
    ]);
    const iou = new train.JaccardIndex();
    iou.update(output, mask);
    expect(iou.compute()).toBeCloseTo(3 / 5, 6);
    const some = new train.JaccardIndex({ ignoreIndex: 255 });
    some.update(
      output,
      tensor(
        [
          [
            [
              [0, 1],
              [255, 1],
            ],
          ],
          [
            [
              [255, 0],
              [1, 0],
            ],
          ],
        ],
        { dtype: 'i32' },
      ),
    );
    expect(some.compute()).toBe(1);
  });

  it('says what does not fit', () => {
    const y = tensor(Int32Array.of(0, 1, 2));
    const x = tensor([
      [1, 2, 3],
      [1, 2, 3],
      [1, 2, 3],
    ]);
    expect(() => new train.Accuracy().update(x, tensor(Int32Array.of(0, 3, 1)))).toThrow(
      'indices from 0 to 2 for dim 0',
    );
    expect(() => new train.ConfusionMatrix().update(x, tensor(Int32Array.of(0, -1, 1)))).toThrow('indices from 0 to 2');
    expect(() => new train.Accuracy().update(x, tensor([0, 1, 2]))).toThrow("got f32; call to('i32')");
    expect(() => new train.Accuracy().update(y, y)).toThrow('expected numClasses or a task');
    expect(() => new train.Accuracy({ numClasses: 4 }).update(x, y)).toThrow('expected scores of 4 classes, got 3');
    expect(() => new train.LogLoss({ numClasses: 3 }).update(y, y)).toThrow('expected scores as outputs');
    expect(() => new train.Accuracy().update(x, y, tensor([1, 1]))).toThrow('a weight for each of [3], got [2]');
    expect(() => new train.MeanAbsoluteError().update(x, y)).toThrow(ShapeError);
    expect(() => new train.AUROC({ thresholds: [0.5, 0.2] })).toThrow('in ascending order');
    const metric = new train.Accuracy({ average: 'macro' });
    metric.update(x, y);
    expect(() => metric.update(tensor([[1, 2]]), tensor(Int32Array.of(1)))).toThrow('batches of one kind');
    expect(() => metric.merge(new train.Recall() as never)).toThrow('another metric of the same class');
    expect(() => metric.loadState({} as never)).toThrow('what state() of a metric gave');
  });

  it('tells a diagram of reliability', () => {
    const metric = new train.CalibrationError({ nBins: 2 });
    metric.update(tensor([0.25, 0.35, 0.75, 0.85]), tensor(Int32Array.of(0, 1, 1, 1)));
    const { confidence, accuracy, share } = metric.curve();
    expect([...confidence].map((value) => Number(value.toFixed(6)))).toEqual([0.3, 0.8]);
    expect([...accuracy]).toEqual([0.5, 1]);
    expect([...share]).toEqual([0.5, 0.5]);
    expect(metric.compute()).toBeCloseTo(0.2, 6);
  });
});

describe('texts', () => {
  // The examples of torchmetrics' documentation.
  const outputs = ['this is the prediction', 'there is an other sample'];
  const targets = ['this is the reference', 'there is another one'];
  it('count edits of words and of characters', () => {
    const of = (metric: train.TextMetric): number => {
      outputs.forEach((text, i) => void metric.update(text, targets[i] as string));
      return metric.compute();
    };
    expect(of(new train.WordErrorRate())).toBe(0.5);
    expect(of(new train.CharErrorRate())).toBeCloseTo(0.3415, 4);
    const distance = new train.EditDistance();
    distance.update(['rain', 'lnaguaeg'], ['shine', 'language']);
    expect(distance.compute()).toBe(3.5);
    const sum = new train.EditDistance({ reduction: 'sum', substitutionCost: 2 });
    sum.update('rain', 'shine');
    expect(sum.compute()).toBe(5);
    const more = new train.WordErrorRate();
    more.loadState(new train.WordErrorRate().state());
    expect(more.compute()).toBeNaN();
    more.update('a', 'b');
    const other = new train.WordErrorRate();
    other.update(['a b c'], ['a b c']);
    more.merge(other);
    expect(more.compute()).toBe(0.25);
  });
});
