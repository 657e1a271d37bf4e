// Each callback and logger in a small training.
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { functional as F, init, manualSeed, type nn, optim, type Tensor } from '../../bindings/index.ts';
import {
  type Callback,
  CSVLogger,
  EarlyStopping,
  EMAWeightAveraging,
  type Figures,
  formatDuration,
  JsonLinesLogger,
  LearningRateFinder,
  LearningRateMonitor,
  ModelCheckpoint,
  NanGuard,
  ProgressBar,
  type Run,
  StochasticWeightAveraging,
  TimeLimit,
  Trainer,
} from '../../bindings/train/index.ts';
import { loaderOf, type Pair, points, seeded, trainerOf, weightsOf } from './make.ts';

let all: Pair;
const folder = mkdtempSync(join(tmpdir(), 'retrograd-train-'));
beforeAll(async () => {
  await init();
  all = points();
});
afterAll(() => rmSync(folder, { recursive: true }));

/** A run as a callback sees it, after so many epochs. */
const run = (more: Partial<Run> = {}): Run & { stopped: string | null } => {
  const made = {
    ...{ epoch: 0, epochs: 9, step: 0, batch: 0, batches: 10, samples: 0, learningRates: [0.1], figures: {} },
    stopped: null as string | null,
    stop(reason = '') {
      made.stopped ??= reason;
    },
    ...more,
  };
  return made;
};

describe('EarlyStopping', () => {
  const reasons = (options: object, values: readonly number[]): (string | null)[] => {
    const callback = new EarlyStopping('loss', options);
    return values.map((loss) => {
      const at = run();
      callback.onEpochEnd(at, { loss });
      return at.stopped;
    });
  };

  it('ends after epochs without improvement, at NaN, and at thresholds', () => {
    expect(reasons({ patience: 2 }, [3, 2, 2, 1.5, 2, 1.5])).toEqual([
      ...[null, null, null, null, null],
      'loss has not improved for 2 epochs',
    ]);
    expect(reasons({ patience: 1, minDelta: 0.2 }, [1, 0.9])).toEqual([null, 'loss has not improved for 1 epochs']);
    expect(reasons({ mode: 'max', patience: 1 }, [1, 2, 1])).toEqual([
      null,
      null,
      'loss has not improved for 1 epochs',
    ]);
    expect(reasons({}, [Number.NaN])).toEqual(['loss is NaN']);
    const nan = Number.NaN;
    expect(reasons({ checkFinite: false, patience: 2 }, [nan, 1, nan])).toEqual([null, null, null]);
    for (const mode of ['min', 'max'])
      expect(reasons({ checkFinite: false, patience: 2, mode }, [nan, nan])[1]).toContain('has not improved');
    expect(reasons({ stoppingThreshold: 0.5 }, [1, 0.4])).toEqual([null, 'loss is 0.4, which is enough']);
    expect(reasons({ divergenceThreshold: 9 }, [1, 10])).toEqual([null, 'loss is 10, which will not recover']);
  });

  it('says what figures there are', () => {
    expect(() => new EarlyStopping().onEpochEnd(run(), { loss: 1, right: 2 })).toThrow(
      "EarlyStopping: expected the figure 'valLoss', got loss or right; give it another monitor, or fit() validation data",
    );
  });
});

/** Adds a figure to those of each epoch. */
const telling = (told: readonly number[]): Callback<Trainer> => ({
  onEpochEnd: (at, figures) => void Object.assign(figures, { told: told[at.epoch] }),
});

