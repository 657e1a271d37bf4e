// The loop against one that is written by hand.
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { from } from '../../bindings/data/index.ts';
import { compile, functional as F, init, manualSeed, nn, optim, type Tensor } from '../../bindings/index.ts';
import { type Logger, Trainer } from '../../bindings/train/index.ts';
import { loaderOf, type Pair, points, seeded, trainerOf, weightsOf } from './make.ts';

let all: Pair;
beforeAll(async () => {
  await init();
  all = points();
});
afterEach(() => vi.restoreAllMocks());

describe('fit', () => {
  it.each([true, false])('does what a loop by hand does, compile %s', async (compiles) => {
    const byHand = seeded();
    const optimizer = new optim.Adam(byHand.parameters(), { lr: 1e-2 });
    const step = (x: Tensor, y: Tensor): Tensor => {
      optimizer.zeroGrad();
      const loss = F.crossEntropy(byHand.forward(x), y);
      loss.backward();
      optimizer.step();
      return loss;
    };
    const run = compiles ? compile(step) : step;
    const losses: number[] = [];
    manualSeed(1);
    for (let epoch = 0; epoch < 2; epoch++) {
      let [sum, count] = [0, 0];
      for (const [x, y] of loaderOf(all)) {
        sum += run(x, y).item() * y.size;
        count += y.size;
      }
      losses.push(sum / count);
    }
    const trainer = trainerOf({ compile: compiles });
    manualSeed(1);
    const result = await trainer.fit(loaderOf(all), { epochs: 2 });
    expect(weightsOf(trainer.model)).toEqual(weightsOf(byHand));
    expect(result).toEqual({ epochs: 2, steps: 14, stopped: null, history: losses.map((loss) => ({ loss })) });
  });

  it('adds up gradients of batches for a step, also of fewer at the end of an epoch', async () => {
    const byHand = seeded();
    const optimizer = new optim.Adam(byHand.parameters(), { lr: 1e-2 });
    const steps: number[][] = [[]];
    manualSeed(1);
    let count = 0;
    for (const [x, y] of loaderOf(all)) {
      const loss = F.crossEntropy(byHand.forward(x), y);
      loss.div(3).backward();
      steps.at(-1)?.push(loss.item());
      if (++count % 3 > 0 && count < 7) continue;
      optim.clipGradNorm(byHand.parameters(), 0.1);
      optimizer.step();
      optimizer.zeroGrad();
      steps.push([]);
    }
    const seen: number[] = [];
    const norms: number[] = [];
    const callback = {
      onStepEnd: (_: unknown, { loss, gradNorm }: Record<string, number>) => {
        seen.push(loss as number);
        norms.push(gradNorm as number);
      },
    };
    const trainer = trainerOf({ accumulate: 3, clip: { norm: 0.1 }, callbacks: [callback] });
    manualSeed(1);
    const { steps: made } = await trainer.fit(loaderOf(all));
    expect(made).toBe(3);
    expect(weightsOf(trainer.model)).toEqual(weightsOf(byHand));
    const mean = (list: number[] | undefined): number => (list ?? []).reduce((a, b) => a + b, 0) / (list?.length ?? 0);
    expect(seen.slice(0, 2)).toEqual([0, 1].map((i) => expect.closeTo(mean(steps[i]), 10)));
    for (const norm of norms) expect(norm).toBeGreaterThan(0.1);
  });

  it('tells callbacks in order, and waits for them', async () => {
    const heard: string[] = [];
    const names = 'onFitStart onEpochStart onStepEnd onValidationStart onValidationEnd onEpochEnd onFitEnd'.split(' ');
    const listener = (name: string, wait: boolean): object =>
      Object.fromEntries(
        names.map((event) => [
          event,
          (run: Trainer): unknown => {
            const said = (): void => void heard.push(`${name} ${event} ${run.epoch} ${run.step}`);
            return wait ? Promise.resolve().then(said) : said();
          },
        ]),
      );
    const late = { late: true, ...listener('late', false) };
    const trainer = trainerOf({ callbacks: [late, listener('slow', true), listener('quick', false)] });
    const loader = loaderOf(all, { batchSize: 25 });
    const { history } = await trainer.fit(loader, { epochs: 2, validation: loaderOf(all) });
    const events = [
      ...['onFitStart 0 0', 'onEpochStart 0 0', 'onStepEnd 0 1', 'onStepEnd 0 2', 'onValidationStart 0 2'],
      ...['onValidationEnd 0 2', 'onEpochEnd 0 2', 'onEpochStart 1 2', 'onStepEnd 1 3', 'onStepEnd 1 4'],
      ...['onValidationStart 1 4', 'onValidationEnd 1 4', 'onEpochEnd 1 4', 'onFitEnd 2 4'],
    ];
    expect(heard).toEqual(events.flatMap((event) => [`slow ${event}`, `quick ${event}`, `late ${event}`]));
    expect(Object.keys(history[1] ?? {})).toEqual(['loss', 'valLoss']);
  });

  it('makes the steps of schedules, by step, by epoch and by a figure', async () => {
    const model = seeded();
    const optimizer = new optim.SGD(model.parameters(), { lr: 0.01 });
    const { ExponentialLR, StepLR, ReduceLROnPlateau } = optim.lrScheduler;
    const rates: number[] = [];
    const trainer = new Trainer<nn.Module, Pair>(model, {
      ...{ loss: F.crossEntropy, optimizer },
      schedule: [
        { scheduler: new ExponentialLR(optimizer, 0.5), interval: 'step', frequency: 2 },
        new StepLR(optimizer, 1, { gamma: 10 }),
        { scheduler: new ReduceLROnPlateau(optimizer, { patience: 0, factor: 0.1, mode: 'max' }), monitor: 'loss' },
      ],
      callbacks: [{ onStepEnd: ({ learningRates: [rate = 0] }) => void rates.push(rate) }],
    });
    const loader = loaderOf(all, { batchSize: 25 });
    await trainer.fit(loader, { epochs: 3 });
    // The loss falls, which is no improvement here: from the second epoch on the rate falls as well.
    expect(rates).toEqual([1, 0.5, 5, 2.5, 2.5, 1.25].map((rate) => expect.closeTo(rate / 100, 10)));
    const other = trainerOf({ schedule: { scheduler: new ReduceLROnPlateau(optimizer) } });
    await expect(other.fit(loader)).rejects.toThrow(
      "fit: expected the figure 'valLoss' for ReduceLROnPlateau, got loss; give fit() validation data",
    );
  });

  it('takes lists, pipelines, generators and records', async () => {
    const [x, y] = all;
    const batches = [...Array(5).keys()].map(
      (i): Pair => [x.slice(0, 10 * i, 10 * i + 10), y.slice(0, 10 * i, 10 * i + 10)],
    );
    async function* generator(): AsyncGenerator<Pair> {
      for (const batch of batches) yield batch;
    }
    const losses: number[] = [];
    const rows = { x: { data: x.data as Float32Array, shape: x.shape }, y: y.data as Int32Array };
    for (const loader of [
      batches,
      { [Symbol.asyncIterator]: generator },
      from(rows).batch(10),
      loaderOf(all, { batchSize: 10 }),
    ]) {
      manualSeed(1);
      const trainer = trainerOf({});
      manualSeed(1);
      const { history, steps } = await trainer.fit(loader as never);
      expect(steps).toBe(5);
      losses.push(history[0]?.loss as number);
    }
    expect(new Set(losses).size).toBe(1);
  });
});

