// npm run bench -- tfjs: models of TensorFlow.js on our backend and on its own for WebAssembly, one thread each, in
// turn.
import '@tensorflow/tfjs-backend-cpu';
import { setThreadsCount } from '@tensorflow/tfjs-backend-wasm';
import * as tf from '@tensorflow/tfjs-core';
import * as layers from '@tensorflow/tfjs-layers';
import * as retrograd from 'retrograd';
import { accelerate, configure } from 'retrograd/tfjs';
import { formatSeconds } from '../harness/report.ts';
import { cnn, lstm, mlp, mobileNetV1, mobileNetV2 } from '../peers/tfjs-models.ts';
import { uniform } from '../problems.ts';
import { network } from '../sides/retrograd.ts';
import { networks } from './compiled-steps.ts';
import { threadLines } from './tensorflow-threads.ts';

/** Of a row at least. */
const SECONDS = 4;

type Name = 'retrograd' | 'wasm' | 'cpu';

type Timed = readonly [backend: Name, run: () => unknown];

/** The least seconds of each of `runs`, in turn. */
async function least(runs: readonly Timed[], rounds: number): Promise<number[]> {
  const best = runs.map(() => Number.POSITIVE_INFINITY);
  // What is short is repeated for longer.
  const end = performance.now() + SECONDS * 1000;
  for (let round = 0; round < rounds || (rounds > 1 && performance.now() < end); round++)
    for (const [i, [backend, run]] of runs.entries()) {
      await tf.setBackend(backend);
      // Once for the caches, which the other side has filled.
      await run();
      const started = performance.now();
      await run();
      best[i] = Math.min(best[i] as number, (performance.now() - started) / 1000);
    }
  return best;
}

/** The same model on each backend. */
async function onEach(names: readonly Name[], make: () => layers.LayersModel): Promise<layers.LayersModel[]> {
  const models: layers.LayersModel[] = [];
  for (const name of names) {
    await tf.setBackend(name);
    const model = make();
    const [first] = models;
    if (first) tf.tidy(() => model.setWeights(first.getWeights().map((w) => tf.tensor(w.dataSync(), w.shape))));
    models.push(model);
  }
  return models;
}

const CLOSE = 1e-4;
/** @throws Error where answers differ */
function expectAlike(name: string, [a, b]: readonly (ArrayLike<number> | undefined)[]): void {
  if (!a || !b) return;
  let [apart, most] = [0, 1e-6];
  for (let i = 0; i < a.length; i++) {
    apart = Math.max(apart, Math.abs((a[i] as number) - (b[i] as number)));
    most = Math.max(most, Math.abs(b[i] as number));
  }
  if (!(apart <= CLOSE * most)) throw new Error(`${name}: expected the same answers, got some ${apart} apart`);
}

/** A row of a table: seconds of ours and of tfjs's, how many times the one is the other, and seconds of more. */
const line = (name: string, ours: number, wasm: number | undefined, ...more: (number | undefined)[]): string =>
  `| ${[
    ...[name, formatSeconds(ours), wasm ? formatSeconds(wasm) : '–', wasm ? `${(wasm / ours).toFixed(2)} ×` : ''],
    ...more.map((seconds) => (seconds ? formatSeconds(seconds) : '')),
  ].join(' | ')} |`;

async function predictRow(
  name: string,
  make: () => layers.LayersModel,
  shape: number[],
  rounds: number,
): Promise<string> {
  const names = ['retrograd', 'wasm'] as const;
  const models = await onEach(names, make);
  const values = uniform(
    shape.reduce((a, b) => a * b, 1),
    1,
  );
  const runs: Timed[] = [];
  const answers: ArrayLike<number>[] = [];
  for (const [i, backend] of names.entries()) {
    await tf.setBackend(backend);
    const x = tf.tensor(values, shape);
    const predict = (): tf.Tensor => models[i]?.predict(x) as tf.Tensor;
    answers.push(tf.tidy(() => predict().dataSync()));
    runs.push([backend, () => tf.tidy(() => void predict())]);
  }
  expectAlike(name, answers);
  const [ours = 0, wasm] = await least(runs, rounds);
  for (const model of models) model.dispose();
  return line(name, ours, wasm);
}

