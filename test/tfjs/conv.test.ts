// Convolutions and their gradients against the cpu backend of TensorFlow.js, over a table of geometries.
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, it } from 'vitest';
import { configure } from '../../bindings/tfjs/index.ts';
import { axesOf, imagesOf, isLast, type Windows } from '../../bindings/tfjs/kernels/windows.ts';
import { type Call, expectAlike } from './images.ts';

beforeAll(() => {
  configure({ threads: 1 });
});

interface Geometry extends Windows {
  readonly batch: number;
  readonly sizes: number[];
  readonly kernel: number[];
  readonly channels: number;
  /** Of a depthwise convolution: results a channel. */
  readonly out: number;
}

const base = { batch: 2, sizes: [7, 6], kernel: [3, 3], channels: 4, out: 8, strides: 1, pad: 'same' } as const;
const tall = [[0, 0], [2, 0], [1, 3], [0, 0]] as const; // biome-ignore format: pairs
const first = [[0, 0], [0, 0], [0, 2], [3, 1]] as const; // biome-ignore format: pairs
const list = (rows: readonly (Partial<Geometry> | object)[]): Geometry[] =>
  rows.map((row) => ({ ...base, sizes: [...base.sizes], kernel: [...base.kernel], ...row }) as Geometry);

const channels = [1, 3, 4, 8, 17];
const images = list([
  ...channels.map((n) => ({ channels: n })),
  ...channels.map((n) => ({ out: n, strides: [2, 2] })),
  ...channels.map((n) => ({ channels: n, out: n, kernel: [1, 1], batch: 1 })),
  ...[1, 2, 3, 4, 5, 8, 9].map((n) => ({ sizes: [n, 10 - n], strides: 2 })),
  { kernel: [1, 1], strides: [2, 1] },
  { kernel: [2, 5], channels: 17, out: 17 },
  { kernel: [4, 2], strides: [3, 2], pad: 'valid' },
  { kernel: [1, 3], sizes: [1, 9], pad: 'valid', batch: 1 },
  { pad: 2 },
  { pad: 1, strides: [2, 3] },
  { pad: 1, strides: 2, dimRoundingMode: 'ceil' },
  { pad: 1, strides: 2, dimRoundingMode: 'round', sizes: [8, 5] },
  { pad: 0, strides: 3, dimRoundingMode: 'floor', kernel: [2, 2] },
  { pad: tall },
  { pad: tall, strides: 2, sizes: [5, 4] },
  { sizes: [9, 9], channels: 16, out: 16, batch: 3 },
  { sizes: [10, 13], channels: 17, out: 20, pad: 'valid', batch: 4 },
  { sizes: [2, 2], kernel: [5, 5] },
]);
/** Goes by Winograd's algorithm, with channels first. */
const winograd = images.find(({ channels: n, out }) => n === 16 && out === 16);
const dilated = list([
  { dilations: 2 },
  { dilations: [1, 3], sizes: [4, 9], channels: 3 },
  { dilations: [3, 2], pad: 'valid', sizes: [9, 9], kernel: [2, 3] },
  { dilations: 2, pad: 3, channels: 17, out: 1 },
]);
const channelsFirst = list([
  { dataFormat: 'NCHW' },
  { dataFormat: 'NCHW', channels: 1, out: 3, strides: 2, pad: 'valid' },
  { dataFormat: 'NCHW', channels: 17, pad: first, strides: [2, 1] },
  { dataFormat: 'NCHW', channels: 3, out: 17, kernel: [1, 1] },
]);
const volumes = list([
  { sizes: [4, 5, 6], kernel: [3, 3, 3] },
  { sizes: [3, 4, 5], kernel: [2, 1, 3], strides: [1, 2, 1], channels: 3, pad: 'valid' },
  { sizes: [5, 4, 3], kernel: [1, 1, 1], strides: 3, channels: 17, out: 5 },
  { sizes: [5, 5, 5], kernel: [2, 2, 2], strides: 2, channels: 1, out: 1, pad: 'valid' },
]);