describe('evaluate and predict', () => {
  it('give means and outputs in evaluation mode, and leave modes as they were', async () => {
    const model = seeded();
    const [norm] = model.modules().filter((module) => module instanceof nn.BatchNorm1d) as nn.Module[] as [nn.Module];
    norm.eval();
    const trainer = trainerOf({}, model);
    const before = weightsOf(model);
    const { loss } = await trainer.evaluate(loaderOf(all));
    const predictions = (await trainer.predict(loaderOf(all))) as Tensor;
    expect([model.training, norm.training]).toEqual([true, false]);
    model.eval();
    const outputs = model.forward(all[0]);
    expect(predictions.shape).toEqual([50, 3]);
    expect([...predictions.data]).toEqual([...outputs.data]);
    expect(loss).toBeCloseTo(F.crossEntropy(outputs, all[1]).item(), 6);
    expect(weightsOf(model)).toEqual(before);
    expect(trainer.evaluation).toEqual({ loss });
  });

  it('let metrics of an epoch under way go on', async () => {
    class Count {
      seen = 0;
      reset(): void {
        this.seen = 0;
      }
      update(output: Tensor): void {
        this.seen += output.shape[0] as number;
      }
      compute(): number {
        return this.seen;
      }
      state(): number {
        return this.seen;
      }
      loadState(seen: number): void {
        this.seen = seen;
      }
    }
    const looks: unknown[] = [];
    const count = new Count();
    const look = {
      async onStepEnd(run: Trainer) {
        if (run.step === 2) looks.push(await run.evaluate(loaderOf(all)), run.figures.count);
      },
    };
    const trainer = trainerOf({ metrics: { count }, callbacks: [look] });
    const { history } = await trainer.fit(loaderOf(all), { validation: loaderOf(all, { batchSize: 20 }) });
    expect(looks).toEqual([expect.objectContaining({ count: 50 }), 16]);
    expect(history[0]).toMatchObject({ count: 50, valCount: 50 });
  });
});

