// LSTM layers, which are traced as one pass over their sequences.
import * as tf from '@tensorflow/tfjs-core';
import * as layers from '@tensorflow/tfjs-layers';
import { describe, expect, it } from 'vitest';
import { listen } from '../../../bindings/tfjs/link.ts';
import { noise } from './models.ts';
import { both, L, slowDown, speedUp, valuesOf } from './support.ts';

const r = (seed: number) => ({
  kernelInitializer: layers.initializers.glorotUniform({ seed }),
  recurrentInitializer: layers.initializers.glorotUniform({ seed: seed + 100 }),
});
const lstm =
  (seed: number, more: object = {}) =>
  (): layers.layers.Layer =>
    L.lstm({ units: 5, recurrentActivation: 'sigmoid', ...r(seed), ...more }) as layers.layers.Layer;

type Apply = (x: layers.SymbolicTensor) => layers.SymbolicTensor[];
type Maker = () => layers.layers.Layer;
const through =
  (...all: Maker[]): Apply =>
  (x) => [all.reduce((y, make) => make().apply(y) as layers.SymbolicTensor, x)];
const flat: Maker = () => L.flatten();

/** Networks, and whether they are traced as passes. */
const networks: Readonly<Record<string, readonly [Apply, passes: boolean]>> = {
  'the last state': [through(lstm(1)), true],
  'all states, and stacked': [through(lstm(1, { returnSequences: true }), lstm(2)), true],
  'from the end': [through(lstm(1, { goBackwards: true, returnSequences: true }), flat), true],
  'without a bias, as wide as a panel': [through(lstm(1, { useBias: false, units: 17 })), true],
  'both directions': [
    through(() => L.bidirectional({ layer: lstm(1, { returnSequences: true })() as never, mergeMode: 'concat' }), flat),
    true,
  ],
  'its states too': [(x) => lstm(1, { returnState: true })().apply(x) as layers.SymbolicTensor[], true],
  'all states, and its last ones': [
    (x) => {
      const [y, h, c] = lstm(1, { returnState: true, returnSequences: true })().apply(x) as layers.SymbolicTensor[];
      return [L.flatten().apply(y as layers.SymbolicTensor) as layers.SymbolicTensor, h, c] as layers.SymbolicTensor[];
    },
    true,
  ],
  'the last cell state alone': [
    (x) => (lstm(1, { returnState: true })().apply(x) as layers.SymbolicTensor[]).slice(2),
    true,
  ],
  'hard sigmoids': [through(lstm(1, { recurrentActivation: 'hardSigmoid' })), false],
  'a mask': [through(() => L.masking({ maskValue: 0 }), lstm(1)), false],
  'first states of its own': [
    (x) => {
      const [, h, c] = lstm(1, { returnState: true })().apply(x) as layers.SymbolicTensor[];
      return [lstm(2)().apply(x, { initialState: [h, c] }) as layers.SymbolicTensor];
    },
    true,
  ],
};

function build(apply: Apply): layers.LayersModel {
  const inputs = layers.input({ shape: [7, 4] });
  const outputs = apply(inputs);
  const model = layers.model({ inputs, outputs });
  model.compile({ optimizer: tf.train.adam(0.02), loss: outputs.map(() => 'meanSquaredError') });
  return model;
}

const targets = (model: layers.LayersModel, seed: number): tf.Tensor[] =>
  model.outputs.map((y, i) => noise([8, ...y.shape.slice(1)] as number[], seed + i));

describe.each(Object.entries(networks))('an LSTM with %s', (_, [apply, passes]) => {
  it('trains and predicts by programs as without', async () => {
    const { stats } = await both(async () => {
      const model = build(apply);
      const values: number[] = [];
      for (let i = 0; i < 12; i++) {
        const [x, y] = [noise([8, 7, 4], i), targets(model, 20 * i)];
        values.push(...[await model.trainOnBatch(x, y)].flat());
        tf.dispose([x, y]);
      }
      for (let i = 0; i < 3; i++)
        values.push(...[model.predict(noise([8, 7, 4], i))].flat().flatMap((y) => [...y.dataSync()]));
      values.push(...valuesOf(model));
      model.dispose();
      return values;
    });
    expect(stats.fallbacks).toEqual([]);
    expect(stats.replays).toBe(11 + 2);
  });

  it(passes ? 'is traced as passes' : 'is traced as it is', async () => {
    speedUp();
    const model = build(apply);
    const squashes: number[] = [];
    for (let i = 0; i < 2; i++) {
      let count = 0;
      listen((kernel) => {
        if (kernel === 'Tanh') count++;
      });
      await model.trainOnBatch(noise([8, 7, 4], i), targets(model, i));
      listen(null);
      squashes.push(count);
    }
    slowDown();
    expect(squashes[0]).toBeGreaterThanOrEqual(14);
    // Of two traces.
    if (!passes) expect(squashes[1]).toBe(2 * (squashes[0] as number));
    else expect(squashes[1]).toBeLessThan(2 * (squashes[0] as number));
  });
});