describe('ModelCheckpoint', () => {
  it('keeps the best and the last, from which a training goes on', async () => {
    const losses = [3, 1, 2, 0.5, 4];
    const path = join(folder, 'best');
    class Told extends Trainer<nn.Module, Pair> {}
    const checkpoints = new ModelCheckpoint(path, { monitor: 'told', saveTopK: 2 });
    const model = seeded();
    const options = { loss: F.crossEntropy, optimizer: new optim.SGD(model.parameters(), { lr: 0.1 }) };
    const trainer = new Told(model, { ...options, callbacks: [checkpoints, telling(losses)] });
    await trainer.fit(loaderOf(all), { epochs: 5 });
    const there = [2, 4, 1, 3, 5].map((n) => existsSync(join(path, `epoch-${n - 1}-step-${7 * n}.safetensors`)));
    expect(there).toEqual([true, true, false, false, false]);
    expect([checkpoints.bestModelPath, checkpoints.bestModelScore]).toEqual(['epoch-3-step-28.safetensors', 0.5]);
    const again = new ModelCheckpoint(path, { monitor: 'loss', saveTopK: 2 });
    const other = trainerOf({ callbacks: [again] });
    await expect(other.loadCheckpoint(join(path, 'none'))).rejects.toThrow('ENOENT');
    const sgd = new Trainer<nn.Module, Pair>(seeded(), { ...options, callbacks: [again] });
    await expect(other.loadCheckpoint(join(path, 'last.safetensors'))).rejects.toThrow(/loadStateDict|expected/);
    await sgd.loadCheckpoint(join(path, 'last.safetensors'));
    expect(again.bestModelScore).toBe(0.5);
    expect([sgd.epoch, sgd.step]).toEqual([5, 35]);
    expect(weightsOf(sgd.model)).toEqual(weightsOf(model));
  });

  it.each(['min', 'max'] as const)('keeps no figure that is NaN in place of one that is not, by %s', async (mode) => {
    const checkpoints = new ModelCheckpoint({ write() {}, remove() {} }, { monitor: 'told', mode, saveLast: false });
    const callbacks = [checkpoints, telling([Number.NaN, 2, Number.NaN])];
    await trainerOf({ callbacks }).fit(loaderOf(all), { epochs: 3 });
    expect(checkpoints.bestModelPath).toBe('epoch-1-step-14.safetensors');
  });

  it('saves by steps and seconds, to whatever keeps files', async () => {
    const names: string[] = [];
    const storage = {
      write: (name: string) => void names.push(name),
      remove: (name: string) => void names.push(`-${name}`),
    };
    const checkpoints = new ModelCheckpoint(storage, { everySteps: 3, saveLast: false });
    await trainerOf({ callbacks: [checkpoints] }).fit(loaderOf(all), { epochs: 2 });
    const wanted = ['last', 'last', 'epoch-0-step-7', 'last', 'last', 'epoch-1-step-14', '-epoch-0-step-7'];
    expect(names).toEqual(wanted.map((name) => `${name}.safetensors`));
    expect(() => new ModelCheckpoint({} as never)).toThrow('expected a folder, or an object that can write and remove');
  });

  it('refuses what is no checkpoint of this training', () => {
    const trainer = trainerOf();
    const bytes = trainer.encodeCheckpoint();
    const broken = Uint8Array.from(bytes);
    broken[bytes.length - 1] = (broken[bytes.length - 1] as number) ^ 1;
    expect(() => trainer.decodeCheckpoint(broken)).toThrow('it is damaged');
    expect(() => trainer.decodeCheckpoint(new Uint8Array(9))).toThrow('expected');
    const stopping = trainerOf({ callbacks: [new EarlyStopping()] });
    expect(() => trainer.decodeCheckpoint(stopping.encodeCheckpoint())).toThrow('got none called EarlyStopping');
    expect(() => trainer.encodeCheckpoint({ at: new Date(0) })).toThrow('encodeCheckpoint: expected in extra null');
    expect(() => trainerOf({ callbacks: [new TimeLimit(1), new TimeLimit(2)] })).toThrow('got two called TimeLimit');
  });
});

