// A training that was stopped after any step, saved, and gone on with elsewhere ends with the bits of one that was not.
import { beforeAll, describe, expect, it } from 'vitest';
import { from } from '../../bindings/data/index.ts';
import { functional as F, init, manualSeed, type nn, optim, randn, scope, type Tensor } from '../../bindings/index.ts';
import { decodeState } from '../../bindings/train/checkpoint.ts';
import {
  EarlyStopping,
  EMAWeightAveraging,
  type Metric,
  Report,
  StochasticWeightAveraging,
  Trainer,
  type TrainerOptions,
} from '../../bindings/train/index.ts';
import { EVENTS } from '../../bindings/train/listeners.ts';
import type { Saved } from '../../bindings/train/state.ts';
import { loaderOf, type Pair, points, seeded, weightsOf } from './make.ts';

let all: Pair;
beforeAll(async () => {
  await init();
  all = points();
});

/** How many were right: a metric with a state. */
class Right implements Metric {
  #right = 0;
  #seen = 0;
  reset(): void {
    this.#right = 0;
    this.#seen = 0;
  }
  update(output: Tensor, target: Tensor): void {
    this.#right += output.argmax(1).eq(target).sum().item();
    this.#seen += target.size;
  }
  compute(): number {
    return this.#right / this.#seen;
  }
  state(): Float64Array {
    return Float64Array.of(this.#right, this.#seen);
  }
  loadState([right = 0, seen = 0]: Float64Array): void {
    this.#right = right;
    this.#seen = seen;
  }
}

const batches = (): Pair[] =>
  [0, 1, 2, 3, 4, 5, 6].map((i): Pair => [all[0].slice(0, 7 * i, 7 * i + 7), all[1].slice(0, 7 * i, 7 * i + 7)]);

/** Loaders with places of their own, and without. */
const LOADERS: Readonly<Record<string, () => unknown>> = {
  ordered: () => loaderOf(all),
  shuffled: () => loaderOf(all, { shuffle: true, seed: 5 }),
  'shuffled by the generator': () => loaderOf(all, { shuffle: true }),
  pipeline: () =>
    from({ x: { data: all[0].data as Float32Array, shape: all[0].shape }, y: all[1].data as Int32Array })
      .shuffle({ bufferSize: 20 })
      .batch(8)
      .prefetch(2),
  list: batches,
  generator: () => ({
    async *[Symbol.asyncIterator]() {
      // What it draws is drawn again.
      for (const [x, y] of batches()) yield [x.add(scope(() => randn([1]).item()) > 1e9 ? 1 : 0), y];
    },
  }),
};

type Extra = (optimizer: optim.Optimizer<object>) => Partial<TrainerOptions<Pair>>;
const { OneCycleLR, ReduceLROnPlateau, StepLR } = optim.lrScheduler;
const EXTRAS: Readonly<Record<string, Extra>> = {
  plain: () => ({}),
  'gradients of three batches': () => ({ accumulate: 3, clip: { norm: 0.5 } }),
  'a schedule by step and one by epoch': (optimizer) => ({
    schedule: [{ scheduler: new OneCycleLR(optimizer, 0.02, 30), interval: 'step' }, new StepLR(optimizer, 1)],
  }),
  'a plateau, metrics and early stopping': (optimizer) => ({
    schedule: { scheduler: new ReduceLROnPlateau(optimizer, { patience: 0 }), monitor: 'valLoss' },
    metrics: { right: new Right() },
    callbacks: [new EarlyStopping('valRight', { mode: 'max', patience: 1 })],
  }),
  'an exponential average': () => ({ callbacks: [new EMAWeightAveraging({ decay: 0.9 })] }),
  'an average of the last epochs': () => ({
    callbacks: [new StochasticWeightAveraging(0.01, { swaEpochStart: 1, annealingEpochs: 1 })],
  }),
  'a report': () => ({ callbacks: [new Report(() => {}, { examples: loaderOf(all, { shuffle: true }) })] }),
};

const EPOCHS = 3;

/** A training as a program begins it. */
function begin(extra: Extra, compile: boolean, more: Partial<TrainerOptions<Pair>> = {}): Trainer<nn.Module, Pair> {
  const model = seeded();
  const optimizer = new optim.Adam(model.parameters(), { lr: 1e-2 });
  const options = extra(optimizer);
  const callbacks = [...(options.callbacks ?? []), ...(more.callbacks ?? [])];
  const trainer = new Trainer<nn.Module, Pair>(model, {
    ...{ loss: F.crossEntropy, optimizer, compile },
    ...options,
    callbacks,
  });
  manualSeed(11);
  return trainer;
}

/** How a training ended. */
const endOf = async (trainer: Trainer<nn.Module, Pair>, loader: unknown): Promise<unknown> => {
  const options = { epochs: EPOCHS, validation: loaderOf(all) };
  const result = await trainer.fit(loader as Iterable<Pair>, options);
  return { ...result, weights: weightsOf(trainer.model), rates: trainer.learningRates };
};

async function expectSame(loader: () => unknown, extra: Extra, compile: boolean, stops: readonly number[]) {
  const whole = begin(extra, compile);
  const wanted = await endOf(whole, loader());
  for (const step of stops) {
    if (step >= whole.step) continue;
    const stop = { onStepEnd: (run: Trainer) => void (run.step === step && run.stop('pause')) };
    const first = begin(extra, compile, { callbacks: [stop] });
    const own = loader();
    await endOf(first, own);
    expect(first.step, `stopped after ${step}`).toBe(step);
    const bytes = first.encodeCheckpoint({ note: step });
    const second = begin(extra, compile);
    randn([3]); // whatever a program did before
    expect(second.decodeCheckpoint(bytes)).toEqual({ note: step });
    expect(await endOf(second, loader()), `elsewhere after ${step}`).toEqual(wanted);
    for (const each of [first, second, whole]) each.dispose();
    if (step % 4 > 0) continue;
    // The same trainer, which may go on with whatever has been drawn since.
    first.decodeCheckpoint(bytes);
    expect(await endOf(first, own), `here after ${step}`).toEqual(wanted);
  }
}

describe('a stopped training goes on to the same bits', () => {
  it.each(Object.entries(LOADERS))('with a loader that is %s', async (_, loader) => {
    await expectSame(loader, EXTRAS['gradients of three batches'] as Extra, false, [2, 3, 4]);
  });

  it.each(Object.entries(EXTRAS))('with %s', async (_, extra) => {
    await expectSame(LOADERS.shuffled as () => unknown, extra, false, [2, 7, 8, 16]);
    await expectSame(LOADERS.shuffled as () => unknown, extra, true, [9]);
  });

  it.each(Object.entries(EXTRAS))('from the beginning, where it has ended, with %s', async (_, extra) => {
    const trainer = begin(extra, false);
    const bytes = trainer.encodeCheckpoint();
    const own = (LOADERS.list as () => unknown)();
    const wanted = await endOf(trainer, own);
    trainer.decodeCheckpoint(bytes);
    const callbacks = (from: Uint8Array): unknown => (decodeState(from).state as Saved).callbacks;
    expect(callbacks(trainer.encodeCheckpoint())).toEqual(callbacks(bytes));
    expect(await endOf(trainer, own)).toEqual(wanted);
  });

  it.each(EVENTS)('after an error in %s', async (event) => {
    for (const name of ['gradients of three batches', 'an average of the last epochs']) {
      const extra = EXTRAS[name] as Extra;
      const wanted = await endOf(begin(extra, false), batches());
      let left = event === 'onStepEnd' ? 3 : /Fit/.test(event) ? 1 : 2;
      const fails = () => {
        if (--left === 0) throw new Error('once');
      };
      const trainer = begin(extra, false, { callbacks: [{ [event]: fails, late: true }] });
      const own = batches();
      await expect(endOf(trainer, own)).rejects.toThrow('once');
      expect(await endOf(trainer, own)).toEqual({ ...(wanted as object), stopped: trainer.stopped });
    }
  });

  it('where a signal comes between the batches of one step', async () => {
    const extra = EXTRAS['gradients of three batches'] as Extra;
    const wanted = await endOf(begin(extra, false), batches());
    const stop = new AbortController();
    const given = batches();
    const aborting = {
      *[Symbol.iterator]() {
        for (const [i, batch] of given.entries()) {
          if (i === 4) stop.abort();
          yield batch;
        }
      },
    };
    const trainer = begin(extra, false);
    await trainer.fit(aborting as Iterable<Pair>, { epochs: EPOCHS, signal: stop.signal });
    expect([trainer.stopped, trainer.step]).toEqual(['aborted', 2]);
    expect(await endOf(trainer, given)).toEqual(wanted);
  });

  it.each([
    ['a plateau, metrics and early stopping', 'shuffled'],
    ['gradients of three batches', 'pipeline'],
  ])('from within all callbacks, with %s, and a loader that is %s', async (name, order) => {
    const extra = EXTRAS[name] as Extra;
    const loader = LOADERS[order] as () => unknown;
    const wanted = await endOf(begin(extra, false), loader());
    const saved: Uint8Array[] = [];
    const save = (run: Trainer): void => void saved.push(run.encodeCheckpoint());
    const saves = Object.fromEntries(EVENTS.map((event) => [event, save]));
    await endOf(begin(extra, false, { callbacks: [{ ...saves, late: true }] }), loader());
    expect(saved.length).toBeGreaterThan(12);
    for (const bytes of saved) {
      const trainer = begin(extra, false);
      trainer.decodeCheckpoint(bytes);
      // Why it was stopped is told where that happens.
      expect(await endOf(trainer, loader())).toEqual({ ...(wanted as object), stopped: trainer.stopped });
    }
  });
});