describe('an own step', () => {
  class Gan extends Trainer<nn.Module, Pair> {
    override readonly automaticOptimization = false;
    override trainingStep([x]: Pair) {
      const [g, d] = this.optimizers as [optim.Optimizer, optim.Optimizer];
      const { generator, critic } = this.model as Adversaries;
      const fake = generator.forward(x.slice(1, 0, 2));
      d.zeroGrad();
      const criticLoss = critic.forward(fake.detach()).mean().sub(critic.forward(x).mean());
      criticLoss.backward();
      d.step();
      g.zeroGrad();
      const generatorLoss = critic.forward(fake).mean().neg();
      generatorLoss.backward();
      g.step();
      return { criticLoss, generatorLoss };
    }
  }
  class Adversaries extends nn.Module {
    generator = new nn.Linear(2, 4);
    critic = new nn.Sequential(new nn.Linear(4, 8), new nn.Tanh(), new nn.Linear(8, 1));
  }
  const gan = (compiles: boolean, options = {}): Gan => {
    manualSeed(5);
    const model = new Adversaries();
    const optimizer = [model.generator, model.critic].map((part) => new optim.Adam(part.parameters(), { lr: 1e-2 }));
    return new Gan(model, { optimizer, compile: compiles, ...options });
  };

  it('has several losses and optimizers', async () => {
    const results = await Promise.all([true, false].map((compiles) => gan(compiles).fit(loaderOf(all), { epochs: 2 })));
    expect(results[0]).toEqual(results[1]);
    expect(Object.keys(results[0]?.history[1] ?? {})).toEqual(['criticLoss', 'generatorLoss']);
    await expect(gan(true).fit(loaderOf(all), { validation: loaderOf(all) })).rejects.toThrow(
      'expected a validationStep(batch)',
    );
    await expect(gan(true, { accumulate: 2 }).fit(loaderOf(all))).rejects.toThrow(
      'expected automaticOptimization with accumulate, clip or shards',
    );
  });

  it('trains on batches as augment leaves them, and validates those that there are', async () => {
    const seen: number[] = [];
    const doubled = ([x, y]: Pair): Pair => {
      seen.push(x.shape[0] as number);
      return [x.mul(2), y];
    };
    const twice: Pair = [all[0].mul(2), all[1]];
    const [augmented, plain] = [trainerOf({ augment: doubled }), trainerOf()];
    for (const [trainer, batches] of [
      [augmented, loaderOf(all)],
      [plain, loaderOf(twice)],
    ] as const) {
      manualSeed(1);
      await trainer.fit(batches, { epochs: 2, validation: loaderOf(all) });
    }
    expect(weightsOf(augmented.model)).toEqual(weightsOf(plain.model));
    expect(augmented.evaluation).toEqual(plain.evaluation);
    expect(seen).toHaveLength(14);
  });

  it('falls back to eager where it cannot be traced, and says so once', async () => {
    const warn = vi.spyOn(console, 'warn').mockImplementation(() => {});
    class Reads extends Trainer<nn.Module, Pair> {
      override trainingStep(batch: Pair) {
        const given = super.trainingStep(batch) as { loss: Tensor };
        return given.loss.item() > 1e9 ? given.loss.mul(2) : given.loss;
      }
    }
    const model = seeded();
    const trainer = new Reads(model, {
      loss: F.crossEntropy,
      optimizer: new optim.SGD(model.parameters(), { lr: 0.1 }),
    });
    await trainer.fit(loaderOf(all), { epochs: 2 });
    expect(warn).toHaveBeenCalledTimes(1);
    expect(warn.mock.calls[0]?.[0]).toMatch(
      /^Trainer: trainingStep runs eagerly from here on, which is slower: .*item/,
    );
  });

  it('runs LBFGS, which calls it several times', async () => {
    vi.spyOn(console, 'warn').mockImplementation(() => {});
    const model = new nn.Linear(4, 3);
    const optimizer = new optim.LBFGS(model.parameters(), { lr: 0.5 });
    const { history } = await new Trainer<nn.Module, Pair>(model, { loss: F.crossEntropy, optimizer }).fit(
      loaderOf(all, { batchSize: 50 }),
      { epochs: 3 },
    );
    expect(history[2]?.loss).toBeLessThan((history[0]?.loss ?? 0) - 0.05);
  });
});

