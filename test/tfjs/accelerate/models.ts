// Models that are trained in tests: what they are, and their batches. All is seeded: each build has the same weights.
import * as tf from '@tensorflow/tfjs-core';
import * as layers from '@tensorflow/tfjs-layers';

const L = layers.layers;

type Tensors = tf.Tensor | tf.Tensor[];
export interface ModelRow {
  build(): layers.LayersModel;
  /** Inputs and targets of a step. */
  batch(step: number): readonly [Tensors, Tensors];
}

/** Numbers from 0 to 1, the same for each seed. */
export function noise(shape: readonly number[], seed: number, map: (v: number) => number = (v) => v): tf.Tensor {
  let state = seed * 7919 + 1;
  const n = shape.reduce((a, b) => a * b, 1);
  const values = Float32Array.from({ length: n }, () => {
    state = (state * 1103515245 + 12345) & 0x7fffffff;
    return map(state / 0x7fffffff);
  });
  return tf.tensor(values, [...shape]);
}

const oneHot = (rows: number, classes: number, seed: number): tf.Tensor =>
  tf.tensor(
    Float32Array.from({ length: rows * classes }, (_, i) =>
      Number(i % classes === (Math.floor(i / classes) * 7 + seed) % classes),
    ),
    [rows, classes],
  );

const k = (seed: number) => ({ kernelInitializer: layers.initializers.glorotUniform({ seed }) });
const r = (seed: number) => ({
  ...k(seed),
  recurrentInitializer: layers.initializers.glorotUniform({ seed: seed + 100 }),
});

type Compile = Pick<layers.ModelCompileArgs, 'optimizer' | 'metrics'>;

/** A stack of layers that ends in three classes. */
const classifier = (
  input: readonly number[],
  stack: () => layers.layers.Layer[],
  compile: () => Compile,
): ModelRow => ({
  build: () => {
    const model = layers.sequential();
    for (const layer of stack()) model.add(layer as never);
    model.add(L.dense({ units: 3, activation: 'softmax', ...k(50) }));
    model.compile({ loss: 'categoricalCrossentropy', ...compile() });
    return model;
  },
  batch: (step) => [noise([8, ...input], step + 1), oneHot(8, 3, step)],
});

const dense = (input: number, stack: () => layers.layers.Layer[], compile: () => Compile): ModelRow =>
  classifier(
    [input],
    () => [L.dense({ units: 8, inputShape: [input], activation: 'relu', ...k(1) }), ...stack()],
    compile,
  );

/** One output for each loss. */
const regression = (loss: string): ModelRow => ({
  build: () => {
    const model = layers.sequential();
    model.add(L.dense({ units: 6, inputShape: [5], activation: 'tanh', ...k(1) }));
    model.add(L.dense({ units: 2, activation: 'sigmoid', ...k(2) }));
    model.compile({ loss, optimizer: tf.train.sgd(0.1) });
    return model;
  },
  batch: (step) => [
    noise([8, 5], step + 1),
    noise([8, 2], step + 40, (v) =>
      loss === 'hinge' || loss === 'squaredHinge' ? 2 * Math.round(v) - 1 : Math.round(v),
    ),
  ],
});

const named = (name: string, row: ModelRow): Readonly<Record<string, ModelRow>> => ({ [name]: row });

const adam = (): Compile => ({ optimizer: tf.train.adam(0.01) });

/** Attention of a sequence on itself. tfjs has no gradient of einsum(), by which it is written often. */
class Attention extends layers.layers.Layer {
  static className = 'TestAttention';
  override computeOutputShape(shape: layers.Shape): layers.Shape {
    return shape;
  }
  override call(input: tf.Tensor | tf.Tensor[]): tf.Tensor {
    return tf.tidy(() => {
      const x = Array.isArray(input) ? (input[0] as tf.Tensor) : input;
      const scores = tf.softmax(tf.matMul(x, x, false, true));
      return tf.matMul(scores, x);
    });
  }
}
tf.serialization.registerClass(Attention);