/** Attributes without what they do not have: undefined and null are tested by tfjs's own specs. */
function attrsOf({ strides, pad, dilations, dimRoundingMode = null, dataFormat, sizes }: Geometry): Windows {
  const each = (value: number | readonly number[]): readonly number[] =>
    typeof value === 'number' ? sizes.map(() => value) : value;
  const format = dataFormat ?? (sizes.length === 3 ? 'NDHWC' : 'NHWC');
  return { strides: each(strides), pad, dilations: each(dilations ?? 1), dimRoundingMode, dataFormat: format };
}

/** What a kernel is called with: forward, or one of the gradients. */
function callOf(kernel: string, geometry: Geometry): Call {
  const { batch, sizes, channels: inner, out, kernel: taps } = geometry;
  const depthwise = kernel.includes('Depthwise');
  const attrs = attrsOf(geometry);
  const last = isLast(attrs);
  const shape = imagesOf(batch, sizes, inner, last);
  const filter = [...taps, inner, out];
  const outputs = axesOf('test', sizes, taps, attrs).map(({ outputs: n }) => n);
  const dy = imagesOf(batch, outputs, depthwise ? inner * out : out, last);
  if (kernel.includes('Input')) return { kernel, inputs: { dy, filter }, attrs: { ...attrs, inputShape: shape } };
  if (kernel.includes('Filter')) return { kernel, inputs: { x: shape, dy }, attrs: { ...attrs, filterShape: filter } };
  return { kernel, inputs: { x: shape, filter }, attrs };
}

const narrow = images.map((row) => ({ ...row, out: row.out > 4 ? 1 : row.out }));
const unit = ({ strides, dilations }: Geometry): boolean =>
  [strides].flat().every((n) => n === 1) || [dilations ?? 1].flat().every((n) => n === 1);

const TABLE: Readonly<Record<string, readonly Geometry[]>> = {
  Conv2D: [...images, ...dilated, ...channelsFirst],
  Conv2DBackpropInput: [...images, ...channelsFirst],
  Conv2DBackpropFilter: [...images, ...channelsFirst],
  DepthwiseConv2dNative: [...narrow, ...dilated].filter(unit),
  DepthwiseConv2dNativeBackpropInput: narrow,
  DepthwiseConv2dNativeBackpropFilter: narrow,
  Conv3D: volumes,
  Conv3DBackpropInputV2: volumes,
  Conv3DBackpropFilterV2: volumes,
};

describe('is alike on cpu', () => {
  for (const [kernel, geometries] of Object.entries(TABLE))
    it(`${kernel}, ${geometries.length} geometries`, async () => {
      for (const geometry of geometries) await expectAlike(callOf(kernel, geometry));
    });

  const activations = [undefined, 'linear', 'relu', 'relu6', 'elu', 'sigmoid', 'leakyrelu', 'prelu'];
  it.each(activations)('with bias and %s', async (activation) => {
    for (const kernel of ['FusedConv2D', 'FusedDepthwiseConv2D'])
      for (const geometry of [images[1], images[4], winograd, channelsFirst[0]] as Geometry[]) {
        if (geometry.dataFormat && kernel !== 'FusedConv2D') continue;
        const { inputs, attrs, ...call } = callOf(kernel, geometry);
        const n = kernel === 'FusedConv2D' ? geometry.out : geometry.out * geometry.channels;
        for (const bias of [{ bias: [n] }, { bias: [1] }, {}]) {
          const weights = activation === 'prelu' ? { preluActivationWeights: [n] } : {};
          const more = { activation, leakyreluAlpha: 0.3 };
          await expectAlike({ ...call, inputs: { ...inputs, ...bias, ...weights }, attrs: { ...attrs, ...more } });
        }
      }
  });

  it('depthwise with channels first, which the cpu backend does not know', async () => {
    const x = tf.randomUniform<tf.Rank.R4>([2, 5, 6, 3]);
    const filter = tf.randomUniform<tf.Rank.R4>([3, 3, 3, 2]);
    await tf.setBackend('retrograd');
    const run = (images: tf.Tensor, dataFormat: string): tf.Tensor =>
      tf
        .engine()
        .runKernel('DepthwiseConv2dNative', { x: images, filter }, { strides: [1, 1], pad: 'same', dataFormat });
    const firsts = run(tf.transpose(x, [0, 3, 1, 2]), 'NCHW');
    tf.test_util.expectArraysClose(await tf.transpose(firsts, [0, 2, 3, 1]).data(), await run(x, 'NHWC').data());
  });
});
