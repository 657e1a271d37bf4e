// How models of TensorFlow.js scale with threads on our backend; its own has none in Node.
import * as tf from '@tensorflow/tfjs-core';
import type * as layers from '@tensorflow/tfjs-layers';
import * as retrograd from 'retrograd';
import { quantile } from '../harness/clock.ts';
import { formatSeconds } from '../harness/report.ts';
import { Processors } from '../limits/processors.ts';
import { cnn, mobileNetV1, mobileNetV2 } from '../peers/tfjs-models.ts';
import { uniform } from '../problems.ts';

interface Work {
  readonly name: string;
  /** Makes it on the backend that runs. It answers with numbers that every team has to agree on, to the bit. */
  make(): Promise<() => Promise<ArrayLike<number>>>;
}

/** The same weights for all teams. */
function withWeights(model: layers.LayersModel): layers.LayersModel {
  const scaled = (w: tf.Tensor, seed: number): tf.Tensor =>
    tf.mul(tf.tensor(uniform(w.size, seed), w.shape), 2 / Math.sqrt(w.size));
  // Variances of batch norms are positive.
  tf.tidy(() => model.setWeights(model.getWeights().map((w, i) => (w.rank === 1 ? tf.onesLike(w) : scaled(w, i + 1)))));
  return model;
}

const images = (shape: number[]): tf.Tensor =>
  tf.tensor(
    uniform(
      shape.reduce((a, b) => a * b, 1),
      1,
    ),
    shape,
  );

const training: Work = {
  name: 'CNN 16-32 28×28, batch 64, trainOnBatch',
  make: async () => {
    const model = withWeights(cnn());
    model.compile({ optimizer: tf.train.adam(), loss: 'categoricalCrossentropy' });
    const x = images([64, 28, 28, 1]);
    const y = tf.tidy(() => tf.oneHot(tf.tensor1d(Int32Array.from({ length: 64 }, (_, i) => i % 10)), 10));
    return async () => [(await model.trainOnBatch(x, y)) as number];
  },
};

const prediction = (name: string, size: number, build: (size: number) => layers.LayersModel): Work => ({
  name: `${name} ${size}×${size}, predict`,
  make: async () => {
    const model = withWeights(build(size));
    const x = images([1, size, size, 3]);
    return async () => tf.tidy(() => (model.predict(x) as tf.Tensor).dataSync());
  },
});

/** The median of ratios, with the least and the most. */
const ratios = (all: readonly number[]): string => {
  const [least, median, most] = [0, 0.5, 1].map((part) => `${quantile(all, part).toFixed(2)} ×`);
  return `${median} (${least} to ${most})`;
};

/** Lines of a table: seconds with each number of threads, those of the processors that all of them took among them. */
export async function threadLines(simd: 'auto' | 'strict' | 'relaxed', quick: boolean): Promise<string[]> {
  const size = quick ? 32 : 224;
  const works = [training, prediction('MobileNetV1', size, mobileNetV1), prediction('MobileNetV2', size, mobileNetV2)];
  const teams = [1, 2];
  const least = works.map(() => teams.map(() => ({ wall: Number.POSITIVE_INFINITY, busy: Number.POSITIVE_INFINITY })));
  const answers: string[] = [];
  const processors = new Processors(2);
  const limits: number[] = [];
  // A team at a time, several times over: the machine's slow minutes hit both.
  for (let round = 0; round < (quick ? 1 : 6); round++)
    for (const [i, threads] of teams.entries()) {
      tf.engine().reset();
      retrograd.shutdown();
      await retrograd.init({ simd, threads });
      await tf.setBackend('retrograd');
      for (const [j, { name, make }] of works.entries()) {
        const run = await make();
        const answer = Array.from(await run()).join();
        answers[j] ??= answer;
        if (answers[j] !== answer)
          throw new Error(`${name}: expected the same bits from ${threads} threads, got others`);
        const best = least[j]?.[i] as { wall: number; busy: number };
        for (let n = 0; n < (quick ? 1 : 20); n++) {
          const before = process.cpuUsage();
          const started = performance.now();
          await run();
          best.wall = Math.min(best.wall, (performance.now() - started) / 1000);
          const { user, system } = process.cpuUsage(before);
          best.busy = Math.min(best.busy, (user + system) / 1e6);
        }
      }
      tf.disposeVariables();
      limits.push(await processors.gain());
    }
  processors.close();
  return [
    '| threads in Node | 1 | processors | 2 | processors | gain |',
    '| --- | --- | --- | --- | --- | --- |',
    ...works.map(({ name }, j) => {
      const [one, two] = least[j] as [{ wall: number; busy: number }, { wall: number; busy: number }];
      const cells = [one, two].flatMap(({ wall, busy }) => [formatSeconds(wall), formatSeconds(busy)]);
      return `| ${[name, ...cells, `${(one.wall / two.wall).toFixed(2)} ×`].join(' | ')} |`;
    }),
    '',
    `Two threads that never meet, each with products of its own: ${ratios(limits)} of one.`,
  ];
}