export const models: Readonly<Record<string, ModelRow>> = {
  ...named(
    'an MLP with accuracy',
    dense(
      6,
      () => [],
      () => ({ ...adam(), metrics: ['accuracy'] }),
    ),
  ),
  ...named(
    'l1l2 and a constraint',
    dense(
      6,
      () => [
        L.dense({
          ...{ units: 5, ...k(3), kernelRegularizer: layers.regularizers.l1l2({ l1: 0.01, l2: 0.02 }) },
          kernelConstraint: layers.constraints.maxNorm({}),
        }),
      ],
      () => ({ optimizer: 'sgd' }),
    ),
  ),
  ...named(
    'seeded dropout',
    dense(
      6,
      () => [L.dropout({ rate: 0.5, seed: 3 })],
      () => ({ optimizer: tf.train.momentum(0.1, 0.9) }),
    ),
  ),
  ...named(
    'batch and layer norm',
    classifier(
      [6],
      () => [
        L.dense({ units: 8, inputShape: [6], activation: 'tanh', ...k(1) }),
        L.batchNormalization({ epsilon: 0.1 }),
        L.layerNormalization(),
      ],
      adam,
    ),
  ),
  ...named(
    'convolution, batch norm and maxPool',
    classifier(
      [8, 8, 1],
      () => [
        L.conv2d({ filters: 4, kernelSize: 3, inputShape: [8, 8, 1], activation: 'relu', ...k(1) }),
        L.batchNormalization(),
        L.maxPooling2d({ poolSize: 2 }),
        L.flatten(),
      ],
      adam,
    ),
  ),
  ...named(
    'a separable convolution',
    classifier(
      [8, 8, 2],
      () => [
        L.separableConv2d({
          ...{ filters: 4, kernelSize: 3, inputShape: [8, 8, 2] },
          depthwiseInitializer: layers.initializers.glorotUniform({ seed: 1 }),
          pointwiseInitializer: layers.initializers.glorotUniform({ seed: 2 }),
        }),
        L.globalAveragePooling2d({}),
      ],
      () => ({ optimizer: tf.train.momentum(0.1, 0.9) }),
    ),
  ),
  ...named(
    'conv1d',
    classifier(
      [9, 2],
      () => [L.conv1d({ filters: 4, kernelSize: 3, inputShape: [9, 2], ...k(1) }), L.globalMaxPooling1d({})],
      () => ({ optimizer: 'rmsprop' }),
    ),
  ),
  ...named(
    'conv2dTranspose',
    classifier(
      [4, 4, 2],
      () => [
        L.conv2dTranspose({ filters: 3, kernelSize: 3, strides: 2, inputShape: [4, 4, 2], ...k(1) }),
        L.globalAveragePooling2d({}),
      ],
      adam,
    ),
  ),
  ...named(
    'an LSTM',
    classifier(
      [7, 4],
      () => [L.lstm({ units: 5, inputShape: [7, 4], ...r(1) })],
      () => ({ optimizer: 'rmsprop' }),
    ),
  ),
  ...named(
    'a bidirectional GRU',
    classifier(
      [7, 4],
      () => [
        L.bidirectional({ layer: L.gru({ units: 5, ...r(1) }) as never, inputShape: [7, 4], mergeMode: 'concat' }),
      ],
      () => ({ optimizer: 'adagrad' }),
    ),
  ),
  ...named('an embedding with a mask, an LSTM and sparse classes', {
    build: () => {
      const model = layers.sequential();
      const embeddingsInitializer = layers.initializers.glorotUniform({ seed: 1 });
      model.add(L.embedding({ inputDim: 11, outputDim: 4, inputLength: 7, maskZero: true, embeddingsInitializer }));
      model.add(L.lstm({ units: 5, ...r(2) }));
      model.add(L.dense({ units: 3, activation: 'softmax', ...k(4) }));
      model.compile({ optimizer: 'adam', loss: 'sparseCategoricalCrossentropy' });
      return model;
    },
    batch: (step) => [
      noise([8, 7], step + 1, (v) => Math.floor(v * 10.99)),
      tf.tensor2d([0, 1, 2, 0, 1, 2, 0, 1].map((v) => [(v + step) % 3])),
    ],
  }),
  ...named(
    'timeDistributed',
    classifier(
      [7, 4],
      () => [
        L.timeDistributed({ layer: L.dense({ units: 4, ...k(1) }), inputShape: [7, 4] }),
        L.globalAveragePooling1d({}),
      ],
      () => ({ optimizer: 'adamax' }),
    ),
  ),
  ...named('two outputs', {
    build: () => {
      const input = layers.input({ shape: [6] });
      const h = L.dense({ units: 8, ...k(1) }).apply(input);
      const a = L.dense({ units: 3, activation: 'softmax', ...k(2) }).apply(h);
      const b = L.dense({ units: 1, ...k(3) }).apply(h);
      const model = layers.model({ inputs: input, outputs: [a, b] as layers.SymbolicTensor[] });
      model.compile({
        optimizer: tf.train.adadelta(0.02, 0.9, 1e-2),
        loss: ['categoricalCrossentropy', 'meanSquaredError'],
      });
      return model;
    },
    batch: (step) => [noise([8, 6], step + 1), [oneHot(8, 3, step), noise([8, 1], step + 9)]],
  }),
  ...Object.assign(
    {},
    ...[
      'meanSquaredError',
      'meanAbsoluteError',
      'binaryCrossentropy',
      'hinge',
      'squaredHinge',
      'logcosh',
      'cosineProximity',
      'kullbackLeiblerDivergence',
      'poisson',
    ].map((loss) => named(`the loss ${loss}`, regression(loss))),
  ),
};

/** A model that accelerate() takes only when told to. */
export const attention: ModelRow = classifier(
  [6, 4],
  () => [
    L.dense({ units: 4, inputShape: [6, 4], ...k(1) }),
    new Attention({}) as layers.layers.Layer,
    L.globalAveragePooling1d({}),
  ],
  adam,
);