describe('LearningRateFinder', () => {
  it.each([1, 0])('finds a learning rate, and leaves all else as it was, where %i of it is first', async (first) => {
    const make = (callbacks: object[]): Trainer<nn.Module, Pair> => {
      const model = seeded();
      const optimizer = new optim.SGD(model.parameters(), { lr: 1 });
      const schedule = new optim.lrScheduler.LambdaLR(optimizer, (epoch) => (epoch > 0 ? 1 : first));
      return new Trainer<nn.Module, Pair>(model, { loss: F.crossEntropy, optimizer, schedule, callbacks });
    };
    const finder = new LearningRateFinder({ minLr: 1e-4, maxLr: 100, numTrainingSteps: 60 });
    const found = make([finder]);
    await expect(finder.plot()).rejects.toThrow('plot: expected results, got none');
    manualSeed(1);
    await found.fit(loaderOf(all, { shuffle: true }), { epochs: 2 });
    const lr = finder.suggestion() as number;
    expect(lr).toBeGreaterThan(1e-3);
    expect(lr).toBeLessThan(30);
    expect(finder.results.loss.length).toBeGreaterThan(15);
    const byHand = make([]);
    for (const group of byHand.optimizer.paramGroups as unknown as Record<string, number>[]) {
      group.lr = first * lr;
      group.initialLr = lr;
    }
    byHand.schedules[0]?.scheduler.loadStateDict({ ...byHand.schedules[0].scheduler.stateDict(), baseLrs: [lr] });
    manualSeed(1);
    await byHand.fit(loaderOf(all, { shuffle: true }), { epochs: 2 });
    expect(found.learningRates).toEqual([lr]);
    expect(found.step).toBe(14);
    expect(weightsOf(found.model)).toEqual(weightsOf(byHand.model));
    expect(await finder.plot()).toContain('<svg');
  });
});

describe('averages', () => {
  it('validate with the exponential average, and leave it', async () => {
    const seen: Record<string, number[]>[] = [];
    const model = seeded();
    const look = { onStepEnd: () => void seen.push(weightsOf(model)) };
    const ema = new EMAWeightAveraging({ decay: 0.5 });
    const trainer = trainerOf({ callbacks: [ema, look] }, model);
    const { history } = await trainer.fit(loaderOf(all, { batchSize: 25 }), { validation: loaderOf(all) });
    const [first, second] = seen.map((weights) => weights['4.bias'] as number[]) as [number[], number[]];
    const mean = first.map((x, i) => (x + (second[i] as number)) / 2);
    expect(weightsOf(model)['4.bias']).toEqual(mean.map((x) => expect.closeTo(x, 6)));
    expect((await trainer.evaluate(loaderOf(all))).loss).toBe(history[0]?.valLoss);
    await trainer.fit(loaderOf(all), { epochs: 1 }); // no more to do: it is there again
    expect(weightsOf(model)['4.bias']).toEqual(mean.map((x) => expect.closeTo(x, 6)));
  });

  it('average the last epochs at a constant rate, and compute batch norms anew', async () => {
    const model = seeded();
    const ends: number[][] = [];
    const look = { onEpochEnd: () => void ends.push(weightsOf(model)['4.bias'] as number[]) };
    const swa = new StochasticWeightAveraging(0.003, { swaEpochStart: 2, annealingEpochs: 1 });
    const trainer = trainerOf({ callbacks: [look, swa] }, model);
    await trainer.fit(loaderOf(all), { epochs: 4 });
    const mean = (ends[2] as number[]).map((x, i) => (x + (ends[3]?.[i] as number)) / 2);
    expect(weightsOf(model)['4.bias']).toEqual(mean.map((x) => expect.closeTo(x, 6)));
    expect(trainer.learningRates).toEqual([expect.closeTo(0.003, 9)]);
    const kept = weightsOf(model)['1.running_mean'] as number[];
    optim.swaUtils.updateBn(loaderOf(all), model);
    expect(kept).toEqual((weightsOf(model)['1.running_mean'] as number[]).map((x) => expect.closeTo(x, 5)));
  });
});

describe('NanGuard', () => {
  it('takes the last good state, lowers the rate, and gives up after some times', async () => {
    const guard = new NanGuard({ every: 2, maxRestores: 2 });
    let bad = 0;
    class Breaks extends Trainer<nn.Module, Pair> {
      override trainingStep(batch: Pair) {
        const { loss } = super.trainingStep(batch) as { loss: Tensor };
        return loss.mul(bad > 0 ? Number.NaN : 1);
      }
    }
    const model = seeded();
    const optimizer = new optim.Adam(model.parameters(), { lr: 0.01 });
    const after: Record<string, number[]>[] = [];
    const breaks = {
      onStepEnd: (at: Trainer) => {
        after.push(weightsOf(model));
        bad = [3, 8, 9].includes(at.step) ? 1 : 0;
      },
    };
    const trainer = new Breaks(model, {
      ...{ loss: F.crossEntropy, optimizer, compile: false },
      callbacks: [guard, breaks as never],
    });
    const result = await trainer.fit(loaderOf(all), { epochs: 9 });
    // Step 4 is NaN: back to the state after step 2, which step 3 has shown to be good.
    expect(after[3]).toEqual(after[1]);
    expect(guard.restores).toBe(3);
    expect(result).toMatchObject({ stopped: 'loss is NaN, after 2 lower learning rates', steps: 10 });
    expect(trainer.learningRates).toEqual([0.0025]);
    expect(Object.values(weightsOf(model)).flat().every(Number.isFinite)).toBe(true);
  });
});

