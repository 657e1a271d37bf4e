// Models of TensorFlow.js, built by its layers: what `npm run bench -- tfjs` runs on its backends.
import {
  input,
  type LayersModel,
  layers,
  model as modelOf,
  type SymbolicTensor,
  sequential,
} from '@tensorflow/tfjs-layers';

const relu6 = (x: SymbolicTensor): SymbolicTensor => {
  const normal = layers.batchNormalization().apply(x);
  return layers.reLU({ maxValue: 6 }).apply(normal) as SymbolicTensor;
};
const project = (x: SymbolicTensor, filters: number, kernelSize = 1, strides = 1): SymbolicTensor =>
  layers.conv2d({ filters, kernelSize, strides, padding: 'same', useBias: false }).apply(x) as SymbolicTensor;
const depthwise = (x: SymbolicTensor, strides: number): SymbolicTensor =>
  relu6(layers.depthwiseConv2d({ kernelSize: 3, strides, padding: 'same', useBias: false }).apply(x) as SymbolicTensor);

function classifier(inputs: SymbolicTensor, x: SymbolicTensor): LayersModel {
  const pooled = layers.globalAveragePooling2d({}).apply(x);
  const outputs = layers.dense({ units: 1000, activation: 'softmax' }).apply(pooled) as SymbolicTensor;
  return modelOf({ inputs, outputs });
}

/** [filters, stride] of MobileNetV1 (Howard et al. 2017, table 1). */
const V1 = [
  [64, 1],
  [128, 2],
  [128, 1],
  [256, 2],
  [256, 1],
  [512, 2],
  ...Array.from({ length: 5 }, () => [512, 1]),
  [1024, 2],
  [1024, 1],
] as [number, number][];

/** With the layers of MobileNetV1, and weights at random. @param size of a side of the image */
export function mobileNetV1(size: number): LayersModel {
  const inputs = input({ shape: [size, size, 3] });
  const start = relu6(project(inputs, 32, 3, 2));
  return classifier(
    inputs,
    V1.reduce((x, [filters, stride]) => relu6(project(depthwise(x, stride), filters)), start),
  );
}

/** [expansion, filters, blocks, stride] of MobileNetV2 (Sandler et al. 2018, table 2). */
const V2: readonly [number, number, number, number][] = [
  [1, 16, 1, 1],
  [6, 24, 2, 2],
  [6, 32, 3, 2],
  [6, 64, 4, 2],
  [6, 96, 3, 1],
  [6, 160, 3, 2],
  [6, 320, 1, 1],
];

/** With the layers of MobileNetV2, and weights at random. */
export function mobileNetV2(size: number): LayersModel {
  const inputs = input({ shape: [size, size, 3] });
  let x = relu6(project(inputs, 32, 3, 2));
  let channels = 32;
  for (const [expansion, filters, blocks, first] of V2)
    for (let block = 0; block < blocks; block++) {
      const stride = block === 0 ? first : 1;
      const wide = expansion === 1 ? x : relu6(project(x, expansion * channels));
      const narrow = project(depthwise(wide, stride), filters);
      const y = layers.batchNormalization().apply(narrow) as SymbolicTensor;
      x = stride === 1 && channels === filters ? (layers.add().apply([x, y]) as SymbolicTensor) : y;
      channels = filters;
    }
  return classifier(inputs, relu6(project(x, 1280)));
}

/** The CNN of the train family. */
export function cnn(): LayersModel {
  const conv = (filters: number, first = {}) =>
    layers.conv2d({ filters, kernelSize: 3, padding: 'same', activation: 'relu', ...first });
  return sequential({
    layers: [
      conv(16, { inputShape: [28, 28, 1] }),
      layers.maxPooling2d({ poolSize: 2 }),
      conv(32),
      layers.maxPooling2d({ poolSize: 2 }),
      layers.flatten(),
      layers.dense({ units: 10, activation: 'softmax' }),
    ],
  });
}

/** The LSTM of the train family: what it gives after the last of 50 steps is classified. */
export function lstm(): LayersModel {
  return sequential({
    layers: [
      layers.lstm({
        ...{ units: 128, inputShape: [50, 32] },
        ...{ recurrentActivation: 'sigmoid', recurrentInitializer: 'glorotUniform' },
      }),
      layers.dense({ units: 10, activation: 'softmax' }),
    ],
  });
}

/** Dense layers with an activation between them. */
export function mlp(sizes: readonly number[], activation: 'relu' | 'tanh', last: 'softmax' | 'linear'): LayersModel {
  return sequential({
    layers: sizes.slice(1).map((units, i) => {
      const of = i === sizes.length - 2 ? last : activation;
      return layers.dense({ units, activation: of, ...(i === 0 && { inputShape: [sizes[0] as number] }) });
    }),
  });
}
