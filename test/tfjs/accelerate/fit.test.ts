// What programs do with models goes through tfjs's own loops: accelerated, they do what they do without.
import * as tf from '@tensorflow/tfjs-core';
import * as layers from '@tensorflow/tfjs-layers';
import { describe, expect, it } from 'vitest';
import { noise } from './models.ts';
import { both, data, L, mlp, slowDown, speedUp, valuesOf, worst } from './support.ts';

describe('an accelerated model', () => {
  it('fits as ever: ragged batches, a validation split, class weights, metrics and callbacks', async () => {
    const { stats } = await both(async () => {
      const model = mlp({ metrics: ['accuracy', (t: tf.Tensor, p: tf.Tensor) => tf.mean(tf.abs(tf.sub(t, p)))] });
      const [x, y] = data(100);
      const seen: number[] = [];
      const history = await model.fit(x, y, {
        ...{ batchSize: 32, epochs: 6, shuffle: false, validationSplit: 0.1, verbose: 0 },
        classWeight: { 0: 1, 1: 2, 2: 0.5 },
        callbacks: [
          new layers.CustomCallback({
            onBatchEnd: async (_, logs) => {
              seen.push(logs?.loss as number, logs?.acc as number);
              if (seen.length === 10)
                (model.optimizer as tf.AdamOptimizer & { learningRate: number }).learningRate = 0.003;
            },
            onEpochEnd: async (epoch) => {
              if (epoch === 3) model.stopTraining = true;
            },
          }),
          layers.callbacks.earlyStopping({ monitor: 'val_loss', patience: 5 }),
        ],
      });
      tf.dispose([x, y]);
      return [...seen, ...Object.values(history.history).flat().map(Number), ...valuesOf(model)];
    });
    expect(stats.replays).toBeGreaterThan(10);
    expect(stats.fallbacks).toEqual([]);
  });

  it('fits datasets', async () => {
    const { stats } = await both(async () => {
      const model = mlp();
      const dataset = {
        size: 4,
        iterator: async () => {
          let i = 0;
          return {
            next: async () =>
              i++ < 4
                ? { done: false, value: { xs: noise([8, 6], i), ys: noise([8, 3], i + 9) } }
                : { done: true, value: null },
          };
        },
      };
      const { history } = await model.fitDataset(dataset as never, { epochs: 3, verbose: 0 });
      return [...(history.loss as number[]), ...valuesOf(model)];
    });
    expect(stats.replays).toBe(11);
  });

  it('takes weights that are set, and goes on after it is saved and loaded', async () => {
    await both(async () => {
      const model = mlp();
      const [x, y] = data(16);
      const losses: number[] = [];
      const train = async (one: layers.LayersModel): Promise<void> => {
        for (let i = 0; i < 4; i++) losses.push((await one.trainOnBatch(x, y)) as number);
      };
      await train(model);
      const zeros = model.getWeights().map((w) => tf.mul(w, 0.5));
      model.setWeights(zeros);
      tf.dispose(zeros);
      await train(model);
      let saved: tf.io.ModelArtifacts | undefined;
      const handler = tf.io.withSaveHandler(async (artifacts) => {
        saved = artifacts;
        return { modelArtifactsInfo: { dateSaved: new Date(), modelTopologyType: 'JSON' } };
      });
      await model.save(handler, { includeOptimizer: true });
      const loaded = await layers.loadLayersModel(tf.io.fromMemory(saved as tf.io.ModelArtifacts));
      await train(loaded);
      await train(model);
      return [...losses, ...valuesOf(model), ...valuesOf(loaded)];
    });
  });

  it('keeps frozen layers as they are, and trains them again', async () => {
    await both(async () => {
      const model = mlp();
      const [x, y] = data(16);
      const [first] = model.layers as [layers.layers.Layer];
      const values: number[] = [];
      for (const trainable of [true, false, true]) {
        first.trainable = trainable;
        model.compile({ optimizer: tf.train.adam(0.01), loss: 'meanSquaredError' });
        const before = first.getWeights().flatMap((w) => Array.from(w.dataSync()));
        for (let i = 0; i < 4; i++) values.push((await model.trainOnBatch(x, y)) as number);
        const after = first.getWeights().flatMap((w) => Array.from(w.dataSync()));
        expect(worst(before, after) === 0).toBe(!trainable);
        values.push(...after);
      }
      return values;
    });
  });

  it('evaluates, and predicts batch by batch', async () => {
    const { stats } = await both(async () => {
      const model = mlp({ metrics: ['accuracy'] });
      const [x, y] = data(70);
      const values: number[] = [];
      for (let i = 0; i < 3; i++) {
        values.push(...(model.evaluate(x, y, { batchSize: 32 }) as tf.Scalar[]).map((s) => s.dataSync()[0] as number));
        values.push(...(model.predict(x, { batchSize: 32 }) as tf.Tensor).dataSync());
        values.push(...(model.predictOnBatch(x) as tf.Tensor).dataSync());
        await model.trainOnBatch(x, y);
      }
      return values;
    });
    expect(stats.replays).toBeGreaterThan(10);
  });

  it('leaves clones of its weights as they were', async () => {
    speedUp();
    const model = mlp();
    const [x, y] = data(16);
    for (let i = 0; i < 3; i++) await model.trainOnBatch(x, y);
    const clone = tf.clone(model.getWeights()[0] as tf.Tensor);
    const before = Array.from(clone.dataSync());
    for (let i = 0; i < 3; i++) await model.trainOnBatch(x, y);
    expect(Array.from(clone.dataSync())).toEqual(before);
    expect(worst(before, Array.from((model.getWeights()[0] as tf.Tensor).dataSync()))).toBeGreaterThan(0);
  });

  it('goes on where another backend trained meanwhile', async () => {
    await both(async () => {
      const model = mlp();
      const [x, y] = data(16);
      const losses: number[] = [];
      for (const name of ['retrograd', 'cpu', 'retrograd']) {
        await tf.setBackend(name);
        for (let i = 0; i < 4; i++) losses.push((await model.trainOnBatch(x, y)) as number);
      }
      return [...losses, ...valuesOf(model)];
    });
  });

  it('throws for an index that there is not, and leaves its weights as they were', async () => {
    const { stats } = speedUp();
    const model = layers.sequential();
    model.add(L.embedding({ inputDim: 5, outputDim: 3, inputLength: 2 }));
    model.add(L.flatten());
    model.add(L.dense({ units: 1 }));
    model.compile({ optimizer: 'sgd', loss: 'meanSquaredError' });
    const y = tf.zeros([2, 1]);
    for (let i = 0; i < 4; i++) await model.trainOnBatch(tf.tensor([0, 1, 4, 3], [2, 2]), y);
    const before = valuesOf(model);
    const { numTensors } = tf.memory();
    const wrong = tf.tensor([0, 1, 5, 3], [2, 2]);
    await expect(model.trainOnBatch(wrong, y)).rejects.toThrow(/expected indices inside of the tensor/);
    wrong.dispose();
    expect(tf.memory().numTensors).toBe(numTensors);
    expect(valuesOf(model)).toEqual(before);
    await model.trainOnBatch(tf.tensor([0, 1, 4, 3], [2, 2]), y);
    expect(stats.replays).toBe(4);
  });

  it('draws other numbers in each run for what is random without a seed, by the same law', async () => {
    const noises: [string, () => layers.layers.Layer][] = [
      ['dropout', () => L.dropout({ rate: 0.5 })],
      ['gaussianNoise', () => L.gaussianNoise({ stddev: 0.5 })],
      ['gaussianDropout', () => L.gaussianDropout({ rate: 0.3 })],
      ['alphaDropout', () => L.alphaDropout({ rate: 0.3 })],
    ];
    for (const [name, between] of noises) {
      const sample = async (): Promise<[number, number, number]> => {
        // Next to no learning: only the noise differs.
        const model = mlp({ optimizer: tf.train.sgd(1e-9), between });
        const [x, y] = data(64);
        const losses: number[] = [];
        for (let i = 0; i < 150; i++) losses.push((await model.trainOnBatch(x, y)) as number);
        const mean = losses.reduce((a, b) => a + b) / losses.length;
        const deviation = Math.sqrt(losses.reduce((a, b) => a + (b - mean) ** 2, 0) / losses.length);
        return [mean, deviation, new Set(losses).size];
      };
      const [mean, deviation, many] = await sample();
      const { stats } = speedUp();
      const [ours, spread, different] = await sample();
      expect(stats.fallbacks).toEqual([]);
      expect(stats.replays, name).toBe(149);
      expect(Math.abs(ours - mean), name).toBeLessThan((5 * deviation) / Math.sqrt(75));
      expect(spread / deviation, name).toBeGreaterThan(0.7);
      expect(spread / deviation, name).toBeLessThan(1.4);
      expect(different, name).toBeGreaterThan(0.9 * many);
      slowDown();
    }
  });
});