it('TimeLimit ends a training, and counts what was before', async () => {
  const limit = new TimeLimit(0.05);
  const slow = { onStepEnd: () => new Promise<void>((resolve) => setTimeout(resolve, 20)) };
  const trainer = trainerOf({ callbacks: [slow, limit] });
  const result = await trainer.fit(loaderOf(all), { epochs: 9 });
  expect(result.stopped).toBe('0.05 seconds are over');
  expect(result.steps).toBeLessThan(4);
  expect(await trainer.fit(loaderOf(all), { epochs: 9 })).toMatchObject({ steps: result.steps + 1 });
  expect(() => new TimeLimit(0)).toThrow('TimeLimit: expected seconds > 0');
});

describe('loggers', () => {
  const record = (logger: JsonLinesLogger | CSVLogger, more: object = {}): Trainer<nn.Module, Pair> =>
    trainerOf({ loggers: [logger], logEvery: 3, hyperparameters: { lr: 0.01 }, ...more });

  it('write lines of JSON, and go on where a training does', async () => {
    const path = join(folder, 'a', 'metrics.jsonl');
    const first = record(new JsonLinesLogger(path), { callbacks: [new LearningRateMonitor({ every: 5 })] });
    await first.fit(loaderOf(all), { steps: 5 });
    const bytes = first.encodeCheckpoint();
    const lines = (): Record<string, unknown>[] =>
      readFileSync(path, 'utf8')
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line));
    const loss = expect.any(Number);
    const before = [
      { step: 0, hyperparameters: { lr: 0.01 } },
      { step: 0, lr: 0.01 },
      { step: 3, loss },
      { step: 5, lr: 0.01 },
    ];
    expect(lines()).toEqual(before);
    await first.fit(loaderOf(all), { epochs: 1 });
    writeFileSync(path, '{"step":7,"lo', { flag: 'a' });
    const logger = new JsonLinesLogger(path);
    const second = record(logger, { callbacks: [new LearningRateMonitor({ every: 5 })] });
    second.decodeCheckpoint(bytes);
    await second.fit(loaderOf(all), { epochs: 1 });
    expect(lines()).toEqual([...before, { step: 6, loss }, { step: 7, loss }]);
    expect(logger.records).toEqual(lines());
    expect(() => logger.logScalars(1, { x: 1 })).toThrow('expected a logger that is open');
    for (const line of ['{"step":1', 'null', '[]', '{"step":"1"}']) {
      writeFileSync(path, `{"step":1,"loss":null}\n${line}\n{"step":2}\n`);
      await expect(logger.open(2)).rejects.toThrow('open: expected an object with a step in line 2, got');
    }
    writeFileSync(path, '{"step":1,"loss":null}\n');
    await logger.open(2);
    expect(logger.records).toEqual([{ step: 1, loss: Number.NaN }]);
    logger.close();
  });

  it('write a table, whose columns may become more', async () => {
    const path = join(folder, 'metrics.csv');
    const logger = new CSVLogger(path);
    await logger.open();
    logger.logScalars(1, { loss: 0.5 });
    logger.logScalars(2, { loss: 0.25 });
    logger.logScalars(3, { 'a "b", c': 1, loss: Number.NaN });
    logger.logHyperparameters({ lr: 1 });
    logger.close();
    const text = (): string => readFileSync(path, 'utf8');
    expect(text()).toBe('step,loss,"a ""b"", c"\n1,0.5,\n2,0.25,\n3,NaN,1\n');
    const again = new CSVLogger(path);
    await again.open(2);
    again.logScalars(3, { loss: 0.1, 'a "b", c': 2 });
    again.close();
    expect(() => again.logScalars(4, { more: 1 })).toThrow('expected a logger that is open');
    expect(text()).toBe('step,loss,"a ""b"", c"\n1,0.5,\n2,0.25,\n3,0.1,2\n');
    const given: string[] = [];
    const lines = new CSVLogger((line) => void given.push(line));
    await record(lines).fit(loaderOf(all));
    expect(given.map((line) => line.replace(/0\.\d+|1\.\d+/g, 'x'))).toEqual(['step,loss', '3,x', '6,x', '7,x']);
  });
});