interface Training {
  readonly name: string;
  readonly make: () => layers.LayersModel;
  readonly input: readonly number[];
  readonly outputs: number;
  readonly batch: number;
  readonly loss: 'categoricalCrossentropy' | 'meanSquaredError';
  /** Whether batches are cut out of the data by fit(). */
  readonly fit?: boolean;
  /** Whether its dense layers are trained by a loop of optimizer.minimize(), without the model. */
  readonly loop?: 'relu' | 'tanh';
  /** The network of the train family, for compile(). */
  readonly compiled?: string;
}

/** Batches of a fit(), of which each is a step: that it begins and ends is a part of all of them. */
const BATCHES = 32;

/** A compiled step of a network of the train family. */
function compiledStep(name: string | undefined, quick: boolean): { run: () => void; dispose: () => void } | null {
  const problem = name && networks(quick).find((each) => each.name.startsWith(name))?.problem;
  if (!problem) return null;
  const { step, dispose } = network(retrograd, problem);
  const compiled = retrograd.compile(step);
  return {
    run: () => retrograd.scope(() => void compiled()),
    dispose: () => {
      compiled.dispose();
      dispose();
    },
  };
}

/** A step of a loop over the weights of dense layers. */
function loopOf(model: layers.LayersModel, x: tf.Tensor, y: tf.Tensor, activation: 'relu' | 'tanh', isMse: boolean) {
  const weights = model.trainableWeights.map((weight) => weight.read() as tf.Variable);
  const optimizer = tf.train.adam();
  const forward = (): tf.Tensor => {
    let h = x;
    for (let i = 0; i < weights.length; i += 2) {
      h = tf.add(tf.matMul(h, weights[i] as tf.Tensor), weights[i + 1] as tf.Tensor);
      if (i + 2 < weights.length) h = activation === 'relu' ? tf.relu(h) : tf.tanh(h);
    }
    return h;
  };
  const loss = isMse ? tf.losses.meanSquaredError : tf.losses.softmaxCrossEntropy;
  return async (): Promise<number> => {
    const cost = optimizer.minimize(() => loss(y, forward()) as tf.Scalar, true) as tf.Scalar;
    const [value = 0] = cost.dataSync();
    cost.dispose();
    return value;
  };
}

async function trainRow({ make, fit = false, ...row }: Training, rounds: number): Promise<string> {
  const { name, input, outputs, batch, loss, compiled, loop } = row;
  const size = input.reduce((a, b) => a * b, 1);
  const steps = fit ? BATCHES : 1;
  /** A step of `n` samples on the backend that is set, or all of a fit(): it gives the loss. */
  const stepOf = (model: layers.LayersModel, n: number): (() => Promise<number>) => {
    model.compile({ optimizer: tf.train.adam(), loss });
    const samples = n * steps;
    const x = tf.tensor(uniform(samples * size, 1), [samples, ...input]);
    const y = tf.tidy(() =>
      loss === 'meanSquaredError'
        ? tf.tensor(uniform(samples * outputs, 2), [samples, outputs])
        : tf.oneHot(
            tf.tensor1d(
              Int32Array.from({ length: samples }, (_, i) => i % outputs),
              'int32',
            ),
            outputs,
          ),
    );
    if (loop) return loopOf(model, x, y, loop, loss === 'meanSquaredError');
    // Shuffled, as it is by itself; in order where answers are compared.
    const how = { batchSize: n, epochs: 1, verbose: 0, shuffle: n === batch } as const;
    return async () =>
      fit ? ((await model.fit(x, y, how)).history.loss?.[0] as number) : ((await model.trainOnBatch(x, y)) as number);
  };
  // A small batch against the cpu backend, which would take seconds for a whole one.
  const checked = await onEach(['retrograd', 'cpu'], make);
  const losses: number[][] = [];
  for (const [i, model] of checked.entries()) {
    await tf.setBackend((['retrograd', 'cpu'] as const)[i] as Name);
    const step = stepOf(model, 4);
    losses.push([await step(), await step(), await step()]);
  }
  expectAlike(name, losses);
  const names = ['retrograd', 'wasm'] as const;
  const models = await onEach(names, make);
  const runs: Timed[] = [];
  for (const [i, backend] of names.entries()) {
    await tf.setBackend(backend);
    const step = stepOf(models[i] as layers.LayersModel, batch);
    try {
      await step();
      runs.push([backend, step]);
    } catch (error) {
      if (backend === 'retrograd') throw error;
    }
  }
  const [ours = 0, wasm] = await least(runs, rounds);
  const own = compiledStep(compiled, rounds < 5);
  const [fast = 0, ownStep] = await accelerated(make, batch, stepOf, own?.run, rounds);
  own?.dispose();
  return line(name, ours / steps, wasm && wasm / steps, fast / steps, ownStep);
}