describe('the end', () => {
  it('comes with stop(), a signal and a number of steps, after the step under way', async () => {
    const stop = { onStepEnd: (run: Trainer) => void (run.step === 3 && run.stop('enough')) };
    expect(await trainerOf({ callbacks: [stop] }).fit(loaderOf(all))).toMatchObject({
      steps: 3,
      stopped: 'enough',
      epochs: 0,
    });
    const controller = new AbortController();
    const abort = { onStepEnd: (run: Trainer) => void (run.step === 9 && controller.abort()) };
    const aborted = await trainerOf({ callbacks: [abort] }).fit(loaderOf(all), {
      epochs: 4,
      signal: controller.signal,
    });
    expect(aborted).toMatchObject({ steps: 9, stopped: 'aborted', epochs: 1 });
    expect(await trainerOf().fit(loaderOf(all), { signal: controller.signal })).toMatchObject({
      steps: 0,
      stopped: 'aborted',
    });
    expect(await trainerOf().fit(loaderOf(all), { epochs: 9, steps: 10 })).toMatchObject({ steps: 10, stopped: null });
  });

  it('comes with an error, which all callbacks know first', async () => {
    const heard: unknown[] = [];
    const fails = {
      onStepEnd: () => Promise.reject(new Error('lost')),
      onError: () => Promise.reject(new Error('more')),
    };
    const hears = { onError: (_: unknown, error: unknown) => void heard.push(error) };
    const said = vi.spyOn(console, 'error').mockImplementation(() => {});
    const trainer = trainerOf({ callbacks: [fails, hears] });
    await expect(trainer.fit(loaderOf(all))).rejects.toThrow('lost');
    expect(heard).toEqual([new Error('lost')]);
    expect(said).toHaveBeenCalledWith('Trainer: onError of Object failed:', new Error('more'));
  });

  it('does not hide behind that of a logger, and leaves none open', async () => {
    const said = vi.spyOn(console, 'error').mockImplementation(() => {});
    const closed: string[] = [];
    const logger = (name: string): Logger => ({
      logScalars: () => {},
      logHyperparameters: () => {},
      close: () => {
        closed.push(name);
        throw new Error(name);
      },
    });
    const loggers = [logger('disk full'), logger('gone')];
    await expect(trainerOf({ loggers }).fit(loaderOf(all))).rejects.toThrow('disk full');
    expect(said).toHaveBeenCalledWith('Trainer: close of a logger failed:', new Error('gone'));
    const onStepEnd = (): void => {
      throw new Error('lost');
    };
    await expect(trainerOf({ loggers, callbacks: [{ onStepEnd }] }).fit(loaderOf(all))).rejects.toThrow('lost');
    expect(closed).toEqual(['disk full', 'gone', 'disk full', 'gone']);
  });
});

describe('mistakes', () => {
  const model = (): nn.Linear => new nn.Linear(4, 3);
  it.each([
    [() => new Trainer(model(), {} as never), /Trainer: expected an optimizer, got none; optimizer: new/],
    [() => trainerOf({ accumulate: 0 }), /Trainer: expected accumulate >= 1, got 0/],
    [() => trainerOf({ clip: {} }), /expected norm or value in clip, got neither/],
    [() => trainerOf({ clip: { size: 1 } as never }), /Trainer: expected norm, normType or value in clip, got 'size'/],
    [() => trainerOf({ schedule: {} as never }), /expected a schedule of optim.lrScheduler/],
    [() => trainerOf({ epochs: 3 } as never), /Trainer: expected .*, got 'epochs'/],
    [() => trainerOf({ callbacks: [1] as never }), /expected a list of objects as callbacks/],
  ])('%s', (make, message) => {
    expect(make).toThrow(message);
  });

  it('of batches and losses', async () => {
    await expect(trainerOf().fit(3 as never)).rejects.toThrow('fit: expected a loader, pipeline or another iterable');
    await expect(trainerOf().fit([{ a: all[0] }] as never)).rejects.toThrow('got an object of a; say by unpack');
    for (const amount of [{ epochs: -1 }, { steps: -1 }])
      await expect(trainerOf().fit(loaderOf(all), amount)).rejects.toThrow(
        'fit: expected epochs and steps of at least',
      );
    await expect(trainerOf().fit([])).rejects.toThrow('fit: expected a loader with batches, got none');
    const once = loaderOf(all)[Symbol.iterator]();
    await expect(trainerOf().fit({ [Symbol.iterator]: () => once }, { epochs: 2 })).rejects.toThrow('got none');
    await expect(trainerOf({ loss: null }).fit(loaderOf(all))).rejects.toThrow('expected a loss, got none');
    await expect(trainerOf({ loss: (() => 3) as never }).fit(loaderOf(all))).rejects.toThrow(
      'trainingStep: expected a tensor of one number as loss, got 3',
    );
    const unpack = ([x, y]: Pair): readonly [Tensor, Tensor] => [y, x];
    await expect(trainerOf({ unpack }).fit(loaderOf(all))).rejects.toThrow('Linear: expected dtype');
    const trainer = trainerOf({});
    const running = trainer.fit(loaderOf(all), { epochs: 3 });
    await expect(trainer.fit(loaderOf(all))).rejects.toThrow('expected a trainer that is not in fit()');
    await running;
  });
});