describe('ProgressBar', () => {
  /** A stream that keeps what is written. */
  function sink(isTTY: boolean) {
    const parts: string[] = [];
    return {
      stream: { isTTY, columns: 120, hasColors: () => true, write: (part: string) => parts.push(part) },
      read: () => parts.join(''),
    };
  }

  it('writes a line every two seconds where there is no terminal', () => {
    const { stream, read } = sink(false);
    let time = 0;
    const bar = new ProgressBar({ stream, now: () => time, unit: 'img' });
    bar.onFitStart(run());
    for (const epoch of [0, 1]) {
      bar.onEpochStart(run({ epoch }));
      for (let batch = 1; batch <= 10; batch++) {
        time += 500;
        bar.onStepEnd(run({ epoch, epochs: 2, batch, samples: 100 * batch, figures: { loss: 0.5 } }));
      }
      time += 60_000; // the validation is no training
      bar.onEpochEnd(run({ epoch, epochs: 2 }), { loss: 0.5, valLoss: 1e-5 });
    }
    bar.onFitEnd();
    expect(read().trimEnd().split('\n')).toEqual([
      'epoch 1/2  40%  loss 0.5000  200 img/s  8 s left',
      'epoch 1/2  80%  loss 0.5000  200 img/s  6 s left',
      'epoch 1/2  loss 0.5000  valLoss 0.00001000  200 img/s',
      'epoch 2/2  10%  loss 0.5000  200 img/s  5 s left',
      'epoch 2/2  50%  loss 0.5000  200 img/s  3 s left',
      'epoch 2/2  90%  loss 0.5000  200 img/s  1 s left',
      'epoch 2/2  loss 0.5000  valLoss 0.00001000  200 img/s',
    ]);
  });

  it('counts only examples of this session in an epoch that goes on', () => {
    const { stream, read } = sink(false);
    let time = 0;
    const summary = (_: Run, __: Figures, rate: number): string => `at ${rate} a second`;
    const bar = new ProgressBar({ stream, now: () => time, unit: 'img', examples: 1000, summary });
    bar.onFitStart(run({ epochs: 1, samples: 600 }));
    time = 2000;
    bar.onStepEnd(run({ epochs: 1, batch: 7, samples: 700, figures: { loss: Number.NaN } }));
    bar.onEpochEnd(run(), {});
    expect(read()).toBe('epoch 1/1  70%  loss NaN  50 img/s  6 s left\nat 50 a second\n');
  });

  it('formats durations', () => {
    expect([0, 1.4, 89, 90, 605, 3600, 3725].map((seconds) => formatDuration(seconds))).toEqual([
      ...['0 s', '1 s', '89 s', '1:30 min', '10:05 min', '1:00:00 h', '1:02:05 h'],
    ]);
  });

  it.each([
    ['', true],
    ['1', false],
  ])('draws a bar on a terminal, and gives it back; NO_COLOR=%j', (noColor, coloured) => {
    vi.stubEnv('NO_COLOR', noColor);
    const { stream, read } = sink(true);
    let time = 0;
    const bar = new ProgressBar({
      stream,
      now: () => time,
      figures: ({ loss = 0 }) => `L ${loss}`,
      summary: () => 'end',
    });
    bar.onFitStart(run());
    time = 200;
    bar.onStepEnd(run({ batch: 5, samples: 50, figures: { loss: 2 } }));
    bar.onEpochEnd(run(), {});
    bar.onFitEnd();
    bar.onError();
    vi.unstubAllEnvs();
    expect(read()).toMatch(/epoch 1\/9.*█{15}░{15}.*50% {2}L 2 {2}250 examples\/s/);
    expect(read().includes('\x1b[36m')).toBe(coloured);
    expect(read()).toContain('\r\x1b[Kend\n');
    expect(read().split('\x1b[?25h')).toHaveLength(2);
  });
});