/** Seconds of a step that runs as one program, and of `beside`. */
async function accelerated(
  make: () => layers.LayersModel,
  batch: number,
  stepOf: (model: layers.LayersModel, n: number) => () => Promise<number>,
  beside: (() => void) | undefined,
  rounds: number,
): Promise<number[]> {
  await tf.setBackend('retrograd');
  const acceleration = accelerate({ ...tf, ...layers }, { warn: false });
  const step = stepOf(make(), batch);
  await step();
  await step();
  const runs: Timed[] = [['retrograd', step]];
  if (beside) runs.push(['retrograd', beside]);
  const seconds = await least(runs, rounds);
  const { fallbacks } = acceleration.stats;
  acceleration.restore();
  if (fallbacks.length > 0) throw new Error(`expected steps that run as programs, got ${fallbacks.join('; ')}`);
  return seconds;
}

const classify = { loss: 'categoricalCrossentropy', outputs: 10, batch: 64 } as const;
const dense = { ...classify, make: () => mlp([784, 128, 10], 'relu', 'softmax'), input: [784] } as const;
const tiny = {
  ...{ make: () => mlp([2, 4, 1], 'tanh', 'linear'), input: [2], outputs: 1, batch: 32 },
  loss: 'meanSquaredError',
} as const;

const TRAININGS: readonly Training[] = [
  { ...classify, name: 'CNN 16-32 28×28, batch 64, Adam', make: cnn, input: [28, 28, 1], compiled: 'CNN' },
  {
    ...{ ...classify, name: 'LSTM 32→128, T 50, batch 32, Adam', make: lstm, batch: 32 },
    ...{ input: [50, 32], compiled: 'LSTM' },
  },
  { ...dense, name: 'MLP 784-128-10, batch 64, Adam', compiled: 'MLP 784' },
  { ...dense, name: 'the same, a step of fit()', fit: true },
  { ...dense, name: 'the same, a loop of minimize()', loop: 'relu' },
  { ...tiny, name: '2-4-1, batch 32, Adam' },
  { ...tiny, name: 'the same, a step of fit()', fit: true },
  { ...tiny, name: 'the same, a loop of minimize()', loop: 'tanh' },
];

/** @param quick small images, and next to no rounds */
export async function table(simd: 'auto' | 'strict' | 'relaxed', quick: boolean): Promise<string> {
  setThreadsCount(1);
  tf.env().set('WASM_HAS_MULTITHREAD_SUPPORT', false);
  configure({ simd, threads: 1 });
  tf.enableProdMode();
  await tf.setBackend('retrograd');
  const size = quick ? 32 : 224;
  const rounds = quick ? 1 : 30;
  const lines = [
    `${retrograd.backend().build} SIMD, one thread, TensorFlow.js ${tf.version_core}`,
    '',
    '| predict | ours | wasm | gain |',
    '| --- | --- | --- | --- |',
    await predictRow('CNN 16-32 28×28, batch 64', cnn, [64, 28, 28, 1], rounds),
    await predictRow(`MobileNetV1 ${size}×${size}`, () => mobileNetV1(size), [1, size, size, 3], rounds),
    await predictRow(`MobileNetV2 ${size}×${size}`, () => mobileNetV2(size), [1, size, size, 3], rounds),
    '',
    '| a step of training | ours | wasm | gain | accelerated | our compile(), NCHW |',
    '| --- | --- | --- | --- | --- | --- |',
  ];
  for (const training of TRAININGS) lines.push(await trainRow(training, rounds));
  lines.push('', ...(await threadLines(simd, quick)));
  return lines.join('\n');
}
